package compact

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestSpreads: through a chain of nodes that know nothing, all transactions are
// fetched; then the next share is named by the one before.
func TestSpreads(t *testing.T) {
	w := newNet(t, 4, chained)
	txs := transactions(50)
	w.complete(w.mine(0, txs), txs, 0, 1, 2, 3)
	if s := w.nodes[3].Stats(); s.Fetched != 1 || s.Missing != 50 {
		t.Errorf("first share: %+v", s)
	}
	before := slices.Clone(w.bytes)
	txs = slices.Concat(txs[:20], transactions(1), txs[20:])
	w.complete(w.mine(3, txs), txs, 0, 1, 2, 3)
	if n := w.bytes[3] - before[3]; n > 800 { // a list, and one transaction
		t.Errorf("the second share took %d bytes", n)
	}
}

// TestTemplateHelps: what a node's own template has is not asked for.
func TestTemplateHelps(t *testing.T) {
	w := newNet(t, 2, meshed)
	txs := transactions(200)
	w.nodes[1].SetTemplate(txs[:199])
	w.complete(w.mine(0, txs), txs, 1)
	if s := w.nodes[1].Stats(); s.Missing != 1 || s.Received != 1 {
		t.Errorf("%+v", s)
	}
	w.nodes[1].SetTemplate(txs)
	w.complete(w.mine(0, slices.Concat(txs[100:], txs[:100])), slices.Concat(txs[100:], txs[:100]), 1)
	if s := w.nodes[1].Stats(); s.AtOnce != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNoTransactions(t *testing.T) {
	w := newNet(t, 2, meshed)
	w.complete(w.mine(0, nil), nil, 1)
}

// TestLostBase: a receiver that doesn't have the base asks for the whole list.
func TestLostBase(t *testing.T) {
	w := newNet(t, 2, meshed)
	txs := transactions(30)
	w.drop = func(from, to int, m message.Message) bool { return true }
	w.mine(0, txs)
	w.drop = nil
	w.nodes[1].SetTemplate(txs)
	w.complete(w.mine(0, txs), txs, 1)
	if s := w.nodes[1].Stats(); s.NoBase != 1 || s.Second != 1 || s.Missing != 0 {
		t.Errorf("%+v", s)
	}
}

// TestCollidingID: a wrong transaction in the place of another is noticed, and the
// list fetched with other ids, without blame.
func TestCollidingID(t *testing.T) {
	w := newNet(t, 2, meshed)
	txs := transactions(30)
	w.nodes[1].SetTemplate(txs)
	wrong := transactions(1)
	s := w.share(txs)
	id := s.ID()
	w.nodes[0].Mined(id, s.Data.Height, txs)
	// A list with another transaction, as if its short id were the same.
	forged := slices.Concat(txs[:10], wrong, txs[11:])
	w.nodes[1].SetTemplate(slices.Concat(forged, txs))
	list := message.TxList{Nonce: 7, Segments: segments(forged, nil, newIDKey(&id, 7))}
	w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: list}}})
	w.run()
	w.complete(id, txs, 1)
	if s := w.nodes[1].Stats(); s.Mismatched != 1 || s.Second != 1 {
		t.Errorf("%+v", s)
	}
}

func TestReconstructionRate(t *testing.T) {
	if none, some := (&Stats{}), (&Stats{AtOnce: 3, Fetched: 1}); none.ReconstructionRate() != 0 || some.ReconstructionRate() != 0.75 {
		t.Errorf("%v and %v", none.ReconstructionRate(), some.ReconstructionRate())
	}
}

// TestUnknownShare: nothing is done for a share that isn't known as valid.
func TestUnknownShare(t *testing.T) {
	w := newNet(t, 2, meshed)
	id := chainhash.Hash{1}
	list := message.TxList{Segments: []message.Segment{{Fresh: make([]message.ShortID, 1000)}}}
	w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: list}}})
	w.run()
	if s := w.nodes[1].Stats(); s.Received != 0 || len(w.errs) > 0 || w.bytes[1] > 0 {
		t.Errorf("%+v, %v", s, w.errs)
	}
}

