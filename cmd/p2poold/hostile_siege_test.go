package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/compact"
)

const (
	// siegeShares is the length of the chain before anything happens, and siegeHaste
	// by how many seconds each of them comes early: six half-lives of the difficulty,
	// so that a share is worth more than 64 of the easiest ones.
	siegeShares = 2_200
	siegeHaste  = slow + 5
	// siegeTxs is the number of transactions in each block that shares would be.
	siegeTxs = 500
	// siegeInterval is the time between shares as the limits of the peer network have
	// it. The test mines faster than that, in the clock of the chain and in ours.
	siegeInterval = time.Second
)

// siege is a node under attack, the victim: with the real chain, database and peer
// network, and a miner. An honest node dials it and mines too.
type siege struct {
	*joinNet
	door      *doorway
	journal   *journal
	victim    *joinNode
	honest    []*joinNode
	taps      map[*joinNode]*tap
	news      atomic.Pointer[shareID] // of the share found last, before anybody has it
	secret    bool                    // miners don't tell what their shares carry
	ahead     time.Duration           // that news is out before a share is found
	least     int                     // messages that the attack has to send; 0: one for each attacker
	groups    int                     // address groups of attackers so far
	strangers int                     // honest ones so far
	blocks    atomic.Int64            // that the victim was made to submit
}

// newSiege starts a victim and an honest node.
func newSiege(t *testing.T, change ...func(*siege, *p2p.Config)) *siege {
	t.Helper()
	s := &siege{joinNet: newJoinNet(t, 200), journal: new(journal), taps: make(map[*joinNode]*tap)}
	s.journal.reset()
	s.carry = carry(siegeTxs)
	s.haste = siegeHaste
	s.victim = s.startWith(t.TempDir(), func(n *joinNode, cfg *p2p.Config) {
		s.prepare(n, cfg)
		s.guard(n, cfg)
		for _, c := range change {
			c(s, cfg)
		}
	})
	s.victim.fill(siegeShares)
	s.haste = 1 // for the uncles of every tenth height
	s.victim.peers.SetTemplate(s.carry.txs)
	return s
}

// prepare is the configuration of all nodes.
func (s *siege) prepare(n *joinNode, cfg *p2p.Config) {
	tap := &tap{waits: make(map[shareID]chan time.Time)}
	s.taps[n], n.accepted = tap, tap.accepted
	params := *s.params
	params.ShareInterval = siegeInterval
	cfg.Params = &params
}

// guard is the configuration of the victim.
func (s *siege) guard(n *joinNode, cfg *p2p.Config) {
	cfg.NetListen = func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr)
		s.door = &doorway{Listener: l}
		return s.door, err
	}
	cfg.Bans.Duration = time.Hour
	log := slog.NewBackend(s.journal).Logger("PEER")
	log.SetLevel(slog.LevelDebug)
	cfg.Log = log
	g, err := mining.NewGenerator(mining.Config{Params: s.params, Chain: n.chain, Now: s.clock})
	if err != nil {
		s.Fatal(err)
	}
	g.SetTemplate(&mining.Template{
		PrevBlock: s.header.BlockHash(), Height: 1, Bits: s.params.Bitcoin.PowLimitBits, Received: s.clock(),
	})
	cfg.Blocks = submissions{blocks{g}, &s.blocks}
}

// submissions counts blocks instead of handing them to a Bitcoin node.
type submissions struct {
	blocks
	n *atomic.Int64
}

// SubmitBlock implements p2p.Blocks.
func (b submissions) SubmitBlock(*compact.Block) { b.n.Add(1) }

// ally starts an honest node that dials the victim, and waits until it has its chain.
func (s *siege) ally(t *testing.T) *joinNode {
	t.Helper()
	host := honestAt(s.strangers)
	s.strangers++
	n := s.startWith(t.TempDir(), func(n *joinNode, cfg *p2p.Config) {
		s.prepare(n, cfg)
		cfg.AddNode = []string{s.victim.addr()}
		cfg.Dial = dialFrom(host)
	})
	n.peers.SetTemplate(s.carry.txs)
	s.honest = append(s.honest, n)
	s.synced()
	s.warmUp(t)
	return n
}

