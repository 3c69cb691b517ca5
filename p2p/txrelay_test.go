package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// testTxs returns n transactions that differ from those of other first numbers.
func testTxs(t testing.TB, first, n int) []*compact.Tx {
	t.Helper()
	list := make([]*compact.Tx, n)
	for i := range list {
		tx := wire.NewMsgTx(2)
		var prev chainhash.Hash
		binary.LittleEndian.PutUint64(prev[:], uint64(first+i))
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&prev, 0), nil, wire.TxWitness{{byte(i)}}))
		tx.AddTxOut(wire.NewTxOut(1000, bytes.Repeat([]byte{0x51}, 200)))
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		var err error
		if list[i], err = compact.ParseTx(raw.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// mineTxs lets a server find a share with these transactions.
func (s *testServer) mineTxs(t testing.TB, txs []*compact.Tx) chainhash.Hash {
	t.Helper()
	sh := s.chain.Next(1)
	ids, wids := make([]chainhash.Hash, len(txs)), make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i], wids[i] = tx.TxID, tx.WTxID
	}
	fakechain.Commit(sh, share.MerkleBranch(ids), share.WitnessCommitment(wids))
	s.Mined(sh, txs)
	if err := s.chain.Accept(sh); err != nil {
		t.Fatal(err)
	}
	s.Announce(sh.ID())
	return sh.ID()
}

// TestTransactionsFollowShares: through a node in between, which fetches what it
// lacks, to one that has everything; and not over a link of low bandwidth.
func TestTransactionsFollowShares(t *testing.T) {
	noLeaks(t)
	a := start(t, new(fakechain.Chain), nil)
	b := start(t, new(fakechain.Chain), dialing(a))
	c := start(t, new(fakechain.Chain), dialing(b))
	slow := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(b)(cfg)
		cfg.Mode = message.LowBandwidth
	})
	eventually(t, "peers", func() bool { return b.ConnectedCount() == 3 })
	a.mine(3, 1)
	eventually(t, "one tip", sameTip(a, b, c, slow))

	txs := testTxs(t, 0, 300)
	c.SetTemplate(txs)
	id := a.mineTxs(t, txs)
	eventually(t, "the list", func() bool { return c.txs.Has(id) && b.txs.Has(id) })
	if s := b.TxStats(); s.Fetched != 1 || s.Missing != 300 {
		t.Errorf("in between: %+v", s)
	}
	if s := c.TxStats(); s.AtOnce != 1 || s.Missing != 0 {
		t.Errorf("at the end: %+v", s)
	}
	// The other way round, with one new transaction.
	txs = append(testTxs(t, 1000, 1), txs...)
	id = c.mineTxs(t, txs)
	eventually(t, "the list", func() bool { return a.txs.Has(id) })
	if s := a.TxStats(); s.Fetched != 1 || s.Missing != 1 {
		t.Errorf("%+v", s)
	}
	if s := slow.TxStats(); s.Received != 0 || s.Lists != 0 {
		t.Errorf("over a slow link: %+v", s)
	}
}

// rawPeer is a connection whose handshake is done and whose messages are the test's.
type rawPeer struct {
	*testing.T
	conn   net.Conn
	server *testServer
}

