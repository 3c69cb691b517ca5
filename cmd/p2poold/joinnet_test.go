package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/database"
	"github.com/p2poold/p2poold/internal/chainman"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/message"
)

// joinNet is a pool of nodes without miners and RPC: chain, database and peer network,
// joined as newNode joins them. They share a clock, which the shares drive, and a
// Bitcoin chain, of one block at first. A share takes two hashes.
type joinNet struct {
	testing.TB
	bitcoinChain
	params *chainparams.Params
	payees int
	now    atomic.Int64 // Unix seconds
	made   uint64       // shares
	haste  int64        // seconds that each share takes less
	single bool         // no share gets a sibling
	carry  *carried     // what shares carry; nil: each something else that nobody has
}

// carried is a block's transactions, with what a share states of them.
type carried struct {
	txs        []*compact.Tx
	branch     []chainhash.Hash
	commitment []byte
}

func newJoinNet(t testing.TB, payees int, opts ...chainparams.Option) *joinNet {
	t.Helper()
	params, err := chainparams.New(chainparams.Mainnet, "main", append(opts, chaingen.Easy)...)
	if err != nil {
		t.Fatal(err)
	}
	j := &joinNet{TB: t, bitcoinChain: newBitcoinChain(params.Bitcoin), params: params, payees: payees}
	j.now.Store(j.header.Timestamp.Unix() + 7200)
	return j
}

func (j *joinNet) clock() time.Time { return time.Unix(j.now.Load(), 0) }

// miningChain is what a share is built on.
type miningChain interface {
	Tip() *blockchain.Tip
	Payouts(parent chainhash.Hash, headerBits uint32, value int64, class share.Class) (payout.Result, error)
}

// slow is how much longer than planned each share takes, in seconds, so that the shares
// stay easy with their uncles counted.
const slow = 2

// next makes the next shares of a chain, which the caller accepts in order: one, on
// every tenth height with a sibling that becomes an uncle. Of neighbouring shares the
// later one in the chain is often the earlier one by its own time, as on all chains.
func (j *joinNet) next(chain miningChain) []*share.Share {
	j.Helper()
	tip := chain.Tip()
	j.now.Add(int64(j.params.ShareInterval/time.Second) + slow - j.haste)
	s := j.build(chain, tip, true)
	if j.single || tip.Height%10 != 9 || tip.Empty || len(tip.Uncles) > 0 {
		return []*share.Share{s}
	}
	return []*share.Share{s, j.build(chain, tip, false)}
}

func (j *joinNet) build(chain miningChain, tip *blockchain.Tip, uncles bool) *share.Share {
	j.Helper()
	j.made++
	behind := int64(j.made * 7 % 40) // seconds that this miner's clock is slow
	s := &share.Share{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: j.header.BlockHash(), Bits: j.bits(),
			Timestamp: j.header.Timestamp.Add(time.Hour),
		},
		Data: share.Data{
			Version: share.Version, Previous: tip.ID, Height: tip.NextHeight, Time: max(uint32(j.now.Load()-behind), tip.MinTime),
			Bits: tip.NextBits, Anchor: tip.NextAnchor, Count: tip.NextCount, Work: tip.NextWork, Uncles: tip.Uncles,
			Payee: chaingen.Script(int(j.made*j.made) % j.payees), BitcoinHeight: j.height() + 1, CoinbaseValue: 312_500_000,
			Class: share.Class144, Tag: []byte("p2pool"), WitnessCommitment: make([]byte, share.WitnessCommitmentSize),
		},
		Branch: make([]chainhash.Hash, 12),
	}
	for i := range s.Branch {
		binary.LittleEndian.PutUint64(s.Branch[i][i:], j.made*0x9e3779b97f4a7c15)
		s.Branch[i] = chainhash.HashH(s.Branch[i][:])
	}
	if c := j.carry; c != nil {
		s.Branch, s.Data.WitnessCommitment = c.branch, c.commitment
	}
	if tip.Empty {
		s.Data.Anchor = s.Data.Time
	}
	if !uncles && len(tip.Uncles) > 0 {
		j.Fatal("a sibling of a share with uncles has other sums")
	}
	binary.LittleEndian.PutUint64(s.Extranonce[4:], j.made)
	result, err := chain.Payouts(tip.ID, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		j.Fatal(err)
	}
	s.SetCoinbase(&j.params.ChainID, result.Finder, result.Payouts)
	for id := s.ID(); !target.HashMeets(&id, &tip.NextTarget); id = s.ID() {
		s.Header.Nonce++
	}
	if _, err := s.CheckSanity(&j.params.ChainID); err != nil {
		j.Fatal(err)
	}
	return s
}

// joinNode is one node of the net. It can be stopped and started again.
type joinNode struct {
	net   *joinNet
	dir   string
	store *database.Store // that it was started with
	chain *chainman.Manager
	peers *p2p.Server
	stop  func()
	// bitcoin is what its Bitcoin node has.
	bitcoin *bitcoinView
	// accepted is called with each share that the node has stored, before it is
	// announced; may be nil.
	accepted func(shareID)
}

