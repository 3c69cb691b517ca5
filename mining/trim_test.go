package mining

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/share"
)

// randomTemplate draws a template whose transactions depend on each other, as nodes
// make them: packages of a child and the parents that it pays for, and transactions
// that need others from anywhere before.
func randomTemplate(r *rand.Rand, f *fixture) *Template {
	t := f.template(0)
	subsidy := t.CoinbaseValue
	n := r.IntN(40)
	if r.IntN(10) == 0 {
		n = r.IntN(400)
	}
	for i := range n {
		var tx TemplateTx
		binary.LittleEndian.PutUint64(tx.TxID[:], r.Uint64())
		tx.WTxID = tx.TxID
		if r.IntN(2) == 0 {
			tx.WTxID[31] = 1
		}
		tx.Weight = MinTxWeight + r.Int64N(4_000)
		if r.IntN(50) == 0 {
			tx.Weight += r.Int64N(300_000)
		}
		tx.Sigops, tx.Fee = r.Int64N(20), r.Int64N(100_000)
		if i > 0 && r.IntN(3) == 0 {
			for d := i - 1; d >= 0 && r.IntN(3) > 0; d-- {
				tx.Depends = append(tx.Depends, d)
			}
		}
		if i > 0 && r.IntN(5) == 0 {
			tx.Depends = append(tx.Depends, r.IntN(i))
		}
		slices.Sort(tx.Depends)
		tx.Depends = slices.Compact(tx.Depends)
		t.Txs = append(t.Txs, tx)
		t.CoinbaseValue += tx.Fee
	}
	t.WeightLimit = min(DefaultWeightLimit, t.Weight()+1+r.Int64N(250_000)>>r.IntN(8))
	t.SigopLimit = min(DefaultSigopLimit, t.Sigops()+1+r.Int64N(6_000)>>r.IntN(8))
	if subsidy < 0 {
		panic("no subsidy")
	}
	return t
}

// TestRandomTemplates: whatever the node proposes, each class gets a job or a smaller
// one, nothing that the audit refuses, and no transaction without those it needs. The
// environment's P2POOL_TEMPLATES sets the number.
func TestRandomTemplates(t *testing.T) {
	count := 20_000
	if n, err := strconv.Atoi(os.Getenv("P2POOL_TEMPLATES")); err == nil {
		count = n
	}
	f := newFixture(t)
	r := rand.New(rand.NewPCG(1, 2))
	jobs, trimmed, smaller, refused := 0, 0, 0, 0
	for i := range count {
		if i%500 == 0 {
			scores := testScores(r.IntN(1300), []func(int) []byte{payee, p2tr, p2pkh}[r.IntN(3)])
			f.chain.set(func(c *fakeChain) { c.scores = scores })
		}
		tmpl := randomTemplate(r, f)
		f.SetTemplate(tmpl)
		w := f.Work()
		if w == nil {
			refused++ // no room even for the smallest class
			continue
		}
		asked := share.Class(r.IntN(5))
		j, err := w.Job(payee(9_999), asked)
		if err != nil {
			t.Fatalf("template %d, class %v: %v", i, asked, err)
		}
		jobs++
		if j.Class() < asked {
			smaller++
		}
		if j.template != tmpl {
			trimmed++
			checkTrimmed(t, tmpl, j.template)
		}
	}
	t.Logf("%d templates: %d jobs, %d with fewer transactions, %d of a smaller class; %d without room", count, jobs, trimmed, smaller, refused)
	if trimmed == 0 || smaller == 0 || refused*2 > count {
		t.Error("the templates don't try what they should")
	}
}

