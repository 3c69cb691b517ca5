package mining

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// next returns rules for a block on regtest.
func next(height uint32) blockchain.NextBitcoin {
	return blockchain.NextBitcoin{Height: height, Bits: 0x207fffff, MinTime: 1_699_999_000}
}

// TestEmptyTemplate checks every field, and the subsidy of each network.
func TestEmptyTemplate(t *testing.T) {
	previous := testTemplate(t, 3)
	previous.Rules, previous.WeightLimit, previous.SigopLimit = []string{"!segwit"}, 3_000_000, 70_000
	now := time.Unix(1_700_000_005, 0)
	got, err := EmptyTemplate(&chaincfg.RegressionNetParams, previous, chainhash.Hash{9}, next(101), now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != previous.Version || got.PrevBlock != (chainhash.Hash{9}) || got.Height != 101 || got.Bits != 0x207fffff ||
		got.MinTime != 1_699_999_000 || got.CurTime != 1_700_000_005 || got.CoinbaseValue != 50e8 || len(got.Txs) != 0 ||
		got.WeightLimit != 3_000_000 || got.SigopLimit != 70_000 || len(got.Rules) != 1 || !got.Empty || got.Received != now {
		t.Errorf("%+v", got)
	}
	// A clock before the median of 11 must not make an invalid block.
	got, err = EmptyTemplate(&chaincfg.RegressionNetParams, previous, chainhash.Hash{9}, next(101), time.Unix(5, 0))
	if err != nil || got.CurTime != got.MinTime {
		t.Errorf("time %d, %v; want %d", got.CurTime, err, got.MinTime)
	}

	for _, test := range []struct {
		params *chaincfg.Params
		height uint32
		want   int64
	}{
		{&chaincfg.MainNetParams, 1, 50e8},
		{&chaincfg.MainNetParams, 209_999, 50e8},
		{&chaincfg.MainNetParams, 210_000, 25e8},
		{&chaincfg.MainNetParams, 840_000, 312_500_000},
		{&chaincfg.MainNetParams, 1_050_000, 156_250_000},
		{&chaincfg.TestNet4Params, 210_000, 25e8},
		{&chaincfg.SigNetParams, 210_000, 25e8},
		{&chaincfg.RegressionNetParams, 149, 50e8},
		{&chaincfg.RegressionNetParams, 150, 25e8},
		{&chaincfg.RegressionNetParams, 300, 1_250_000_000},
	} {
		previous.Height = test.height
		got, err := EmptyTemplate(test.params, previous, chainhash.Hash{9}, next(test.height), now)
		if err != nil || got.CoinbaseValue != test.want {
			t.Errorf("%s %d: %d sat, %v; want %d", test.params.Name, test.height, got.CoinbaseValue, err, test.want)
		}
	}
}

// TestNoEmptyTemplate: where a soft fork could have begun, only the node knows the rules.
func TestNoEmptyTemplate(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name      string
		deploying bool
		from, to  uint32
		ok        bool
	}{
		{"nothing pending, across a period", false, 2015, 2016, true},
		{"pending, within a period", true, 2014, 2015, true},
		{"pending, across a period", true, 2015, 2016, false},
		{"pending, far across", true, 2014, 2020, false},
		{"pending, back across", true, 2016, 2015, false},
		{"pending, within the next", true, 2016, 2017, true},
	} {
		previous := testTemplate(t, 0)
		previous.Height, previous.Deploying = test.from, test.deploying
		_, err := EmptyTemplate(&chaincfg.MainNetParams, previous, chainhash.Hash{9}, next(test.to), now)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrNoEmptyTemplate) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := EmptyTemplate(&chaincfg.MainNetParams, nil, chainhash.Hash{9}, next(5), now); !errors.Is(err, ErrNoEmptyTemplate) {
		t.Errorf("no template before: %v", err)
	}
	if _, err := EmptyTemplate(&chaincfg.MainNetParams, testTemplate(t, 0), chainhash.Hash{9}, next(1<<31), now); !errors.Is(err, ErrNoEmptyTemplate) {
		t.Errorf("no such height: %v", err)
	}
}

// TestEmptyThenFull follows the generator over a new block: an empty template, the full
// one, and whatever may come late.
func TestEmptyThenFull(t *testing.T) {
	f := newFixture(t)
	on := func(tmpl *Template, prev byte, height uint32) *Template {
		tmpl.PrevBlock, tmpl.Height = chainhash.Hash{prev}, height
		return tmpl
	}
	empty := func(prev byte, height uint32) *Template {
		tmpl, err := EmptyTemplate(f.params.Bitcoin, f.Template(), chainhash.Hash{prev}, next(height), f.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return tmpl
	}
	present := func(what string, want *Template) {
		t.Helper()
		if f.Template() != want || f.Work().Template() != want {
			t.Errorf("%s: work on template %+v", what, f.Work().Template())
		}
	}
	f.chain.set(func(c *fakeChain) { c.scores = testScores(60, payee) })
	fullA := on(f.template(5), 1, 100)
	f.SetTemplate(fullA)
	f.SetNodeHealth("down")

	emptyB := empty(2, 101)
	f.SetTemplate(emptyB)
	present("a new block", emptyB)
	job := f.job(payee(0), share.Class12)
	if len(job.Branch) != 0 || job.BitcoinHeight != 101 || job.data.CoinbaseValue != 50e8 {
		t.Errorf("job %+v", job)
	}
	f.SetTemplate(empty(2, 101))
	present("the same again", emptyB)
	fullB := on(f.template(6), 2, 101)
	f.SetTemplate(fullB)
	present("the full template", fullB)
	f.SetTemplate(empty(2, 101))
	present("an empty one that comes late", fullB)
	f.SetTemplate(fullA)
	present("back on the older block", fullA)
	f.SetTemplate(empty(2, 101))
	f.SetTemplate(fullA)
	present("back again", fullA)
}

// TestEmptyBlocks: a block of an empty template is what Bitcoin's own rules want.
func TestEmptyBlocks(t *testing.T) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(60, payee) })
	rapid.Check(t, func(rt *rapid.T) {
		height := rapid.Uint32Range(1, 3_000_000).Draw(rt, "height")
		previous := testTemplate(t, rapid.IntRange(0, 3).Draw(rt, "transactions"))
		previous.Height = height
		tmpl, err := EmptyTemplate(f.params.Bitcoin, previous, chainhash.Hash{1, byte(height), byte(height >> 8), byte(height >> 16)}, next(height), f.clock.Now())
		if err != nil {
			rt.Fatal(err)
		}
		f.SetTemplate(previous) // whose block is another
		f.SetTemplate(tmpl)
		class := rapid.SampledFrom(share.Classes()).Draw(rt, "class")
		j, err := f.tryJob(payee(0), class)
		if tmpl.CoinbaseValue < 1000 {
			return // the subsidy has run out: there may be too little to pay
		}
		if err != nil {
			rt.Fatal(err)
		}
		if j.data.CoinbaseValue != tmpl.Subsidy() || tmpl.Fees() != 0 {
			rt.Fatalf("job of %d sat", j.data.CoinbaseValue)
		}
	})
}