// synced waits until all honest nodes have the victim's chain and ask for no more of it.
func (s *siege) synced() {
	s.Helper()
	tip := s.victim.chain.Tip().ID
	s.until("all honest nodes have synced", 2*patience, func() bool {
		return !slices.ContainsFunc(s.honest, func(n *joinNode) bool {
			return n.chain.Tip().ID != tip || !n.peers.Progress().Attempted
		})
	})
}

// warmUp has the victim find a share: a chain is synced without the siblings of its
// last shares, and the first to name one as its uncle takes longer.
func (s *siege) warmUp(t *testing.T) {
	t.Helper()
	if _, err := s.deliver(s.victim, s.honest...); err != nil {
		t.Fatal(err)
	}
}

// level waits until all honest nodes have a chain with as much work as the victim's.
// Which of two siblings is the tip may be another one for each.
func (s *siege) level() {
	work := s.victim.chain.Tip().Work
	s.until("honest nodes have the victim's work", patience, func() bool {
		return !slices.ContainsFunc(s.honest, func(n *joinNode) bool { return n.chain.Tip().Work.Lt(&work) })
	})
}

// carry makes n transactions that all shares carry.
func carry(n int) *carried {
	c := new(carried)
	ids, wids := make([]chainhash.Hash, n), make([]chainhash.Hash, n)
	for i := range n {
		tx, err := compact.ParseTx(plainTx(uint64(i)))
		if err != nil {
			panic(err)
		}
		c.txs = append(c.txs, tx)
		ids[i], wids[i] = tx.TxID, tx.WTxID
	}
	commitment := share.WitnessCommitment(wids)
	c.branch, c.commitment = share.MerkleBranch(ids), commitment[:]
	return c
}

// plainTx returns a transaction of some 250 bytes.
func plainTx(n uint64) []byte {
	const script = 180
	b := []byte{2, 0, 0, 0, 1}
	b = binary.LittleEndian.AppendUint64(b, n)
	b = append(b, make([]byte, 28)...)
	b = append(b, script)
	b = append(b, make([]byte, script)...)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 1)
	b = binary.LittleEndian.AppendUint64(b, 1000)
	return append(b, 1, 0x51, 0, 0, 0, 0)
}

// tap tells when a node has a share.
type tap struct {
	mu    sync.Mutex
	waits map[shareID]chan time.Time
}

// accepted is called with each share.
func (t *tap) accepted(id shareID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.waits[id]; c != nil {
		c <- time.Now()
		delete(t.waits, id)
	}
}

// expect returns a channel that tells when a share has come in.
func (t *tap) expect(id shareID) <-chan time.Time {
	c := make(chan time.Time, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits[id] = c
	return c
}

// deliveryTimeout is when a share counts as lost.
const deliveryTimeout = 10 * time.Second

var errLost = errors.New("a share did not arrive")

// deliver has one node find a share and returns how long it took others to have it.
func (s *siege) deliver(from *joinNode, to ...*joinNode) ([]time.Duration, error) {
	list := s.next(from.chain)
	var arrived []<-chan time.Time // at all of to, for each share
	for _, sh := range list {
		for _, n := range to {
			arrived = append(arrived, s.taps[n].expect(sh.ID()))
		}
	}
	id := list[0].ID()
	s.news.Store(&id)
	time.Sleep(s.ahead)
	if !s.secret {
		for _, sh := range list {
			from.peers.Mined(sh, s.carry.txs)
		}
	}
	found := time.Now()
	for _, sh := range list {
		if err := from.chain.Accept(sh); err != nil {
			return nil, err
		}
	}
	timeout := time.NewTimer(deliveryTimeout)
	defer timeout.Stop()
	var took []time.Duration
	for i, c := range arrived {
		select {
		case at := <-c:
			if i < len(to) {
				took = append(took, at.Sub(found))
			}
		case <-timeout.C:
			sh, n := list[i/len(to)], to[i%len(to)]
			return took, fmt.Errorf("%w: %v at height %d, %d of %d; there by now: %v; found by the victim: %v", errLost, sh.ID(), sh.Data.Height, i, len(arrived), n.chain.Have(sh.ID()), from == s.victim)
		}
	}
	return took, nil
}

// solve finds the proof of work for what a share claims to be.
func (s *siege) solve(sh *share.Share) *share.Share {
	sh.SetMerkleRoot(&s.params.ChainID)
	work(sh)
	return sh
}
