package stratum

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/stratum/connlimit"
	"github.com/p2poold/p2poold/stratum/portmux"
)

// Server is a Stratum V1 server. All methods are safe for concurrent use.
type Server struct {
	cfg         Config
	deps        deps
	extranonces *allocator
	work        atomic.Pointer[workset]
	jobNumber   atomic.Uint64

	limits *connlimit.Limiter
	mux    *portmux.Mux
	queues *queues

	mu        sync.Mutex     // held for moments, before no other lock
	listeners []net.Listener // those of Config.Listen, then those of Config.ListenTLS
	live      map[*session]struct{}
	ended     bool      // Run returns as soon as all sessions are gone
	warned    time.Time // when a refused connection was last logged

	adjusted atomic.Pointer[adjustable]
	reported time.Time // when bad submissions were last looked at; watchTime's
}

// New checks cfg and returns a server that does nothing yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:         cfg,
		extranonces: newAllocator(),
		live:        make(map[*session]struct{}),
		queues:      newQueues(maxAllQueued),
	}
	s.limits, s.mux = newMux(&cfg)
	// A client that reconnects, or moves here from another node, must not find
	// its old job's id on another job.
	s.jobNumber.Store(uint64(rand.Uint32()))
	own, _ := cfg.Payees.Turn(chainhash.Hash{})
	s.work.Store(newWorkset(nil, cfg.Payees, "the node is starting"))
	s.adjusted.Store(&adjustable{cfg.Notice, cfg.Devices})
	s.deps = deps{
		cfg:      &s.cfg,
		log:      cfg.Log,
		names:    names{params: cfg.Params, own: own != nil, nodeForInvalid: cfg.NodeForInvalid},
		registry: newRegistry(time.Now()),
		current:  s.work.Load,
		adjusted: s.adjusted.Load,
		nextJob:  func() uint64 { return s.jobNumber.Add(1) },
		newID: func() (id sessionID) {
			crand.Read(id[:]) // never fails
			return id
		},
		parking:  newParking(s.extranonces, cfg.MaxConnections),
		counts:   new(ladderCounts),
		searches: newSearches(time.Now()),
	}
	s.loadState(time.Now())
	return s, nil
}

// Listen binds the configured addresses, so that a port that is taken shows
// before the rest of the node starts. Run does it if it was not done before.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners != nil {
		return nil
	}
	for _, addr := range slices.Concat(s.cfg.Listen, s.cfg.ListenTLS) {
		l, err := s.cfg.OpenListener(context.Background(), addr)
		if err != nil {
			closeAll(s.listeners)
			s.listeners = nil
			return listenError(addr, err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// listenError adds what to do.
func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("stratum: %s is in use by another program, perhaps another p2poold or pool: "+
			"stop it, or choose another port with --stratumlisten or --stratumtlslisten: %w", addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("stratum: no permission to listen on %s: "+
			"choose a port of 1024 or above with --stratumlisten: %w", addr, err)
	}
	return fmt.Errorf("stratum: cannot listen on %s, check --stratumlisten: %w", addr, err)
}

// adjustable is the part of Config that may change while the server runs.
type adjustable struct {
	notice  string
	devices Devices
}

// Adjust replaces Config's Notice and Devices, for the connections that begin from now on.
func (s *Server) Adjust(notice string, devices Devices) {
	s.adjusted.Store(&adjustable{notice, devices})
}

// Addrs returns the addresses listened on, with the real ports.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Run serves until ctx is done or a listener fails for good, and returns when
// all connections and goroutines are gone. A cancelled ctx is no error.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	listeners := s.listeners
	s.mu.Unlock()

	s.adopt() // the first client finds the work that there is
	var wg sync.WaitGroup
	errs := make(chan error, len(listeners))
	for i, l := range listeners {
		tlsOnly := i >= len(listeners)-len(s.cfg.ListenTLS)
		s.cfg.Log.Infof("%s listens on %v", listenerName(tlsOnly), l.Addr())
		wg.Go(func() {
			if err := s.accept(ctx, l, tlsOnly, &wg); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Go(func() { s.mux.Run(ctx) })
	wg.Go(func() { s.distribute(ctx) })
	wg.Go(func() { s.keepState(ctx) })

	<-ctx.Done()
	closeAll(listeners)
	done := s.end()
	wg.Wait()
	done()
	s.saveState(time.Now())
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// acceptRetry is the pause after a passing failure, such as running out of
// file descriptors.
const acceptRetry = 100 * time.Millisecond

// accept takes connections until ctx is done.
func (s *Server) accept(ctx context.Context, l net.Listener, tlsOnly bool, wg *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("stratum: listener %v failed: %w", l.Addr(), err)
		case err != nil:
			s.warn("cannot accept a connection: %v", err)
			if pause(ctx, acceptRetry) != nil {
				return nil
			}
		default:
			if c := s.admit(conn, tlsOnly); c != nil {
				wg.Go(func() { s.enter(ctx, c) })
			}
		}
	}
}

// warn logs at most once a minute: anybody who can connect can cause it.
func (s *Server) warn(format string, params ...any) {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.warned) >= time.Minute
	if due {
		s.warned = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Log.Warnf("Stratum: "+format, params...)
	}
}