// TestLiars: each lie is either blamed or bounded, and the honest peer serves all
// the same.
func TestLiars(t *testing.T) {
	lie := func(change func(id chainhash.Hash, m *message.ShareTxn)) func(*net, chainhash.Hash, []*Tx) {
		return func(w *net, id chainhash.Hash, txs []*Tx) {
			list := message.TxList{Segments: segments(txs, nil, newIDKey(&id, 0))}
			w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: list}}})
			var raw [][]byte
			for _, tx := range txs {
				raw = append(raw, tx.Raw)
			}
			m := &message.ShareTxn{ID: id, Raw: raw}
			change(id, m)
			w.send(0, []Send{{1, m}})
		}
	}
	tests := []struct {
		name  string
		do    func(*net, chainhash.Hash, []*Tx)
		blame share.ErrorKind
	}{
		{"another transaction", lie(func(_ chainhash.Hash, m *message.ShareTxn) { m.Raw[3] = transactions(1)[0].Raw }), ErrTxn},
		{"the same twice", lie(func(_ chainhash.Hash, m *message.ShareTxn) { m.Raw[3] = m.Raw[2] }), ErrTxn},
		{"no transaction", lie(func(_ chainhash.Hash, m *message.ShareTxn) { m.Raw[0] = make([]byte, 100) }), ErrTxn},
		{"too many", lie(func(_ chainhash.Hash, m *message.ShareTxn) { m.Raw = append(m.Raw, m.Raw[0]) }), ErrTxn},
		{"not from the beginning", lie(func(_ chainhash.Hash, m *message.ShareTxn) { m.First = 1; m.Raw = m.Raw[1:] }), ErrTxn},
		{"never answers", lie(func(id chainhash.Hash, m *message.ShareTxn) { m.ID = chainhash.Hash{9} }), ""},
		{"a base that is too short", func(w *net, id chainhash.Hash, txs []*Tx) {
			base := w.share(txs[:3])
			w.nodes[1].Mined(base.ID(), base.Data.Height, txs[:3])
			w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: message.TxList{Base: base.ID(), Segments: []message.Segment{{Copy: 4}}}}}})
		}, ErrTxList},
		{"another list, twice", func(w *net, id chainhash.Hash, txs []*Tx) {
			l := message.TxList{Segments: segments(txs[1:], nil, newIDKey(&id, 0))}
			w.nodes[1].SetTemplate(txs)
			w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: l}}, {1, &message.CmpctShare{ID: id, List: l}}})
		}, ""},
		{"repeated tail", func(w *net, id chainhash.Hash, txs []*Tx) {
			l := message.TxList{Segments: segments(txs, nil, newIDKey(&id, 0))}
			l.Segments[0].Fresh = append(l.Segments[0].Fresh, l.Segments[0].Fresh[len(txs)-1])
			w.nodes[1].SetTemplate(txs)
			w.send(0, []Send{{1, &message.CmpctShare{ID: id, List: l}}, {1, &message.CmpctShare{ID: id, List: l}}})
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newNet(t, 3, func(a, b int) bool { return a == 1 || b == 1 })
			txs := transactions(10)
			s := w.share(txs)
			// Node 0's messages are all the test's.
			w.drop = func(from, to int, m message.Message) bool { return to == 0 }
			test.do(w, s.ID(), txs)
			w.run()
			if w.nodes[1].list(s.ID()) != nil {
				t.Error("the lie was taken")
			}
			switch {
			case test.blame == "" && len(w.errs) > 0:
				t.Errorf("blamed: %v", w.errs)
			case test.blame != "" && (len(w.errs) != 1 || !isKind(w.errs[0], test.blame)):
				t.Errorf("%v, want %v", w.errs, test.blame)
			}
			w.errs = nil
			w.nodes[2].Mined(s.ID(), s.Data.Height, txs)
			w.send(2, w.nodes[2].Announce(s.ID(), w.everybody()))
			w.run()
			w.complete(s.ID(), txs, 1)
			w.now = w.now.Add(attemptTimeout)
			w.nodes[1].Tick(w.now)
			if s := w.nodes[1].Stats(); s.Attempts != 0 || w.nodes[1].held != 0 {
				t.Errorf("left behind: %+v, %d bytes", s, w.nodes[1].held)
			}
		})
	}
}

