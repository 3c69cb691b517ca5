package mining

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// TestJobCoinbase compares the coinbase of jobs, for all classes and forms of
// payee, with the one a verifier rebuilds from the share, and with btcd's reading.
func TestJobCoinbase(t *testing.T) {
	f := newFixture(t)
	for _, payees := range []int{0, 1, 11, 40, 400, 1500} {
		scores := testScores(payees, payee)
		f.chain.set(func(c *fakeChain) { c.scores = scores })
		f.SetTemplate(f.template(3))
		for _, class := range share.Classes() {
			for i := range 5 {
				t.Run(fmt.Sprintf("%d payees, class %v, form %d", payees, class, i), func(t *testing.T) {
					checkJobCoinbase(t, f, scores, class, payee(10_000+i))
				})
			}
		}
	}
}

func checkJobCoinbase(t *testing.T, f *fixture, scores []payout.Score, class share.Class, payee []byte) {
	j := f.job(payee, class)
	if j.Class() != class {
		t.Fatalf("class %v", j.Class())
	}
	s := Solution{Extranonce: [share.ExtranonceSize]byte{0xab, 11: 0xcd}, Version: j.Version, Time: j.Time}
	sh := j.share(s)
	raw := slices.Concat(j.Coinb1(), s.Extranonce[:], j.Coinb2)

	result := payout.NewTable(scores).Compute(f.params, sh.Data.CoinbaseValue, class, &sh.Data.Previous)
	if !bytes.Equal(raw, sh.Coinbase(&f.params.ChainID, result.Finder, result.Payouts)) {
		t.Error("a verifier rebuilds another coinbase")
	}
	if err := sh.CheckPayouts(sh.Data.AppendCoinbasePrefix(nil, result.Finder, result.Payouts)); err != nil {
		t.Error(err)
	}
	if want := share.MerkleRoot(chainhash.DoubleHashH(raw), j.Branch); sh.Header.MerkleRoot != want {
		t.Errorf("merkle root %v, of the coinbase %v", sh.Header.MerkleRoot, want)
	}

	var tx wire.MsgTx
	r := bytes.NewReader(raw)
	if err := tx.Deserialize(r); err != nil || r.Len() != 0 {
		t.Fatalf("btcd cannot read the coinbase: %v, %d bytes are left", err, r.Len())
	}
	var sum int64
	for _, out := range tx.TxOut {
		sum += out.Value
	}
	if want := f.Template().CoinbaseValue; sum != want {
		t.Errorf("outputs pay %d sat of %d", sum, want)
	}
	if !bytes.Equal(tx.TxOut[0].PkScript, payee) || len(tx.TxOut) > class.Outputs()+2 {
		t.Errorf("%d outputs, the first pays %x", len(tx.TxOut), tx.TxOut[0].PkScript)
	}
	script := tx.TxIn[0].SignatureScript
	last := tx.TxOut[len(tx.TxOut)-1]
	commitment := sh.Data.Commitment(&f.params.ChainID)
	if !bytes.HasSuffix(script, []byte("/test/")) || last.Value != 0 || !bytes.HasSuffix(last.PkScript, append(commitment[:], s.Extranonce[:]...)) {
		t.Errorf("coinbase script %x, last output %+v", script, last)
	}
	if tx.LockTime != j.BitcoinHeight-1 || tx.TxHash() != chainhash.DoubleHashH(raw) {
		t.Errorf("lock time %d, hash %v", tx.LockTime, tx.TxHash())
	}
}

// TestJobsShareTheirBytes: the jobs of one work differ in the commitment and the
// finder's output only.
func TestJobsShareTheirBytes(t *testing.T) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(100, payee) })
	f.SetTemplate(f.template(3))
	a, b := f.job(payee(0), share.Class144), f.job(payee(5), share.Class144)
	if len(a.Coinb1()) != len(b.Coinb1()) || a.Shared != b.Shared || bytes.Equal(a.Tail, b.Tail) || !bytes.Equal(a.Coinb2, b.Coinb2) || len(a.Coinb2) != 4 {
		t.Error("the heads differ in length, or not at all, or the tails do")
	}
	without := func(j *Job) []byte {
		return bytes.Replace(j.Head, j.data.Payee, nil, 1)
	}
	if !bytes.Equal(without(a), without(b)) {
		t.Error("the heads differ behind the finder's output and before the commitment")
	}
}