func dialRaw(t *testing.T, s *testServer) *rawPeer {
	t.Helper()
	p := &rawPeer{T: t, conn: dial(t, s), server: s}
	v := s.version(12345)
	p.send(v)
	r := message.NewReader(p.conn, s.cfg.Params.Magic)
	for _, m := range []message.Message{nil, &message.VerAck{}} {
		if m != nil {
			p.send(m)
		}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *rawPeer) send(m message.Message) {
	p.Helper()
	frame, err := message.AppendFrame(nil, p.server.cfg.Params.Magic, m)
	if err == nil {
		_, err = p.conn.Write(frame)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// closed waits for the server to hang up.
func (p *rawPeer) closed() {
	p.Helper()
	p.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, p.conn); errors.Is(err, os.ErrDeadlineExceeded) {
		p.Error("not closed")
	}
}

// noBlocks is a Bitcoin node that knows no block.
type noBlocks struct{ err error }

func (n noBlocks) CheckBlock(*share.Share) error { return n.err }
func (n noBlocks) SubmitBlock(*compact.Block)    { panic("a block was submitted") }

// TestBlockWithoutWork: what is no share at all, or none with a body, is refused
// before anything is asked of the Bitcoin side.
func TestBlockWithoutWork(t *testing.T) {
	noLeaks(t)
	s := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Blocks = noBlocks{errors.New("asked")}
	})
	forged := s.chain.Next(7)
	coinbase := make([]byte, 100)
	for name, raw := range map[string][]byte{
		"no share":         make([]byte, 200),
		"no proof of work": forged.Encode(),
	} {
		t.Run(name, func(t *testing.T) {
			p := dialRaw(t, s)
			p.send(&message.Block{Share: raw, Coinbase: coinbase})
			p.closed()
		})
	}
	if st := s.TxStats(); st.Blocks != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSilentFetch: a list whose transactions never come is given up.
func TestSilentFetch(t *testing.T) {
	s := start(t, new(fakechain.Chain), nil)
	s.chain.Extend(3, 1)
	sh := s.chain.Next(1)
	if err := s.chain.Accept(sh); err != nil {
		t.Fatal(err)
	}
	p := dialRaw(t, s)
	p.send(&message.CmpctShare{ID: sh.ID(), List: message.TxList{Segments: []message.Segment{{Fresh: []message.ShortID{{1}}}}}})
	eventually(t, "an attempt", func() bool { return s.TxStats().Attempts == 1 })
	s.txs.Tick(time.Now().Add(time.Hour))
	if st := s.TxStats(); st.Attempts != 0 || st.Unanswered != 1 {
		t.Errorf("%+v", st)
	}
}

// TestVerifyTxs: who sends transactions of which Bitcoin would make no block is
// disconnected; what can't be judged is nobody's fault.
func TestVerifyTxs(t *testing.T) {
	noLeaks(t)
	verdicts := make(chan error, 2)
	judged := make(chan int, 2)
	a := start(t, new(fakechain.Chain), nil)
	b := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(a)(cfg)
		cfg.VerifyTxs = func(_ context.Context, _ *share.Share, txs []*compact.Tx) error {
			judged <- len(txs)
			return <-verdicts
		}
	})
	eventually(t, "a peer", func() bool { return b.ConnectedCount() == 1 })
	txs := testTxs(t, 0, 3)
	verdicts <- errors.New("the Bitcoin node is asleep")
	a.mineTxs(t, txs)
	if n := <-judged; n != len(txs) {
		t.Errorf("%d transactions were judged", n)
	}
	eventually(t, "the end of it", func() bool { return b.verifying.TryLock() })
	b.verifying.Unlock()
	id := b.Peers()[0].ID
	verdicts <- share.RuleError{Kind: "ErrTemplate", Description: "bad-txns"}
	a.mineTxs(t, txs[:2])
	eventually(t, "another connection", func() bool { list := b.Peers(); return len(list) == 0 || list[0].ID != id })
}

// anyBlocks takes every share for a block and counts what is submitted.
type anyBlocks struct{ n *atomic.Int64 }

func (anyBlocks) CheckBlock(*share.Share) error { return nil }
func (b anyBlocks) SubmitBlock(*compact.Block)  { b.n.Add(1) }

// block makes a Bitcoin block on a server's chain, with these transactions, that is no
// valid share.
func (s *testServer) block(txs []*compact.Tx) *compact.Block {
	chainID := &s.cfg.Params.ChainID
	payouts := make([]share.Payout, 12)
	sh := s.chain.Next(7)
	ids, wids := make([]chainhash.Hash, len(txs)), make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i], wids[i] = tx.TxID, tx.WTxID
	}
	c := share.WitnessCommitment(wids)
	sh.Branch, sh.Data.WitnessCommitment = share.MerkleBranch(ids), c[:]
	sh.SetCoinbase(chainID, 0, payouts)
	for {
		if _, err := sh.CheckSanity(chainID); err == nil {
			return &compact.Block{Share: sh, Coinbase: sh.Coinbase(chainID, 0, payouts), Txs: txs}
		}
		sh.Header.Nonce++
	}
}

// TestBlockOfInvalidShare: a Bitcoin block that is no valid share, as it pays its finder
// all, is passed on before it is judged: nobody is to blame for that.
func TestBlockOfInvalidShare(t *testing.T) {
	var submitted [2]atomic.Int64
	m := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.Blocks = anyBlocks{&submitted[0]} })
	n := start(t, new(fakechain.Chain), func(cfg *Config) { dialing(m)(cfg); cfg.Blocks = anyBlocks{&submitted[1]} })
	eventually(t, "a peer", func() bool { return n.ConnectedCount() == 1 && m.ConnectedCount() == 1 })
	m.mine(3, 1)
	eventually(t, "one tip", sameTip(m, n))
	before := n.Peers()[0].ID

	block := m.block(nil)
	a := dialRaw(t, m)
	a.send(&message.Block{Share: block.Share.Encode(), Coinbase: block.Coinbase})
	eventually(t, "both submit", func() bool { return submitted[0].Load() == 1 && submitted[1].Load() == 1 })
	m.mine(1, 2) // comes to n behind the block, which is judged by then
	eventually(t, "one tip", sameTip(m, n))
	if list := n.Peers(); len(list) == 0 || list[0].ID != before {
		t.Errorf("the honest relay was thrown out; now %d peers", len(list))
	}
}
