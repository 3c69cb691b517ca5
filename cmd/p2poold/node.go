package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
	"github.com/p2poold/p2poold/internal/chainman"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/merged"
	"github.com/p2poold/p2poold/mining/nodes"
	"github.com/p2poold/p2poold/mining/payee"
	"github.com/p2poold/p2poold/mining/solutions"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/stratum"
	"github.com/p2poold/p2poold/stratum/tlscert"
)

// node holds the parts of a running node. The arrows of docs/architecture.md are
// the adapters and callbacks that build joins them with.
type node struct {
	cfg     *config
	logs    *logBackend
	now     func() time.Time // shown to tests otherwise
	started time.Time
	stop    context.CancelFunc // ends run; set by it

	bitcoin   *nodes.Pool
	solutions *solutions.Journal
	store     *database.Store
	chain     *chainman.Manager
	merged    *merged.Manager
	generator *mining.Generator
	peers     *p2p.Server
	payees    *payee.Payees
	tlsCert   *tlscert.Source // nil with --nostratumtls
	stratum   *stratum.Server
	rpc       *rpcserver.Server // nil with --norpc

	restartMu  sync.Mutex
	restarting bool       // run ends for a restart
	reloadMu   sync.Mutex // one reload at a time
	reloaded   *config    // the last one; nil: none

	templates templateQueue
	guess     guess
	txs       txLists
	pending   atomic.Pointer[pending] // nil once the node has started
	startup   time.Time               // when it had, for the wait for peers
	checkup   atomic.Pointer[checkup] // the supervisor's findings; nil while it has none
	company   company                 // the supervisor's
	disk      *diskWatch              // likewise
	clocks    clockWatch              // likewise
	paidUpTo  shareID                 // likewise: tip up to which Bitcoin blocks were looked at
	paidBy    shareID                 // likewise: newest block among them
}

// runNode builds the node's parts and runs them until ctx is done or one fails.
func runNode(ctx context.Context, cfg *config, logs *logBackend) error {
	n, err := newNode(cfg, logs)
	if err != nil {
		return err
	}
	err = errors.Join(n.run(ctx), n.chain.Close())
	if err == nil && n.restarts() {
		return errRestart
	}
	return err
}

// newNode opens the database, makes the parts, none of which does anything yet,
// and opens their ports, so that one that is taken shows before anything begins. If
// that fails, blocks that the last run left are submitted all the same.
func newNode(cfg *config, logs *logBackend) (*node, error) {
	n := &node{cfg: cfg, logs: logs, started: time.Now(), now: cfg.now}
	if n.now == nil {
		n.now = time.Now
	}
	n.disk = n.newDiskWatch()
	n.templates.init()
	n.pending.Store(&pending{reason: "the node is starting", miners: "the node is starting", bitcoin: "not asked yet"})
	if err := n.buildBitcoin(); err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		err = n.rescue(err)
		n.solutions.Close()
		n.bitcoin.Wait()
		return nil, err
	}
	return n, nil
}

// open opens the database and the ports, and makes the parts.
func (n *node) open() (err error) {
	if n.store, err = database.Open(n.cfg.databaseDir(), n.cfg.params.ChainID); err != nil {
		return err
	}
	if err = n.build(); err == nil {
		err = n.listen()
	}
	if err != nil {
		return errors.Join(err, n.store.Close())
	}
	return nil
}

// build makes the parts but the database and the Bitcoin node.
func (n *node) build() error {
	for _, part := range []func() error{
		n.buildChain, n.buildMerged, n.buildGenerator, n.buildPeers, n.buildPayees, n.buildStratum, n.buildRPC,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) buildBitcoin() (err error) {
	n.bitcoin, err = nodes.New(nodes.Config{
		Nodes: n.bitcoinNodes(), P2P: n.bitcoinPeers(), UserAgent: userAgent(),
		OnTemplate: func(t *mining.Template) { n.templates.put(t); n.solutions.Kick() },
		OnTip:      n.templates.putTip,
		OnHealth:   func(h bitcoind.Health) { n.generator.SetNodeHealth(bitcoinState(h)) },
		Log:        n.logs.logger(subsysBitcoin),
	})
	if err != nil {
		return err
	}
	n.solutions = solutions.Open(solutions.Config{Dir: n.cfg.foundDir(), Node: n.bitcoin, Log: n.logs.logger(subsysBitcoin)})
	return nil
}

func (n *node) buildChain() error {
	n.chain = chainman.New(chainman.Config{
		Params: n.cfg.params, Store: n.store, Bitcoin: bitcoinHeaders{n.bitcoin},
		Stores: stores{database.NewPair(n.cfg.databaseDir(), n.cfg.params.ChainID), n.logs.logger(subsysChain)},
		Hooks: chainman.Hooks{
			Tip:      func() { n.generator.ChainChanged() },
			Accepted: func(id shareID) { n.peers.Announce(id) },
		},
		Log: n.logs.logger(subsysChain),
	})
	return nil
}

func (n *node) buildGenerator() (err error) {
	n.generator, err = mining.NewGenerator(mining.Config{
		Params: n.cfg.params, Chain: guardedChain{n.chain, &n.guess}, Node: n.bitcoin, Journal: n.solutions,
		Merged: n.otherChains(), Tag: []byte(n.cfg.General.Tag), Found: n.found, Now: n.now, Log: n.logs.logger(subsysMining),
	})
	return err
}

func (n *node) buildPeers() (err error) {
	var verify func(context.Context, *share.Share, []*compact.Tx) error
	if n.cfg.P2P.Verify {
		verify = n.verifyTxs
	}
	_, _, inbound := n.cfg.slots()
	n.peers, err = p2p.New(p2p.Config{
		Params: n.cfg.params, Chain: syncChain{n.chain}, Loading: true, Blocks: blocks{n.generator}, VerifyTxs: verify,
		Listen: n.cfg.P2P.Listen, Connect: n.cfg.P2P.Connect, AddNode: n.cfg.P2P.AddNode,
		Hidden: n.cfg.P2P.hidden, Routes: n.cfg.routes(), Mapping: n.cfg.mapping(), MaxLAN: n.cfg.maxLAN(),
		NetListen: n.cfg.control.listener(portsP2P, nil), MaxInbound: inbound, V1Only: !n.cfg.P2P.V2, Discovery: n.cfg.discovery(), Bans: n.cfg.bans(),
		Mode: message.LowLatency, UserAgent: userAgent(), Log: n.logs.logger(subsysPeer),
	})
	return err
}

func (n *node) buildRPC() (err error) {
	if n.cfg.RPC.Disable {
		return nil
	}
	n.rpc, err = rpcserver.New(rpcserver.Config{
		Listen: n.cfg.RPC.Listen, AllowIP: n.cfg.RPC.allow,
		User: n.cfg.RPC.User, Password: n.cfg.RPC.Pass, CookieFile: n.cfg.RPC.CookieFile,
		NetListen: n.cfg.control.listener(portsRPC, nil), Backend: backend{n}, Log: n.logs.logger(subsysRPC),
	})
	return err
}

// listen opens the ports and tells of all that are taken. The parts' Run methods
// close them; those of a part that never gets to run end with the process.
func (n *node) listen() error {
	errs := []error{n.peers.Bind(), n.stratum.Listen()}
	if n.rpc != nil {
		errs = append(errs, n.rpc.Listen())
	}
	if n.cfg.control != nil {
		n.cfg.control.ports.closeRest(n.logs.logger(subsysMain))
	}
	return errors.Join(errs...)
}