func isKind(err error, kind share.ErrorKind) bool {
	rule, ok := err.(share.RuleError)
	return ok && rule.Kind == kind
}

// TestOnlyOutboundTakesTheLastPlace: silent inbound peers leave room for one that
// this node dialed.
func TestOnlyOutboundTakesTheLastPlace(t *testing.T) {
	w := newNet(t, 6, func(a, b int) bool { return a == 4 || b == 4 }) // 4 dialed 5, the others dialed 4
	txs := transactions(10)
	s := w.share(txs)
	id := s.ID()
	w.drop = func(from, to int, m message.Message) bool { return to < 4 }
	for n := range 4 {
		list := message.TxList{Segments: segments(txs, nil, newIDKey(&id, 0))}
		w.send(n, []Send{{4, &message.CmpctShare{ID: id, List: list}}})
	}
	w.run()
	if n := w.nodes[4].Stats().Attempts; n != maxAttempts-1 {
		t.Errorf("%d attempts", n)
	}
	w.nodes[5].Mined(id, s.Data.Height, txs)
	w.send(5, w.nodes[5].Announce(id, w.everybody()))
	w.run()
	w.complete(id, txs, 4)
}

// TestAnswersAreBounded: nobody gets the same again and again.
func TestAnswersAreBounded(t *testing.T) {
	w := newNet(t, 2, meshed)
	txs := transactions(10)
	id := w.mine(0, txs)
	sent := 0
	for range 100 {
		out, err := w.nodes[0].Answer(1, &message.GetShareTxn{ID: id, Indexes: []int{9}})
		if err != nil {
			t.Fatal(err)
		}
		sent += len(out)
	}
	if sent > maxAnswered {
		t.Errorf("%d answers", sent)
	}
	w2 := newNet(t, 2, meshed)
	id = w2.mine(0, txs)
	if _, err := w2.nodes[0].Answer(1, &message.GetShareTxn{ID: id, Indexes: []int{10}}); !isKind(err, ErrTxList) {
		t.Errorf("place behind the list: %v", err)
	}
}

// TestLongAnswers: many and long transactions come in several messages, and one
// that cannot be sent leaves its share without a list.
func TestLongAnswers(t *testing.T) {
	w := newNet(t, 2, meshed)
	txs := slices.Concat(transactions(500), []*Tx{transaction(1<<40, 900_000)}, transactions(500))
	w.complete(w.mine(0, txs), txs, 1)
	txs = []*Tx{transaction(1<<41, 1_100_000)}
	if id := w.mine(0, txs); w.nodes[1].list(id) != nil || len(w.errs) > 0 {
		t.Errorf("a transaction that cannot be sent came; %v", w.errs)
	}
}

// TestMemory: neither lists nor templates nor attempts grow without bound.
func TestMemory(t *testing.T) {
	w := newNet(t, 2, meshed)
	big := func(seed uint64) []*Tx {
		return []*Tx{transaction(seed<<20, 990_000), transaction(seed<<20+2, 990_000), transaction(seed<<20+4, 990_000)}
	}
	for i := range uint64(20) {
		w.nodes[1].SetTemplate(big(1000 + i))
		w.mine(0, big(i+1))
		s := w.nodes[1].Stats()
		if s.PoolBytes > maxPoolBytes+3_000_000 || s.Lists > maxLists {
			t.Fatalf("%+v", s)
		}
	}
	// Peers that never send the last transaction.
	w = newNet(t, 12, func(a, b int) bool { return a == 11 || b == 11 })
	w.drop = func(from, to int, m message.Message) bool { return to != 11 }
	for i := range uint64(20) {
		txs := big(2000 + i)
		id := w.share(txs).ID()
		for n := range 11 {
			w.send(n, []Send{
				{11, &message.CmpctShare{ID: id, List: message.TxList{Segments: segments(txs, nil, newIDKey(&id, 0))}}},
				{11, &message.ShareTxn{ID: id, Raw: [][]byte{txs[0].Raw}}},
				{11, &message.ShareTxn{ID: id, First: 1, Raw: [][]byte{txs[1].Raw}}},
			})
		}
		w.run()
		if held := w.nodes[11].held; held > maxAttemptBytes || held < 0 {
			t.Fatalf("%d bytes in %d attempts", held, len(w.nodes[11].attempts))
		}
	}
	for n := range 11 {
		w.nodes[11].Disconnected(PeerID(n))
	}
	if r := w.nodes[11]; r.held != 0 || len(r.attempts) != 0 {
		t.Errorf("%d bytes in %d attempts stay", r.held, len(r.attempts))
	}
}