// checkTrimmed compares a template with what was left of it.
func checkTrimmed(t rapid.TB, full, left *Template) {
	t.Helper()
	if full.CoinbaseValue-full.Fees() != left.CoinbaseValue-left.Fees() {
		t.Fatalf("the subsidy has become %d sat", left.CoinbaseValue-left.Fees())
	}
	at := 0
	for i, tx := range left.Txs {
		for full.Txs[at].TxID != tx.TxID { // order is kept
			at++
		}
		if len(full.Txs[at].Depends) != len(tx.Depends) {
			t.Fatalf("transaction %d needs others than before", i)
		}
		for k, d := range tx.Depends {
			if d >= i || left.Txs[d].TxID != full.Txs[full.Txs[at].Depends[k]].TxID {
				t.Fatalf("transaction %d needs %d, which is another", i, d)
			}
		}
	}
}

// TestTrim: the least is given up, and nothing without what needs it.
func TestTrim(t *testing.T) {
	type tx struct {
		weight, fee int64
		depends     []int
	}
	tests := []struct {
		name   string
		txs    []tx
		weight int64
		left   []int // nil: it can't be done
	}{
		{"nothing to do", []tx{{10, 20, nil}, {10, 10, nil}}, 0, []int{0, 1}},
		{"the last one", []tx{{10, 20, nil}, {10, 10, nil}}, 1, []int{0}},
		{"as many as needed", []tx{{10, 40, nil}, {10, 30, nil}, {10, 20, nil}, {10, 10, nil}}, 11, []int{0, 1}},
		{"an ancestor that pays for itself stays", []tx{{10, 40, nil}, {10, 30, nil}, {10, 10, []int{1}}}, 10, []int{0, 1}},
		{"so does a chain of them", []tx{{10, 40, nil}, {10, 30, []int{0}}, {10, 20, []int{1}}, {10, 10, []int{0, 2}}}, 20, []int{0, 1}},
		{"what its child pays for goes with it", []tx{{10, 200, nil}, {10, 1, nil}, {10, 100, []int{1}}}, 20, []int{0}},
		{"the child alone, if that is enough", []tx{{10, 200, nil}, {10, 1, nil}, {10, 100, []int{1}}}, 10, []int{0, 1}},
		{"two children of one", []tx{{10, 1, nil}, {10, 100, []int{0}}, {10, 50, []int{0}}}, 11, []int{0}},
		{"a small one before a large one", []tx{{10, 90, nil}, {10, 50, nil}, {100, 200, nil}}, 10, []int{0, 2}},
		{"unless that needs it", []tx{{10, 90, nil}, {10, 50, nil}, {100, 200, []int{1}}}, 10, []int{1, 2}},
		{"what went for nothing comes back", []tx{{50, 200, nil}, {10, 40, nil}, {20, 10, nil}}, 50, []int{1, 2}},
		{"all", []tx{{10, 20, nil}, {10, 10, nil}}, 20, []int{}},
		{"more than there is", []tx{{10, 20, nil}, {10, 10, nil}}, 21, nil},
	}
	for _, test := range tests {
		full := &Template{CoinbaseValue: 50}
		for i, tx := range test.txs {
			full.Txs = append(full.Txs, TemplateTx{TxID: chainhash.Hash{byte(i)}, Weight: tx.weight, Fee: tx.fee, Depends: tx.depends})
			full.CoinbaseValue += tx.fee
		}
		got := full.trim(test.weight, 0)
		if (got == nil) != (test.left == nil) {
			t.Errorf("%s: %v", test.name, got)
			continue
		}
		if got == nil {
			continue
		}
		left := []int{}
		for _, tx := range got.Txs {
			left = append(left, int(tx.TxID[0]))
		}
		if !slices.Equal(left, test.left) || got.Subsidy() != 50 {
			t.Errorf("%s: %v is left of a subsidy of %d, want %v", test.name, left, got.Subsidy(), test.left)
		}
	}
}

