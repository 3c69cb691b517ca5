package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/decred/slog"
)

// Limits of the HTTP layer.
const (
	// MaxConnections is the number of open connections. p2pctl needs one, a
	// dashboard a handful.
	MaxConnections = 64

	// MaxBodySize bounds a request body, in bytes, as in Bitcoin Core's
	// practice: our largest sensible request, a full batch, has 20 kB.
	MaxBodySize = 1 << 20

	// MaxHeaderSize bounds the request line and headers together, in bytes.
	MaxHeaderSize = 8 << 10

	// httpHeaderSlop is what net/http reads beyond http.Server.MaxHeaderBytes.
	httpHeaderSlop = 4 << 10

	// shutdownTimeout is how long commands may go on after the context ended.
	shutdownTimeout = 5 * time.Second
)

// Timeouts bound how long a client may take for each step. All connections
// that do nothing useful are gone after the longest of them.
type Timeouts struct {
	ReadHeader time.Duration // from the first byte to the end of the headers
	Read       time.Duration // to the end of the body
	Write      time.Duration // from there to the end of the answer
	Idle       time.Duration // between two requests
	Request    time.Duration // deadline of the Backend for one request or batch
}

// DefaultTimeouts are used where Config.Timeouts has zeros.
var DefaultTimeouts = Timeouts{
	ReadHeader: 5 * time.Second,
	Read:       10 * time.Second,
	Write:      45 * time.Second,
	Idle:       60 * time.Second,
	Request:    30 * time.Second,
}

// Config is what a Server needs.
type Config struct {
	Listen  []string       // addresses, "host:port"
	AllowIP []netip.Prefix // clients that may connect besides loopback

	// User and Password are the credentials. If both are empty, a random
	// password is written to CookieFile and removed at the end.
	User, Password string
	CookieFile     string

	// NetListen opens the listening sockets; nil: net.Listen.
	NetListen func(network, addr string) (net.Listener, error)

	Backend  Backend
	Log      slog.Logger // nil: no logging
	Timeouts Timeouts    // zero fields: DefaultTimeouts
}

// Server serves the RPC interface. New makes it, Run runs it once.
type Server struct {
	cfg      Config
	log      slog.Logger
	guard    *guard
	conns    *connTable
	badLogin throttle

	listeners []net.Listener // from Listen to the end of Run

	ready chan struct{} // closed once the fields below are set

	auth  *authenticator
	addrs []net.Addr
	ctx   context.Context // the server's life, for authenticator.check
}

// New returns a server that does nothing until Run. The error says what is
// wrong with the configuration.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Backend == nil:
		return nil, errors.New("rpcserver: no backend")
	case len(cfg.Listen) == 0:
		return nil, errors.New("rpcserver: no listening address")
	case (cfg.User == "") != (cfg.Password == ""):
		return nil, errors.New("rpcserver: set both the RPC user and the RPC password, or none")
	case cfg.User == "" && cfg.CookieFile == "":
		return nil, errors.New("rpcserver: neither a password nor a cookie file is set")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	cfg.Timeouts.setDefaults()
	s := &Server{
		cfg:   cfg,
		log:   cfg.Log,
		guard: newGuard(cfg.Listen, cfg.AllowIP),
		ready: make(chan struct{}),
	}
	s.conns = &connTable{max: MaxConnections, allowed: func(a net.Addr) bool {
		return s.guard.clientAllowed(a.String())
	}}
	return s, nil
}

func (t *Timeouts) setDefaults() {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&t.ReadHeader, DefaultTimeouts.ReadHeader)
	set(&t.Read, DefaultTimeouts.Read)
	set(&t.Write, DefaultTimeouts.Write)
	set(&t.Idle, DefaultTimeouts.Idle)
	set(&t.Request, DefaultTimeouts.Request)
}

// Ready is closed when the server listens on all its addresses and the cookie
// file is in place.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addrs returns the addresses the server listens on. It waits for Ready.
func (s *Server) Addrs() []net.Addr {
	<-s.ready
	return s.addrs
}

// Run listens and serves until ctx is done, then lets running commands finish
// for up to five seconds, removes the cookie and returns nil. It returns an
// error if it cannot listen or cannot write the cookie. It must be called once.
func (s *Server) Run(ctx context.Context) (err error) {
	if err := s.Listen(); err != nil {
		return err
	}
	listeners := s.listeners
	defer closeAll(listeners)

	user, password := s.cfg.User, s.cfg.Password
	if user == "" {
		c, failed := writeCookie(s.cfg.CookieFile)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, c.remove()) }()
		user, password = CookieUser, c.password
	}
	s.auth = newAuthenticator(user, password)
	// Commands that run when ctx ends, stop for one, are answered.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.ctx = life
	for _, l := range listeners {
		s.addrs = append(s.addrs, l.Addr())
		s.announce(l.Addr())
	}
	close(s.ready)
	return s.serve(ctx, cancel, listeners)
}

// Listen opens all listening sockets, or none, so that a port that is taken
// shows before the rest of the node starts. Run, which closes them, does it if
// it was not done before. Listen is not to be called beside Run.
func (s *Server) Listen() error {
	if s.listeners != nil {
		return nil
	}
	listen := s.cfg.NetListen
	if listen == nil {
		listen = net.Listen
	}
	var listeners []net.Listener
	for _, addr := range s.cfg.Listen {
		l, err := listen("tcp", addr)
		if err != nil {
			closeAll(listeners)
			return listenError(addr, err)
		}
		listeners = append(listeners, &trackedListener{l, s.conns})
	}
	s.listeners = listeners
	return nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// listenError adds what to do.
func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("RPC port %s is already in use; another p2poold may be running; choose another with --rpclisten", addr)
	}
	return fmt.Errorf("cannot listen for commands on %s: %w; choose another address with --rpclisten", addr, err)
}

// announce logs a listening address, with a warning if others can reach it.
func (s *Server) announce(addr net.Addr) {
	s.log.Infof("RPC server listening on %s", addr)
	if ap, err := netip.ParseAddrPort(addr.String()); err == nil && !ap.Addr().Unmap().IsLoopback() {
		s.log.Warnf("RPC address %s can be reached from other machines and its traffic, password included, is not encrypted: "+
			"keep it inside a trusted network or behind a tunnel", addr)
	}
}

// serve runs the HTTP server on the listeners until ctx is done and everything
// it started has ended.
func (s *Server) serve(ctx context.Context, cancel context.CancelFunc, listeners []net.Listener) error {
	t := s.cfg.Timeouts
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    MaxHeaderSize - httpHeaderSlop,
		ErrorLog:          log.New(httpLog{s.log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnContext:       withConn,
	}
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		wg.Go(func() {
			if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("RPC server on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.conns.closeIdle()
	grace, stop := context.WithTimeout(s.ctx, shutdownTimeout)
	defer stop()
	if hs.Shutdown(grace) != nil {
		cancel()
		hs.Close()
	}
	wg.Wait()
	return err
}