// mempool imitates the part of a mempool that a block takes: 4,000 transactions by
// fee rate, of which 70 a share interval are new (7 a second, Bitcoin's average of
// recent years) and push as many out at the end.
type mempool struct {
	rand *rand.Rand
	txs  []*Tx
	rate map[*Tx]float64
}

func newMempool(n int) *mempool {
	m := &mempool{rand: rand.New(rand.NewPCG(1, 2)), rate: make(map[*Tx]float64)}
	m.add(n)
	return m
}

func (m *mempool) add(n int) {
	for _, tx := range transactions(n) {
		m.rate[tx] = m.rand.Float64()
		m.txs = append(m.txs, tx)
	}
	slices.SortFunc(m.txs, func(a, b *Tx) int {
		if m.rate[a] > m.rate[b] {
			return -1
		}
		return 1
	})
}

// template is a miner's view: he hasn't seen some of the newest.
func (m *mempool) template(r *rand.Rand) []*Tx {
	var list []*Tx
	for _, tx := range m.txs {
		if r.IntN(200) > 0 {
			list = append(list, tx)
		}
	}
	return list[:min(len(list), 4000)]
}

// TestBytesPerShare is the promise on traffic: with 4,000 transactions, successive
// shares of different miners cost at most 3 kB on each link, the share itself
// included.
func TestBytesPerShare(t *testing.T) {
	const nodes, shares = 4, 30
	w := newNet(t, nodes, chained)
	pool := newMempool(4300)
	views := make([]*rand.Rand, nodes)
	for i := range views {
		views[i] = rand.New(rand.NewPCG(uint64(i), 0))
	}
	for range 3 { // the first shares find nothing in common
		w.mine(0, pool.template(views[0]))
	}
	clear(w.bytes)
	total := 0
	for i := range shares {
		pool.add(70)
		for n := range nodes {
			w.nodes[n].SetTemplate(pool.template(views[n]))
		}
		txs := pool.template(views[i%nodes])
		w.complete(w.mine(i%nodes, txs), txs, 0, 1, 2, 3)
	}
	for _, n := range w.bytes {
		total += n
	}
	perLink := total/shares/(nodes-1) + message.HeaderSize + 3 + share.MaxEncodedSize
	s := w.nodes[0].Stats()
	t.Logf("%d bytes for each share and link, the longest share included; complete at once %d, fetched %d, from the second list %d; %d transactions of %d bytes fetched",
		perLink, s.AtOnce, s.Fetched, s.Second, s.Missing, s.FetchedBytes)
	if perLink > 3000 {
		t.Errorf("%d bytes for each share and link, more than 3,000", perLink)
	}
}

// BenchmarkList measures what a node does for a share of 4,000 transactions.
func BenchmarkList(b *testing.B) {
	pool := newMempool(4300)
	r := rand.New(rand.NewPCG(1, 1))
	old, txs := pool.template(r), pool.template(r)
	w := newNet(nil, 2, meshed)
	for _, n := range w.nodes {
		n.SetTemplate(txs)
	}
	first := w.share(old)
	w.nodes[0].Mined(first.ID(), 1, old)
	w.nodes[1].Mined(first.ID(), 1, old)
	w.nodes[0].peers[1].told.add(first.ID())
	for b.Loop() {
		s := w.share(txs)
		id := s.ID()
		w.height = 1
		w.nodes[0].Mined(id, 1, txs)
		out := w.nodes[0].Announce(id, []PeerID{1})
		if _, err := w.nodes[1].List(w.now, 0, out[0].Message.(*message.CmpctShare)); err != nil || w.nodes[1].list(id) == nil {
			b.Fatal(err, w.nodes[1].Stats())
		}
	}
}