func TestJobFields(t *testing.T) {
	f := newFixture(t)
	tmpl := f.template(2)
	f.SetTemplate(tmpl)
	j := f.job(payee(0), share.Class12)
	if j.PrevBlock != tmpl.PrevBlock || j.Bits != tmpl.Bits || j.BitcoinHeight != tmpl.Height || j.ShareHeight != 0 {
		t.Errorf("%+v", j)
	}
	if j.Version&versionMask != 0 || j.Version != versionBase {
		t.Errorf("version %08x has bits that devices roll", j.Version)
	}
	if j.MinTime != tmpl.MinTime || j.Time != tmpl.CurTime || j.MaxTime != tmpl.CurTime+rollTime {
		t.Errorf("times %d, %d, %d", j.MinTime, j.Time, j.MaxTime)
	}
	if j.ShareTarget != f.chain.tip.NextTarget || !j.BlockTarget.Lt(&j.ShareTarget) {
		t.Errorf("targets %v, %v", j.ShareTarget, j.BlockTarget)
	}
	f.clock.advance(90 * time.Second)
	if j := f.job(payee(0), share.Class12); j.Time != tmpl.CurTime+90 || j.MaxTime != tmpl.CurTime+rollTime {
		t.Errorf("90 s later: times %d, %d", j.Time, j.MaxTime)
	}
	f.clock.advance(-10 * time.Minute)
	if j := f.job(payee(0), share.Class12); j.Time != tmpl.CurTime {
		t.Errorf("after the clock was set back: time %d", j.Time)
	}
	f.clock.advance(24 * time.Hour)
	if j := f.job(payee(0), share.Class12); j.Time != j.MaxTime {
		t.Errorf("a day later: times %d, %d", j.Time, j.MaxTime)
	}

	slow := f.template(2)
	slow.CurTime = slow.MinTime
	f.SetTemplate(slow)
	if j := f.job(payee(0), share.Class12); j.Time != slow.MinTime || j.Time < j.MinTime {
		t.Errorf("times %d, %d", j.MinTime, j.Time)
	}
	h := j.Header([share.ExtranonceSize]byte{}, j.Version|versionMask, j.MaxTime, 7)
	if h.PrevBlock != j.PrevBlock || uint32(h.Timestamp.Unix()) != j.MaxTime || h.Nonce != 7 || h.Bits != j.Bits || h.Version != 0x3fffe000 {
		t.Errorf("header %+v", h)
	}
}

// TestMinDifficultyNetwork: where a header's time changes the bits Bitcoin
// demands, devices must not roll it.
func TestMinDifficultyNetwork(t *testing.T) {
	f := newFixture(t)
	bitcoin := *f.params.Bitcoin
	bitcoin.ReduceMinDifficulty, bitcoin.PoWNoRetargeting = true, false
	f.params.Bitcoin = &bitcoin
	f.SetTemplate(f.template(0))
	if j := f.job(payee(0), share.Class12); j.MaxTime != j.Time+rollTime {
		t.Errorf("at the limit's bits: times %d to %d", j.Time, j.MaxTime)
	}
	bitcoin.PowLimitBits = 0x20ffffff // the template's are harder now
	f.SetTemplate(f.template(0))
	if j := f.job(payee(0), share.Class12); j.MaxTime != j.Time {
		t.Errorf("times %d to %d", j.Time, j.MaxTime)
	}
}

func TestJobRefusals(t *testing.T) {
	f := newFixture(t)
	f.SetTemplate(f.template(0))
	w := f.Work()
	if _, err := w.Job([]byte{0x6a}, share.Class12); err == nil {
		t.Error("OP_RETURN was taken for a payee")
	}
	if _, err := w.Job(payee(0), share.Class(5)); err == nil {
		t.Error("class 5 does not exist")
	}
	if _, err := w.Payouts(share.Class(200)); err == nil {
		t.Error("payouts of a class that does not exist")
	}
	j := f.job(payee(0), share.Class12)
	for _, wrong := range []payout.Result{
		{Finder: j.data.CoinbaseValue - 1},
		{Finder: -1, Payouts: []share.Payout{{Amount: j.data.CoinbaseValue + 1}}},
		{Finder: j.data.CoinbaseValue, Payouts: []share.Payout{{Amount: 1}}},
	} {
		if err := j.audit(&classWork{result: wrong}); err == nil {
			t.Errorf("%+v passed", wrong)
		}
	}
}