// start runs a node on the database in dir, connected to others.
func (j *joinNet) start(dir string, to ...string) *joinNode {
	j.Helper()
	return j.startWith(dir, func(_ *joinNode, cfg *p2p.Config) { cfg.AddNode = to })
}

// startWith runs a node on the database in dir, whose peer network is configured as
// change has it.
func (j *joinNet) startWith(dir string, change func(*joinNode, *p2p.Config)) *joinNode {
	j.Helper()
	n := &joinNode{net: j, dir: dir, bitcoin: j.view()}
	var err error
	path := filepath.Join(dir, "sharechain")
	if n.store, err = database.Open(path, j.params.ChainID); err != nil {
		j.Fatal(err)
	}
	n.chain = chainman.New(chainman.Config{
		Params: j.params, Store: n.store, Bitcoin: n.bitcoin, Now: j.clock,
		Stores: stores{database.NewPair(path, j.params.ChainID), slog.Disabled},
		Hooks: chainman.Hooks{Accepted: func(id shareID) {
			if n.accepted != nil {
				n.accepted(id)
			}
			n.peers.Announce(id)
		}},
	})
	if err := n.chain.Load(context.Background(), j.header.BlockHash()); err != nil {
		j.Fatal(errors.Join(err, n.chain.Close()))
	}
	cfg := p2p.Config{
		Params: j.params, Chain: syncChain{n.chain}, Listen: []string{"127.0.0.1:0"},
		Mode: message.LowLatency, UserAgent: userAgent(),
	}
	change(n, &cfg)
	n.peers, err = p2p.New(cfg)
	if err == nil {
		err = n.peers.Bind()
	}
	if err != nil {
		j.Fatal(errors.Join(err, n.chain.Close()))
	}
	c := newCrew(context.Background())
	c.run("sharechain", n.chain.Run)
	c.run("peer network", n.peers.Run)
	n.stop = sync.OnceFunc(func() {
		c.stop()
		if err := errors.Join(c.wait(), n.chain.Close()); err != nil {
			j.Error(err)
		}
	})
	j.Cleanup(n.stop)
	return n
}

// restart stops the node and starts it on what it has stored.
func (n *joinNode) restart(to ...string) *joinNode {
	n.net.Helper()
	n.stop()
	return n.net.start(n.dir, to...)
}

func (n *joinNode) addr() string { return n.peers.Addr().String() }

// mine adds shares to the node's chain, as the miners of the node do.
func (n *joinNode) mine(shares int) {
	n.net.Helper()
	for range shares {
		for _, s := range n.net.next(n.chain) {
			if err := n.chain.Accept(s); err != nil {
				n.net.Fatalf("share at height %d: %v", s.Data.Height, err)
			}
		}
	}
}

// until waits for what other goroutines bring about.
func (j *joinNet) until(what string, timeout time.Duration, ok func() bool) {
	j.Helper()
	until(j, what, timeout, ok)
}

// agree waits until the nodes have the tip of the first, and compares all that follows
// from it: work, what the next share must state, scores, and the payouts of each class.
func (j *joinNet) agree(nodes ...*joinNode) {
	j.Helper()
	first := nodes[0]
	j.until("one tip", patience, func() bool {
		for _, n := range nodes {
			if n.chain.Tip().ID != first.chain.Tip().ID {
				return false
			}
		}
		return true
	})
	want := first.owed()
	for i, n := range nodes {
		got := n.owed()
		if got.tip.Work != want.tip.Work || got.tip.NextBits != want.tip.NextBits || got.tip.NextCount != want.tip.NextCount ||
			got.tip.NextWork != want.tip.NextWork || got.tip.MinTime != want.tip.MinTime {
			j.Errorf("node %d has the tip %+v, node 0 %+v", i, got.tip, want.tip)
		}
		if !bytes.Equal(got.scores, want.scores) || !bytes.Equal(got.payouts, want.payouts) {
			j.Errorf("node %d has other scores or payouts than node 0 at height %d", i, want.tip.Height)
		}
	}
}

// owed is what a node's next job would pay.
type owed struct {
	tip             *blockchain.Tip
	scores, payouts []byte
}

func (n *joinNode) owed() (o owed) { return n.owedAt(n.net.bits()) }

// owedAt is owed for a job on a Bitcoin block of other bits.
func (n *joinNode) owedAt(bits uint32) (o owed) {
	n.net.Helper()
	const value = 312_500_000
	o.tip = n.chain.Tip()
	scores, err := n.chain.Scores(o.tip.ID, bits)
	if err != nil {
		n.net.Fatal(err)
	}
	for _, s := range scores {
		weight := s.Weight.Bytes()
		o.scores = append(append(o.scores, s.Script...), weight[:]...)
	}
	for _, class := range []share.Class{share.Class12, share.Class36, share.Class144, share.Class288, share.Class1152} {
		result, err := n.chain.Payouts(o.tip.ID, bits, value, class)
		if err != nil {
			n.net.Fatal(err)
		}
		sum := result.Finder
		for _, p := range result.Payouts {
			o.payouts = binary.BigEndian.AppendUint64(append(o.payouts, p.Script...), uint64(p.Amount))
			sum += p.Amount
		}
		if sum != value {
			n.net.Errorf("class %v pays %d of %d sat", class, sum, value)
		}
	}
	return o
}
