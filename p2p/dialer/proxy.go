package dialer

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"golang.org/x/net/proxy"
)

// ProxyError means that a proxy itself cannot be reached: whatever was asked of
// it, the address dialed is not to blame.
type ProxyError struct {
	Proxy string // host:port
	Err   error
}

// Error says what to look at.
func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s cannot be reached: %v", e.Proxy, e.Err)
}

// Unwrap returns the cause.
func (e *ProxyError) Unwrap() error { return e.Err }

// dialProxy connects through a SOCKS5 proxy.
func (d *Dialer) dialProxy(ctx context.Context, w way) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, ProxyTimeout)
	defer cancel()
	var auth *proxy.Auth
	if w.isolate {
		auth = &proxy.Auth{User: rand.Text(), Password: rand.Text()}
	}
	socks, err := proxy.SOCKS5("tcp", w.proxy, auth, toProxy{d})
	if err != nil {
		return nil, err
	}
	conn, err := socks.(proxy.ContextDialer).DialContext(ctx, "tcp", w.target)
	if err != nil {
		return nil, err
	}
	return &remoteConn{conn, Remote{Text: w.addr, Net: w.network, Proxied: true}}, nil
}

// toProxy connects to a proxy.
type toProxy struct{ d *Dialer }

// Dial exists to satisfy proxy.Dialer and is not called: DialContext is preferred.
func (t toProxy) Dial(network, addr string) (net.Conn, error) {
	return t.DialContext(context.Background(), network, addr)
}

// DialContext implements proxy.ContextDialer.
func (t toProxy) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := t.d.cfg.Direct(ctx, network, addr)
	if err != nil {
		return nil, &ProxyError{addr, err}
	}
	return conn, nil
}