// TestNoPayouts: without payouts there is no work, and the next is none the worse.
func TestNoPayouts(t *testing.T) {
	f := newFixture(t)
	lost := errors.New("share is unknown")
	f.chain.set(func(c *fakeChain) { c.err = lost })
	f.SetTemplate(f.template(1))
	if f.Work() != nil || f.Reason() != lost.Error() {
		t.Errorf("work %v, reason %q", f.Work(), f.Reason())
	}
	f.chain.set(func(c *fakeChain) { c.err = nil })
	f.ChainChanged()
	f.job(payee(0), share.Class12)
	if r, err := f.Work().Payouts(share.Class12); err != nil || r.Finder != f.Template().CoinbaseValue {
		t.Errorf("payouts %+v, %v", r, err)
	}
}

// TestJobKeepsItsPayee: a caller that reuses its slice does not change the job.
func TestJobKeepsItsPayee(t *testing.T) {
	f := newFixture(t)
	f.SetTemplate(f.template(0))
	script := payee(1)
	j := f.job(script, share.Class12)
	clear(script[2:])
	if !bytes.Equal(j.share(Solution{}).Data.Payee, payee(1)) {
		t.Error("the job's payee has changed")
	}
}

// TestClassFallsBack: where weight or signature operations don't reach, jobs get
// the largest class that fits.
func TestClassFallsBack(t *testing.T) {
	tests := []struct {
		name   string
		script func(int) []byte
		change func(*Template)
		want   share.Class // an invalid one if no class fits
	}{
		{"room", payee, func(*Template) {}, share.Class1152},
		// A P2TR output weighs 43·4 = 172, the rest of the block at most 332
		// for the header, 4·244 for the coinbase and the finder, 36 for its witness.
		{"room for 288", p2tr, func(t *Template) { t.WeightLimit = 172*288 + 1344 }, share.Class288},
		{"room for 36", p2tr, func(t *Template) { t.WeightLimit = 172*100 + 1344 }, share.Class36},
		{"room for 12", p2tr, func(t *Template) { t.WeightLimit = 172*12 + 1344 }, share.Class12},
		{"room for 11", p2tr, func(t *Template) { t.WeightLimit = 172*12 + 1343 }, 99},
		{"no room", p2tr, func(t *Template) { t.WeightLimit = 100 }, 99},
		// A P2PKH output costs 4, and the finder's may be one.
		{"sigops for 144", p2pkh, func(t *Template) { t.SigopLimit = 4 * 145 }, share.Class144},
		{"one sigop less", p2pkh, func(t *Template) { t.SigopLimit = 4*145 - 1 }, share.Class36},
		{"sigops don't matter", p2tr, func(t *Template) { t.SigopLimit = 4 }, share.Class1152},
		{"no sigops", p2tr, func(t *Template) { t.SigopLimit = 3 }, 99},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.chain.set(func(c *fakeChain) { c.scores = testScores(2000, test.script) })
			tmpl := f.template(0)
			test.change(tmpl)
			f.SetTemplate(tmpl)
			j, err := f.tryJob(payee(2), share.Class1152)
			if !test.want.Valid() {
				if err == nil || !strings.Contains(err.Error(), "blockreservedweight") {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if j.Class() != test.want || j.share(Solution{}).Data.Class != test.want {
				t.Fatalf("class %v, want %v", j.Class(), test.want)
			}
		})
	}
}

// p2tr and p2pkh make payees of one form.
func p2tr(i int) []byte  { return payee(5*i + 1) }
func p2pkh(i int) []byte { return payee(5*i + 2) }

// TestSignalledBits: whatever a device rolls, the bits that are said to be set are.
func TestSignalledBits(t *testing.T) {
	f := newFixture(t)
	tmpl := f.template(1)
	tmpl.Version = 0x3fffffff // as if all soft forks were signalled
	f.SetTemplate(tmpl)
	if j := f.job(payee(0), share.Class12); uint32(j.Version)&SignalledBits != SignalledBits || SignalledBits&versionMask != 0 {
		t.Errorf("version %08x", j.Version)
	}
}
