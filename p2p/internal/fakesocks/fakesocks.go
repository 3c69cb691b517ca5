// Package fakesocks is a SOCKS5 proxy on loopback for tests: it writes down what it
// is asked for, and connects, refuses, stays silent or talks nonsense as told.
// Tests of p2p and p2p/dialer use it; a Proxy is safe for concurrent use.
package fakesocks

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// Request is what a client asked for.
type Request struct {
	User, Password string // empty: it did not log in
	Name           bool   // the host was given as a name
	Target         string // host:port
}

// Proxy is a running proxy.
type Proxy struct {
	// NoLogin makes it take clients without asking who they are.
	NoLogin bool
	// Route returns the TCP address to connect a request to; nil or an empty
	// one: the reply says that the host is unreachable.
	Route func(Request) string
	// Serve, if any, has the connection instead of the SOCKS5 protocol.
	Serve func(net.Conn)

	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	requests []Request
	open     map[net.Conn]bool
	stopped  bool
}

// Start listens until the test ends. The fields must be set before.
func (p *Proxy) Start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.listener, p.open = l, make(map[net.Conn]bool)
	p.wg.Go(p.accept)
	t.Cleanup(p.Stop)
}

// Stop ends the proxy and all connections through it.
func (p *Proxy) Stop() {
	p.listener.Close()
	p.mu.Lock()
	p.stopped = true
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// Addr is where it listens, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Requests returns what was asked for so far.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			if !p.keep(conn) {
				return
			}
			defer p.drop(conn)
			if p.Serve != nil {
				p.Serve(conn)
				return
			}
			p.serve(conn)
		})
	}
}

// keep notes a connection for Stop to close; it closes it and reports false if that
// was called.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		conn.Close()
		return false
	}
	p.open[conn] = true
	return true
}

func (p *Proxy) drop(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	delete(p.open, conn)
	p.mu.Unlock()
}

// Replies of RFC 1928.
const (
	succeeded   = 0
	unreachable = 4
)

func (p *Proxy) serve(conn net.Conn) {
	r, ok := p.handshake(conn)
	if !ok {
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.mu.Unlock()
	to := ""
	if p.Route != nil {
		to = p.Route(r)
	}
	far, err := net.Dial("tcp", to)
	if to == "" || err != nil {
		reply(conn, unreachable)
		return
	}
	if !p.keep(far) {
		return
	}
	defer p.drop(far)
	reply(conn, succeeded)
	p.wg.Go(func() {
		io.Copy(far, conn)
		far.Close()
	})
	io.Copy(conn, far)
}

func reply(conn net.Conn, code byte) {
	conn.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
}

// handshake reads methods, login and request.
func (p *Proxy) handshake(conn net.Conn) (r Request, ok bool) {
	head := read(conn, 2)
	if head == nil || head[0] != 5 {
		return r, false
	}
	login := false
	for _, m := range read(conn, int(head[1])) {
		login = login || m == 2 && !p.NoLogin
	}
	if login {
		conn.Write([]byte{5, 2})
		if v := read(conn, 1); v == nil || v[0] != 1 {
			return r, false
		}
		r.User, r.Password = readText(conn), readText(conn)
		conn.Write([]byte{1, 0})
	} else {
		conn.Write([]byte{5, 0})
	}
	if head = read(conn, 4); head == nil {
		return r, false
	}
	var host string
	switch head[3] {
	case 1, 4:
		ip, _ := netip.AddrFromSlice(read(conn, 4*int(head[3])))
		host = ip.String()
	case 3:
		host, r.Name = readText(conn), true
	}
	port := read(conn, 2)
	if port == nil {
		return r, false
	}
	r.Target = net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port))))
	return r, true
}

// read returns n bytes, nil if they don't come.
func read(conn net.Conn, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil
	}
	return b
}

// readText reads a length and as many bytes.
func readText(conn net.Conn) string {
	n := read(conn, 1)
	if n == nil {
		return ""
	}
	return string(read(conn, int(n[0])))
}
