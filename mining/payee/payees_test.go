package payee

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// script returns a P2WPKH script.
func testScript(i byte) []byte { return append([]byte{0, 20, i}, make([]byte, 19)...) }

var donee = testScript(0xd0)

// tip returns the ID of a share tip.
func tip(i uint64) (hash chainhash.Hash) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], i)
	return chainhash.HashH(b[:])
}

func mustNew(t testing.TB, cfg Config) *Payees {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testSecret(i byte) [sha256.Size]byte { return [sha256.Size]byte{1, i} }

// TestDistribution: fee, donation and the miners' own addresses are paid as often as
// they should be, whatever the secret (chi-square test with 2 degrees of freedom: 13.8 is
// exceeded once in 1,000 times).
func TestDistribution(t *testing.T) {
	const tips = 100_000
	for i, terms := range []struct{ fee, donation float64 }{{1.5, 0.5}, {0.01, 0.02}, {50, 25}, {1.5, 98.5}} {
		p := mustNew(t, Config{Own: []Source{{Script: testScript(1)}}, Fee: terms.fee, Donation: terms.donation, Donee: donee, Secret: testSecret(byte(i))})
		var counts [3]float64
		for n := range uint64(tips) {
			own, all := p.Turn(tip(n))
			switch {
			case !bytes.Equal(own, testScript(1)):
				t.Fatalf("own %x", own)
			case all == nil:
				counts[0]++
			case bytes.Equal(all, own):
				counts[1]++
			case bytes.Equal(all, donee):
				counts[2]++
			}
		}
		chi := 0.0
		for i, percent := range []float64{100 - terms.fee - terms.donation, terms.fee, terms.donation} {
			want := tips * percent / 100
			if want == 0 {
				if counts[i] != 0 {
					t.Errorf("%+v: %v that should never be", terms, counts[i])
				}
				continue
			}
			chi += (counts[i] - want) * (counts[i] - want) / want
		}
		t.Logf("fee %v %%, donation %v %%: %v of %d, chi-square %.2f", terms.fee, terms.donation, counts, tips, chi)
		if chi > 13.8 {
			t.Errorf("%+v: chi-square %v", terms, chi)
		}
	}
}

// TestCertain: 0 and 100 percent are what they say.
func TestCertain(t *testing.T) {
	own := []Source{{Script: testScript(1)}}
	never, always, given := mustNew(t, Config{Own: own}), mustNew(t, Config{Own: own, Fee: 100}), mustNew(t, Config{Donation: 100, Donee: donee})
	for n := range uint64(1000) {
		if _, all := never.Turn(tip(n)); all != nil {
			t.Fatal("a fee of 0 was taken")
		}
		if _, all := always.Turn(tip(n)); !bytes.Equal(all, testScript(1)) {
			t.Fatal("a fee of 100 was not taken")
		}
		if own, all := given.Turn(tip(n)); own != nil || !bytes.Equal(all, donee) {
			t.Fatal("a donation of 100 was not given")
		}
	}
	if percent(math.MaxUint64) >= 100 || percent(0) != 0 {
		t.Error("the lot leaves its range")
	}
}

// TestSameTip: who comes back while the tip stays finds the same outcome, and another
// secret gives others.
func TestSameTip(t *testing.T) {
	cfg := Config{Own: []Source{{Script: testScript(1)}}, Fee: 50, Secret: testSecret(1)}
	p, again := mustNew(t, cfg), mustNew(t, cfg)
	cfg.Secret = testSecret(2)
	other := mustNew(t, cfg)
	differ := 0
	for n := range uint64(1000) {
		_, a := p.Turn(tip(n))
		_, b := p.Turn(tip(n))
		_, c := again.Turn(tip(n))
		_, d := other.Turn(tip(n))
		if !bytes.Equal(a, b) || !bytes.Equal(a, c) {
			t.Fatal("the outcome changes")
		}
		if !bytes.Equal(a, d) {
			differ++
		}
	}
	if differ < 400 || differ > 600 {
		t.Errorf("%d of 1000 differ with another secret", differ)
	}
	cfg.Secret = [sha256.Size]byte{}
	if a, b := mustNew(t, cfg), mustNew(t, cfg); a.cfg.Secret == b.cfg.Secret || a.cfg.Secret == ([sha256.Size]byte{}) {
		t.Error("the secret is not drawn")
	}
}

// TestLeaver: a miner who stops on each tip whose jobs pay the fee earns as much, per
// hour, as one who stays; so does one with two addresses, as their lots are the same. If
// each address had its own, he would save nearly all of the fee.
func TestLeaver(t *testing.T) {
	const tips, fee = 100_000, 5.0
	own := []Source{{Script: testScript(1)}}
	p := mustNew(t, Config{Own: own, Fee: fee, Secret: testSecret(1)})
	a := mustNew(t, Config{Own: own, Fee: fee, Secret: testSecret(2)}) // lots of two addresses
	b := mustNew(t, Config{Own: own, Fee: fee, Secret: testSecret(3)})
	rng := rand.New(rand.NewPCG(1, 2))
	var hours, stays, leaves, switches float64
	for n := range uint64(tips) {
		span := rng.ExpFloat64() // until the next tip
		hours += span
		if _, all := p.Turn(tip(n)); all == nil {
			stays += span
			leaves += span
		}
		_, first := a.Turn(tip(n))
		if _, second := b.Turn(tip(n)); first == nil || second == nil {
			switches += span
		}
	}
	t.Logf("income per hour: who stays %.4f, who stops %.4f; with a lot for each address, who switches %.4f", stays/hours, leaves/hours, switches/hours)
	if math.Abs(stays/hours-(1-fee/100)) > 0.003 || stays != leaves {
		t.Errorf("who stays has %v, who stops %v, of %v", stays, leaves, hours)
	}
	if switches/hours < 0.995 {
		t.Error("the attack does not work where it should")
	}
}

// TestSeveralAddresses: each is paid as often as the others (chi-square with 4 degrees of
// freedom: 18.5 is exceeded once in 1,000 times), independent of the fee.
func TestSeveralAddresses(t *testing.T) {
	const tips, n = 50_000, 5
	cfg := Config{Fee: 20, Secret: testSecret(9)}
	for i := range byte(n) {
		cfg.Own = append(cfg.Own, Source{Script: testScript(i)})
	}
	p := mustNew(t, cfg)
	var counts, taken [n]float64
	for i := range uint64(tips) {
		own, all := p.Turn(tip(i))
		counts[own[2]]++
		if all != nil {
			taken[own[2]]++
		}
	}
	chi, chiTaken := 0.0, 0.0
	for i := range n {
		chi += math.Pow(counts[i]-tips/n, 2) / (tips / n)
		chiTaken += math.Pow(taken[i]-tips/n/5, 2) / (tips / n / 5)
	}
	if chi > 18.5 || chiTaken > 18.5 {
		t.Errorf("%v, %v: chi-square %v and %v", counts, taken, chi, chiTaken)
	}
	if list := p.Addresses(); len(list) != n || !list[4].Current || list[4].Source != 4 || list[4].Derived {
		t.Errorf("%+v", list)
	}
}

func TestConfig(t *testing.T) {
	d := descriptor(t, "wpkh("+key380+"/0/*)")
	own := []Source{{Script: testScript(1)}}
	for name, cfg := range map[string]Config{
		"fee without address":    {Fee: 1},
		"donation without donee": {Donation: 1, Own: own},
		"more than all":          {Own: own, Donee: donee, Fee: 60, Donation: 41},
		"negative":               {Own: own, Fee: -1},
		"negative donation":      {Own: own, Fee: 50, Donation: -1, Donee: donee},
		"NaN":                    {Own: own, Fee: math.NaN()},
		"infinite":               {Own: own, Fee: math.Inf(1)},
		"unpayable":              {Own: []Source{{Script: []byte{0x6a}}}},
		"unpayable donee":        {Donee: []byte{0x6a}},
		"too many":               {Own: make([]Source, MaxSources+1)},
		"twice":                  {Own: []Source{{Script: testScript(1)}, {Script: testScript(1)}}},
		"descriptor twice":       {Own: []Source{{Descriptor: d}, {Descriptor: d}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := New(Config{Own: []Source{{Descriptor: d}, {Descriptor: d}}}); !errors.Is(err, ErrTwice) {
		t.Error(err)
	}
	p := mustNew(t, Config{Own: own, Fee: 1.5, Donation: 0.25, Donee: donee})
	if fee, donation, to := p.Terms(); fee != 1.5 || donation != 0.25 || !bytes.Equal(to, donee) || Percent(fee) != "1.5 %" || Percent(0) != "0 %" {
		t.Errorf("%v, %v, %x", fee, donation, to)
	}
	if own, all := mustNew(t, Config{}).Turn(tip(0)); own != nil || all != nil {
		t.Error("nobody is paid something")
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	d := descriptor(t, "wpkh("+key380+"/*)")
	p := mustNew(t, Config{Own: []Source{{Descriptor: d}, {Script: testScript(1)}}, Fee: 10})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range uint64(2000) {
			p.Turn(tip(n))
			p.Awaits()
		}
	})
	wg.Go(func() {
		for n := range uint32(20) {
			p.BlockFound(func([]byte) bool { return true })
			p.Advance(n * MinShares)
		}
	})
	for range 20 {
		p.Addresses()
	}
	wg.Wait()
}

func BenchmarkTurn(b *testing.B) {
	p := mustNew(b, Config{Own: []Source{{Script: testScript(1)}}, Fee: 1.5})
	hash := tip(1)
	for b.Loop() {
		p.Turn(hash)
	}
}

// TestSetTerms: new terms hold at once, and impossible ones change nothing.
func TestSetTerms(t *testing.T) {
	own, donee := append([]byte{0x00, 0x14}, make([]byte, 20)...), append([]byte{0x00, 0x14}, bytes.Repeat([]byte{1}, 20)...)
	p, err := New(Config{Own: []Source{{Script: own}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetTerms(0, 100, donee); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []func() error{
		func() error { return p.SetTerms(-1, 0, nil) },
		func() error { return p.SetTerms(60, 60, donee) },
		func() error { return p.SetTerms(0, 1, nil) },
		func() error { return p.SetTerms(0, 1, []byte{1}) },
	} {
		if wrong() == nil {
			t.Error("impossible terms are accepted")
		}
	}
	if fee, donation, to := p.Terms(); fee != 0 || donation != 100 || !bytes.Equal(to, donee) {
		t.Errorf("%v, %v, %x", fee, donation, to)
	}
	if _, all := p.Turn([32]byte{1}); !bytes.Equal(all, donee) {
		t.Errorf("pays %x", all)
	}
}
