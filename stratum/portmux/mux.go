package portmux

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/stratum/connlimit"
)

// Config is what a Mux needs.
type Config struct {
	// Limits has the places for connections.
	Limits *connlimit.Limiter
	// TLS is the server's side of TLS. Nil: it is refused.
	TLS *tls.Config
	// HTTP answers requests. Nil: they are refused.
	HTTP http.Handler
	// Proxies are the addresses whose PROXY headers are believed. The connections
	// themselves that come from there have no address that is limited.
	Proxies []netip.Prefix
	// Timeout is how long a client has, from accept, until its protocol is known.
	Timeout time.Duration
	// Log may be nil.
	Log slog.Logger
}

// Mux tells protocols apart. It is safe for concurrent use.
type Mux struct {
	cfg      Config
	gate     gate
	http     *httpServer // nil without Config.HTTP
	counts   counters
	warnings warnings
}

// Why a connection does not become a miner's.
var (
	// ErrHTTP says that the connection has gone to the HTTP server, which closes it.
	ErrHTTP = errors.New("the client speaks HTTP")

	errNoProtocol = errors.New("the client speaks none of the protocols")
	errNoTLS      = errors.New("TLS is turned off")
	errTLSOnly    = errors.New("the listener is for TLS only")
	errNotAProxy  = errors.New("a PROXY header from an address that is not named as a proxy's")
	errEvicted    = errors.New("made room for another connection before it logged in")
)

// New returns a Mux. Run serves its HTTP connections.
func New(cfg Config) *Mux {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	m := &Mux{cfg: cfg, gate: newGate()}
	if cfg.HTTP != nil {
		m.http = newHTTPServer(cfg.HTTP, cfg.Log)
	}
	return m
}

// Run serves HTTP until ctx is done and all its connections are gone.
func (m *Mux) Run(ctx context.Context) {
	if m.http != nil {
		m.http.run(ctx)
	}
}

// Admit takes a place for an accepted connection. The caller goes on with Handshake, in
// a goroutine of the connection's. On an error, one of connlimit's, it is closed already.
func (m *Mux) Admit(socket net.Conn, tlsOnly bool) (*Conn, error) {
	c := &Conn{Conn: socket, mux: m, socket: socket, tlsOnly: tlsOnly, accepted: time.Now()}
	var err error
	if c.slot, err = m.cfg.Limits.Enter(c.evict); err != nil {
		socket.Close()
		return nil, err
	}
	addr := addrOf(socket.RemoteAddr())
	if m.isProxy(addr) {
		return c, nil
	}
	if err := c.slot.Identify(addr); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (m *Mux) isProxy(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(m.cfg.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Handshake reads until the protocol is known. With a nil error the connection is a
// miner's, and its next byte is the first one of Stratum. Otherwise it is closed, or the
// HTTP server's (ErrHTTP).
func (c *Conn) Handshake(ctx context.Context) error {
	deadline := c.accepted.Add(c.mux.cfg.Timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c.socket.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { c.socket.Close() })
	protocol, err := c.negotiate(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = c.socket.SetDeadline(time.Time{})
	}
	switch {
	case err != nil:
		if c.evicted.Load() {
			err = errEvicted
		}
		c.mux.counts.failed(err) // before the client can know
		c.Close()
	case protocol == HTTP:
		c.polite = true
		c.mux.http.take(c)
		return ErrHTTP
	}
	return err
}

// negotiate goes through the layers. It returns Stratum, or HTTP if there is a server
// for it, or an error.
func (c *Conn) negotiate(ctx context.Context) (Protocol, error) {
	protocol, err := c.sniff()
	if err == nil && protocol == Proxy {
		if err = c.believe(); err == nil {
			protocol, err = c.sniff()
		}
	}
	if err == nil && protocol == TLS {
		if err = c.encrypt(ctx); err == nil {
			protocol, err = c.sniff()
		}
	} else if err == nil && c.tlsOnly {
		err = errTLSOnly
	}
	switch {
	case err != nil:
		return Unknown, err
	case protocol == Stratum, protocol == HTTP && c.mux.http != nil:
		return protocol, nil
	}
	return Unknown, errNoProtocol // also for TLS in TLS, or two PROXY headers
}

// sniff reads ahead until the protocol is known.
func (c *Conn) sniff() (Protocol, error) {
	for {
		if p, decided := Detect(c.ahead); decided {
			return p, nil
		}
		var err error
		if c.ahead, err = readMore(c.Conn, c.ahead, maxSniff); err != nil {
			return Unknown, err
		}
	}
}

// believe takes the client's address from a PROXY header.
func (c *Conn) believe() error {
	m := c.mux
	if !m.isProxy(addrOf(c.socket.RemoteAddr())) {
		m.warnings.warnf(m.cfg.Log, "Stratum: a PROXY header came from %v, which --proxyprotocol does not name; the connection was refused", c.socket.RemoteAddr())
		return errNotAProxy
	}
	client, beyond, err := readProxyHeader(c.Conn, c.ahead)
	if err != nil {
		if errors.Is(err, errBadProxyHeader) {
			m.warnings.warnf(m.cfg.Log, "Stratum: proxy %v sent a header that cannot be read: %v", c.socket.RemoteAddr(), err)
		}
		return err
	}
	if c.ahead = nil; len(beyond) > 0 {
		c.ahead = append(c.ahead, beyond...) // not the whole header's memory
	}
	m.counts.proxied.Add(1)
	if client == nil {
		return nil
	}
	c.client = client
	return c.slot.Identify(addrOf(client))
}

// encrypt does the TLS handshake.
func (c *Conn) encrypt(ctx context.Context) error {
	m := c.mux
	if m.cfg.TLS == nil {
		return errNoTLS
	}
	// What was read ahead is read by TLS, from a connection of its own.
	below := &gated{Conn: &Conn{Conn: c.Conn, socket: c.socket, ahead: c.ahead}, gate: m.gate, ctx: ctx}
	c.ahead = nil
	secure := tls.Server(below, m.cfg.TLS)
	err := secure.HandshakeContext(ctx)
	below.done()
	if err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	m.counts.secured.Add(1)
	c.Conn = secure
	return nil
}

// errTLS is wrapped by failed handshakes.
var errTLS = errors.New("TLS handshake")

// warnEvery is the least time between two warnings that strangers can cause.
const warnEvery = 10 * time.Minute

// warnings bounds what strangers can write into the log.
type warnings struct {
	mu   sync.Mutex
	last time.Time
}

func (w *warnings) warnf(log slog.Logger, format string, args ...any) {
	w.mu.Lock()
	now := time.Now()
	due := now.Sub(w.last) >= warnEvery
	if due {
		w.last = now
	}
	w.mu.Unlock()
	if due {
		log.Warnf(format, args...)
	}
}