// TestTrimLeavesGiants: a transaction that takes most of the block is not given up for
// a few outputs; what comes before it, and isn't needed by it, is.
func TestTrimLeavesGiants(t *testing.T) {
	full := &Template{Txs: []TemplateTx{
		{TxID: chainhash.Hash{0}, Weight: 1_000}, {TxID: chainhash.Hash{1}, Weight: 1_000},
		{TxID: chainhash.Hash{2}, Weight: 3_000_000, Depends: []int{0}},
	}}
	got := full.trim(1_000, 0)
	if got == nil || len(got.Txs) != 2 || got.Txs[1].TxID != full.Txs[2].TxID || got.Txs[1].Depends[0] != 0 {
		t.Errorf("%+v", got)
	}
	if got := full.trim(3_000, 0); got != nil {
		t.Errorf("%d transactions are left", len(got.Txs))
	}
}

// TestTrimmedBlock: the block of a job whose transactions made room for 144 outputs
// is valid to btcd, and every satoshi is there.
func TestTrimmedBlock(t *testing.T) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, p2tr) })
	tmpl := f.template(300)
	tmpl.WeightLimit = tmpl.Weight() + 8_000
	f.SetTemplate(tmpl)
	for _, class := range share.Classes() {
		j := f.job(p2tr(9000), class)
		w, _ := cost(t, j)
		t.Logf("class %v: %d of %d transactions, %d sat of %d, weight %d of %d", j.Class(), len(j.template.Txs), len(tmpl.Txs),
			j.data.CoinbaseValue, tmpl.CoinbaseValue, w, tmpl.WeightLimit)
		if j.Class() == class && class > share.Class36 && len(j.template.Txs) == len(tmpl.Txs) || w > tmpl.WeightLimit {
			t.Errorf("class %v: %d transactions, weight %d", class, len(j.template.Txs), w)
		}
		s := solve(t, j, meets(&j.ShareTarget, nil))
		block := checkBlock(t, f.Generator, j.block(s).Bytes(), int32(j.BitcoinHeight))
		var paid int64
		for _, out := range block.Transactions()[0].MsgTx().TxOut {
			paid += out.Value
		}
		if paid != j.template.CoinbaseValue || paid != tmpl.Subsidy()+j.template.Fees() {
			t.Errorf("class %v pays %d sat", class, paid)
		}
	}
}

// TestAudit: what doesn't agree with itself leaves nobody's hands.
func TestAudit(t *testing.T) {
	f := newFixture(t)
	for name, spoil := range map[string]func(*variant){
		"fees":        func(v *variant) { v.CoinbaseValue = v.Fees() - 1 },
		"weight":      func(v *variant) { v.WeightLimit = v.Weight() - 1 },
		"sigops":      func(v *variant) { v.SigopLimit = v.Sigops() - 1 },
		"branch":      func(v *variant) { v.branch = slices.Clone(v.branch); v.branch[1][0]++ },
		"commitment":  func(v *variant) { v.commitment[0]++ },
		"transaction": func(v *variant) { v.Txs = v.Txs[:len(v.Txs)-1] },
		"order":       func(v *variant) { v.Txs[0].Depends = []int{0} },
	} {
		v, err := newVariant(f.template(5))
		if err != nil {
			t.Fatal(err)
		}
		v.Txs = slices.Clone(v.Txs)
		if spoil(v); v.audit() == nil {
			t.Errorf("wrong %s passed", name)
		}
	}
}

// TestAuditTrimmed: a transaction that was left without one that it needs is noticed,
// whichever it is.
func TestAuditTrimmed(t *testing.T) {
	f := newFixture(t)
	for parent := range 4 {
		for child := parent + 1; child < 5; child++ {
			tmpl := f.template(5)
			tmpl.Txs[child].Depends = []int{parent}
			marked := make([]bool, len(tmpl.Txs))
			marked[parent] = true
			if _, err := newVariant(tmpl.drop(marked)); err == nil {
				t.Errorf("transaction %d passed without %d", child, parent)
			}
			marked[child] = true
			if _, err := newVariant(tmpl.drop(marked)); err != nil {
				t.Error(err)
			}
		}
	}
}
