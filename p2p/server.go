package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// Server is the peer network of one node. Make it with New, then call Run. All
// methods are safe for concurrent use.
type Server struct {
	cfg        Config
	backoffMin time.Duration // shorter in tests

	nonces    nonces // of our version messages
	dialer    *dialer.Dialer
	exchanges *peer.Limiter  // of inbound v2 handshakes
	budgets   budgets        // of all peers together; has locks of its own
	v1Nodes   v1Nodes        // dialed without v2
	txs       *compact.Relay // has a lock of its own, which is never taken under mu
	verifying sync.Mutex     // held while Config.VerifyTxs runs
	loading   atomic.Bool    // the chain

	// searchLAN looks for nodes in the local network; replaced in tests.
	searchLAN func(ctx context.Context, found func(context.Context, netip.AddrPort))

	wg sync.WaitGroup // of Run's children

	toVerify chan *netsync.Verify // what syncs fetched; the Manager has one out at a time

	mu         sync.Mutex // see the package comment
	manager    *netsync.Manager
	peers      map[netsync.PeerID]*peer.Peer // after the handshake
	kinds      map[netsync.PeerID]ConnectionKind
	lastID     netsync.PeerID
	waiting    []waitingBlock  // the one with most work first
	callers    callers         // inbound connections, in whichever state
	nodes      map[string]bool // addresses kept connected
	listeners  []net.Listener
	finder     *finder               // of peers
	proxyNoted map[string]time.Time  // when the log last told that a proxy is out of reach
	door       *doorkeeper           // has locks of its own
	mapping    mapping               // of the port on the router
	lan        map[netaddr.Addr]bool // nodes of the local network that have a slot
	runCtx     context.Context       // non-nil while Run accepts new children
}

// New checks the configuration. It opens nothing; Bind and Run do.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:        cfg,
		backoffMin: backoffMin,
		exchanges:  new(peer.Limiter),
		txs:        newTxRelay(cfg.Chain),
		manager:    netsync.New(netsync.Config{Chain: cfg.Chain, Mode: cfg.Mode, StallTimeout: cfg.StallTimeout, Loading: cfg.Loading}),
		toVerify:   make(chan *netsync.Verify, 1),
		peers:      make(map[netsync.PeerID]*peer.Peer),
		kinds:      make(map[netsync.PeerID]ConnectionKind),
		nonces:     newNonces(),
		callers:    newCallers(),
		nodes:      make(map[string]bool),
		finder:     newFinder(&cfg),
		proxyNoted: make(map[string]time.Time),
		door:       newDoorkeeper(&cfg),
		lan:        make(map[netaddr.Addr]bool),
	}
	s.loading.Store(cfg.Loading)
	s.budgets = s.newBudgets()
	if err := s.buildDialer(); err != nil {
		return nil, err
	}
	s.searchLAN = s.search
	g := s.finder.gossip
	g.announce, g.reachable, g.unwanted = s.announcement, s.dialer.Automatic, s.unwanted
	for _, list := range [][]string{cfg.Connect, cfg.AddNode} {
		for _, addr := range list {
			if err := s.AddNode(addr); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Run listens, dials and serves until the context ends, and blocks until all
// connections and goroutines are gone. It returns an error only if it cannot
// listen. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Bind(); err != nil {
		return err
	}
	s.loadBook()
	s.mu.Lock()
	s.runCtx = ctx
	for _, l := range s.listeners {
		s.wg.Go(func() { s.accept(ctx, l) })
	}
	for addr := range s.nodes {
		s.wg.Go(func() { s.keepConnected(ctx, addr) })
	}
	s.mu.Unlock()
	s.wg.Go(func() { s.tick(ctx) })
	s.wg.Go(func() { s.verifyFetched(ctx) })
	s.wg.Go(func() { s.keepBook(ctx) })
	s.wg.Go(func() { s.keepBans(ctx) })
	s.wg.Go(func() { s.mapPort(ctx) })
	if s.cfg.MaxLAN > 0 {
		s.wg.Go(func() { s.searchLAN(ctx, s.foundInLAN) })
	}
	if s.cfg.Discovery.Outbound > 0 {
		s.wg.Go(func() { s.find(ctx) })
		s.wg.Go(func() { s.seed(ctx) })
	}

	<-ctx.Done()
	s.mu.Lock()
	s.runCtx = nil
	s.mu.Unlock()
	s.closeListeners()
	s.wg.Wait()
	s.saveBook()
	s.saveBans()
	return nil
}

// tick drives the deadlines of the Manager.
func (s *Server) tick(ctx context.Context) {
	ticker := time.NewTicker(netsync.TickInterval)
	defer ticker.Stop()
	logged := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.step(func(m *netsync.Manager, at time.Time) []netsync.Action { return m.Tick(at) })
			s.tickGossip(now)
			s.txs.Tick(now)
			if now.Sub(logged) >= progressInterval {
				logged = now
				s.logProgress()
			}
		}
	}
}

// step lets the Manager decide on one event, queues the resulting messages and
// returns the actions that take time, for the caller to carry out.
func (s *Server) step(event func(*netsync.Manager, time.Time) []netsync.Action) []netsync.Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	var work []netsync.Action
	for _, a := range event(s.manager, time.Now()) {
		switch a := a.(type) {
		case *netsync.Send:
			if p := s.peers[a.To]; p != nil {
				p.Send(a.Message)
			}
		case *netsync.Disconnect:
			if p := s.peers[a.Peer]; p != nil {
				reason := peer.ReasonStalled
				if a.Misbehaviour {
					reason = peer.ReasonMisbehaviour
				}
				p.Disconnect(reason, a.Err)
			}
		case *netsync.Verify:
			if a.Sync {
				s.toVerify <- a // there is room
			} else {
				work = append(work, a)
			}
		default:
			work = append(work, a)
		}
	}
	return work
}

// Announce spreads a share of the chain that became valid otherwise than by a
// peer's message: mined here, or an orphan whose parent came. It may be called
// for every share the chain accepts: the others are passed over.
func (s *Server) Announce(id chainhash.Hash) {
	s.mu.Lock()
	passed := s.manager.Passed(id)
	s.mu.Unlock()
	if passed {
		return // before reading from disk what a sync brings
	}
	raw, err := s.cfg.Chain.Share(id)
	if err != nil {
		s.cfg.Log.Errorf("Share %v cannot be announced: %v", id, err)
		return
	}
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action { return m.Announce(now, id, raw) })
	s.announceTxs(id)
}

// ChainLoaded tells that the chain is loaded; see Config.Loading.
func (s *Server) ChainLoaded() {
	s.loading.Store(false)
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action { return m.Loaded(now) })
}

// AddNode keeps the node connected to an address, "host" or "host:port", until
// Run ends. It fails if the address is malformed or there are MaxNodes already;
// an address that is on the list does no harm.
func (s *Server) AddNode(addr string) error {
	addr, err := normalize(addr, s.cfg.Params.DefaultP2PPort)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[addr] {
		return nil
	}
	if len(s.nodes) >= MaxNodes {
		return errors.New("too many nodes are added already")
	}
	s.nodes[addr] = true
	if ctx := s.runCtx; ctx != nil {
		s.wg.Go(func() { s.keepConnected(ctx, addr) })
	}
	return nil
}
