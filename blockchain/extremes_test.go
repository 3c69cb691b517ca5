package blockchain_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// An extreme sets a field of a share to the end of its range. The kind is what
// comes of it when parent, uncle and Bitcoin block are there.
type extreme struct {
	name string
	kind blockchain.ErrorKind
	set  func(s *share.Share)
}

// payouts is the verdict on a field of which the coinbase takes any value.
const payouts = share.ErrPayouts

func extremes() []extreme {
	most := *new(uint256.Uint256).Not()
	return []extreme{
		{"header version 0", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Version = 0 }},
		{"least header version", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Version = math.MinInt32 }},
		{"greatest header version", accepted, func(s *share.Share) { s.Header.Version = math.MaxInt32 }},
		{"no previous block", blockchain.ErrMissingBitcoinBlock, func(s *share.Share) { s.Header.PrevBlock = chainhash.Hash{} }},
		{"header time 0", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Timestamp = time.Unix(0, 0) }},
		{"greatest header time", blockchain.ErrHeaderTimeTooNew, func(s *share.Share) { s.Header.Timestamp = time.Unix(math.MaxUint32, 0) }},
		{"header bits 0", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Bits = 0 }},
		{"header bits negative", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Bits = 0x20ffffff }},
		{"header bits above 256 bits", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Bits = 0xff7fffff }},
		{"hardest header bits", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Bits = 0x01010000 }},
		{"easiest header bits", blockchain.ErrBitcoinHeader, func(s *share.Share) { s.Header.Bits = 0x2200ffff }},
		{"version 0", share.ErrVersion, func(s *share.Share) { s.Data.Version = 0 }},
		{"greatest version", share.ErrVersion, func(s *share.Share) { s.Data.Version = math.MaxUint32 }},
		{"no previous", blockchain.ErrFirstShare, func(s *share.Share) { s.Data.Previous = chainhash.Hash{} }},
		{"itself as uncle", blockchain.ErrMissingUncle, func(s *share.Share) { s.Data.Uncles = []chainhash.Hash{s.ID()} }},
		{"an uncle of zeros", blockchain.ErrMissingUncle, func(s *share.Share) { s.Data.Uncles = []chainhash.Hash{{}} }},
		{"a thousand uncles", share.ErrTooManyUncles, func(s *share.Share) { s.Data.Uncles = make([]chainhash.Hash, 1000) }},
		{"height 0", blockchain.ErrHeight, func(s *share.Share) { s.Data.Height = 0 }},
		{"greatest height", blockchain.ErrHeight, func(s *share.Share) { s.Data.Height = math.MaxUint32 }},
		{"time 0", blockchain.ErrTimeTooOld, func(s *share.Share) { s.Data.Time = 0 }},
		{"greatest time", blockchain.ErrTimeTooNew, func(s *share.Share) { s.Data.Time = math.MaxUint32 }},
		{"bits 0", share.ErrBits, func(s *share.Share) { s.Data.Bits = 0 }},
		{"bits negative", share.ErrBits, func(s *share.Share) { s.Data.Bits = 0x20ffffff }},
		{"bits above 256 bits", share.ErrBits, func(s *share.Share) { s.Data.Bits = math.MaxUint32 & 0xff7fffff }},
		{"hardest bits", share.ErrProofOfWork, func(s *share.Share) { s.Data.Bits = 0x01010000 }},
		{"easiest bits", blockchain.ErrUnexpectedBits, func(s *share.Share) { s.Data.Bits = 0x2100ffff }},
		{"anchor 0", blockchain.ErrAnchor, func(s *share.Share) { s.Data.Anchor = 0 }},
		{"greatest anchor", blockchain.ErrAnchor, func(s *share.Share) { s.Data.Anchor = math.MaxUint32 }},
		{"count 0", blockchain.ErrShareCount, func(s *share.Share) { s.Data.Count = 0 }},
		{"greatest count", blockchain.ErrShareCount, func(s *share.Share) { s.Data.Count = math.MaxUint32 }},
		{"work 0", blockchain.ErrTotalWork, func(s *share.Share) { s.Data.Work.Zero() }},
		{"greatest work", blockchain.ErrTotalWork, func(s *share.Share) { claims(share.MaxWorkBits, -1)(&s.Data) }},
		{"work above its bound", share.ErrWork, func(s *share.Share) { s.Data.Work = most }},
		{"no payee", share.ErrPayee, func(s *share.Share) { s.Data.Payee = nil }},
		{"a long payee", share.ErrPayee, func(s *share.Share) { s.Data.Payee = make([]byte, 10_000) }},
		{"Bitcoin height 0", blockchain.ErrBitcoinBackwards, func(s *share.Share) { s.Data.BitcoinHeight = 0 }},
		{"greatest Bitcoin height", blockchain.ErrBitcoinHeight, func(s *share.Share) { s.Data.BitcoinHeight = math.MaxUint32 }},
		{"coinbase value 0", payouts, func(s *share.Share) { s.Data.CoinbaseValue = 0 }},
		{"all money", payouts, func(s *share.Share) { s.Data.CoinbaseValue = share.MaxMoney }},
		{"least coinbase value", share.ErrCoinbaseValue, func(s *share.Share) { s.Data.CoinbaseValue = math.MinInt64 }},
		{"greatest coinbase value", share.ErrCoinbaseValue, func(s *share.Share) { s.Data.CoinbaseValue = math.MaxInt64 }},
		{"greatest class", share.ErrClass, func(s *share.Share) { s.Data.Class = math.MaxUint8 }},
		{"a long tag", share.ErrTag, func(s *share.Share) { s.Data.Tag = make([]byte, 10_000) }},
		{"no witness commitment", payouts, func(s *share.Share) { s.Data.WitnessCommitment = nil }},
		{"a long witness commitment", share.ErrWitnessCommitment, func(s *share.Share) { s.Data.WitnessCommitment = make([]byte, 10_000) }},
		{"merged mining", payouts, func(s *share.Share) { s.Data.MergedMining = make([]byte, share.MergedMiningSize) }},
		{"long merged mining", share.ErrMergedMining, func(s *share.Share) { s.Data.MergedMining = make([]byte, 10_000) }},
		{"no branch", accepted, func(s *share.Share) { s.Branch = nil }},
		{"a long branch", share.ErrBranch, func(s *share.Share) { s.Branch = make([]chainhash.Hash, 10_000) }},
	}
}

// newExtremeTest returns a chain with everything that the share "next" needs but
// not that itself. It uses all optional fields but merged mining.
//
//	g - a - m2 - m3 - next(u)
//	            \ u
func newExtremeTest(tt *testing.T) *test {
	t := newRuleTest(tt)
	for _, link := range [][2]string{{"m2", "a"}, {"m3", "m2"}, {"u", "m2"}} {
		t.Next(link[0], link[1], chaingen.Payee(len(link[0])))
		t.accept(link[0])
	}
	t.Next("next", "m3", chaingen.Uncles("u"), edit(func(d *share.Data) {
		d.Tag, d.WitnessCommitment = []byte("tag"), make([]byte, share.WitnessCommitmentSize)
	}))
	return t
}

// TestExtremeFields takes each field to the ends of its range, with proof of work
// where that can be had: on its parent, where the verdict is the rule's; before its
// parent, where what cannot be judged is held and judged later; as a root; and from
// the store. Nothing but the share itself must come to harm.
func TestExtremeFields(tt *testing.T) {
	for _, e := range extremes() {
		t := newExtremeTest(tt)
		s := clone(t.Share("next").Share)
		e.set(s)
		seal(t.Generator, s)
		before := t.state()
		_, err := t.chain.Accept(s, t.now)
		if e.kind == accepted && err != nil || e.kind != accepted && !errors.Is(err, e.kind) {
			t.Errorf("%s: %v, want %q", e.name, err, e.kind)
		}
		if e.kind != accepted && t.state() != before {
			t.Errorf("%s: the chain has changed", e.name)
		}
		if e.kind != accepted {
			t.accept("next")
		}

		t.chain = blockchain.New(t.Params)
		t.addBitcoin("genesis")
		t.addBitcoin("B1")
		t.chain.Accept(s, t.now) //nolint:errcheck // any verdict will do
		t.accept("g", "a", "m2", "m3", "u")
		if !t.chain.Have(t.Share("next").ID) {
			t.accept("next")
		}
		t.sound(e.name + ", held")

		root := blockchain.New(t.Params)
		_, err = root.AcceptRoot(s, t.now)
		if err == nil {
			if _, err := root.AcceptRoot(t.decoded("next"), t.now); is[blockchain.RuleError](err) {
				t.Errorf("%s, as a root: %v", e.name, err)
			}
		}
		t.chain = root
		t.sound(e.name + ", as a root")

		for _, root := range []bool{false, true} {
			restored := blockchain.New(t.Params)
			if err := restored.Restore(s, root); err != nil && !errors.Is(err, blockchain.ErrCorrupt) {
				t.Errorf("%s, restored: %v", e.name, err)
			}
		}
	}
}

// state tells everything that a refused share must leave as it was.
func (t *test) state() string {
	s := t.chain.Stats()
	s.Undecided = 0
	scores, err := t.chain.Scores(t.chain.Tip().ID, t.Params.Bitcoin.PowLimitBits)
	return fmt.Sprint(*t.chain.Tip(), s, t.chain.Len(), scores, err)
}

// sound expects that the chain and its answers fit together.
func (t *test) sound(where string) {
	t.T.Helper()
	if err := t.chain.Audit(); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	tip := t.chain.Tip()
	if err := t.chain.AuditWindow(tip.ID, t.Params.Bitcoin.PowLimitBits); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	t.chain.Window(tip.ID, t.Params.Bitcoin.PowLimitBits)
	t.chain.Hashrate(1000)
	if n := len(t.chain.Latest(math.MaxInt)); n != t.chain.Stats().Main {
		t.Errorf("%s: %d main-chain shares listed", where, n)
	}
	t.chain.Blocks(math.MaxInt)
	if l := t.chain.Locator(); len(l) > 64 {
		t.Errorf("%s: locator of %d", where, len(l))
	}
	t.chain.AfterLocator(nil, chainhash.Hash{}, math.MaxInt)
	t.chain.Ancestors(tip.ID, math.MaxInt, nil)
}

// TestExtremeHeaderBits asks for payouts and windows at bits that no Bitcoin header
// has: none of them may do more than shorten the window.
func TestExtremeHeaderBits(tt *testing.T) {
	t := newTest(tt, func(p *chainparams.Params) { p.WindowBlocks = 4 })
	t.Next("g", "")
	t.accept("g")
	t.accept(t.Line("a", "g", 40, 5)...)
	tip := t.chain.Tip().ID
	for _, bits := range []uint32{0, 1, 0x01010000, 0x01fedcba, 0x03000001, 0x04800000, 0x1d00ffff, 0x207fffff, 0x2200ffff, 0x23000001, 0xff7fffff, math.MaxUint32} {
		for _, value := range []int64{0, 1, 4_999, 1_000_000, share.MaxMoney} {
			for _, class := range share.Classes() {
				r, err := t.chain.Payouts(tip, bits, value, class)
				if err != nil {
					if !is[blockchain.ContextError](err) {
						t.Errorf("bits %08x: %v", bits, err)
					}
					continue
				}
				sum := r.Finder
				for _, o := range r.Payouts {
					sum += o.Amount
				}
				if sum != value || r.Finder < 0 || len(r.Payouts) > class.Outputs() {
					t.Errorf("bits %08x: %d sat of %d in %d outputs", bits, sum, value, len(r.Payouts))
				}
			}
		}
		t.chain.Window(tip, bits)
	}
	t.sound("after all bits")
}

// TestExtremeBitcoinHeaders: whatever our own Bitcoin node says of heights, times
// and bits, shares on its blocks get a verdict.
func TestExtremeBitcoinHeaders(tt *testing.T) {
	for _, height := range []uint32{0, 1, 2015, 2016, math.MaxInt32 - 1, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
		for _, at := range []int64{0, 1, math.MaxUint32} {
			for _, bits := range []uint32{0, 0x01010000, 0x207fffff, 0x20ffffff, 0xff7fffff} {
				t := newTest(tt)
				head := wire.BlockHeader{Version: 4, Timestamp: time.Unix(at, 0), Bits: bits}
				prev := chainhash.Hash{}
				for range 12 {
					head.PrevBlock = prev
					if err := t.chain.AddBitcoinHeader(&head, height); err != nil {
						break // a height beyond the parent's
					}
					prev, height = head.BlockHash(), height+1
				}
				s := clone(t.Next("g", "").Share)
				s.Header.PrevBlock, s.Data.BitcoinHeight = prev, height
				rebuild(t.chain, t.Generator, s)
				_, err := t.chain.Accept(s, t.now)
				if err != nil && !is[blockchain.RuleError](err) && !is[*blockchain.UndecidedError](err) {
					t.Errorf("verdict %T: %v", err, err)
				}
				t.sound(fmt.Sprintf("height %d", height))
			}
		}
	}
}

// TestThreeUnclesEverywhere: every share has as many uncles as it can have, over
// several windows and beyond the retention, and restarts.
func TestThreeUnclesEverywhere(tt *testing.T) {
	t := newTest(tt)
	names, tip := []string{"g", "m0"}, "m0"
	t.Next("g", "")
	t.Next("m0", "g")
	below := "g"
	for i := 1; i < 90; i++ {
		var three []string
		for j := range share.MaxUncles {
			u := fmt.Sprint("u", i, "-", j)
			t.Next(u, below, chaingen.Payee(i+j), chaingen.Later(j))
			three = append(three, u)
		}
		name := fmt.Sprint("m", i)
		t.Next(name, tip, chaingen.Uncles(three...), chaingen.Payee(i%4))
		names = append(append(names, three...), name)
		tip, below = name, tip
	}
	for _, name := range names {
		t.accept(name)
		t.sound(name)
	}
	t.agrees("in the end", tip)
	if s := t.chain.Stats(); s.Uncles < 3*(s.Main-1) || t.chain.Tip().Shares != 2+4*89 {
		t.Errorf("stats %+v, count %d", s, t.chain.Tip().Shares)
	}
	again := t.restored(names...)
	genesis := t.Bitcoin("genesis")
	if err := again.AddBitcoinHeader(&genesis.Header, 0); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Tip(), t.chain.Tip(); !reflect.DeepEqual(got, want) {
		t.Errorf("restarted: %+v, want %+v", got, want)
	}
}

// TestSumsAtTheirBounds: on a root that claims the most, counts and work of what
// stands on it do not wrap around.
func TestSumsAtTheirBounds(tt *testing.T) {
	t := newTest(tt)
	const most = 1<<31 - 1
	t.Next("r", "", edit(func(d *share.Data) {
		d.Previous, d.Height, d.Count = chainhash.Hash{1}, most-1, most
		claims(share.MaxWorkBits, -1)(d)
	}))
	if _, err := t.chain.AcceptRoot(t.decoded("r"), t.now); err != nil {
		t.Fatal(err)
	}
	t.sound("root")
	tip := t.chain.Tip()
	if tip.NextHeight != most || tip.NextCount != most+1 || tip.NextBits == 0 {
		t.Errorf("the next share is to be %+v", tip)
	}
	// Whatever a child states as work, 2¹²⁸ and more cannot be stated.
	for _, add := range []uint64{0, 1, 2, math.MaxUint64} {
		s := clone(t.Share("r").Share)
		s.Data.Previous, s.Data.Height, s.Data.Count, s.Data.Bits = tip.ID, tip.NextHeight, tip.NextCount, t.Params.EasiestBits
		s.Data.Work.SetUint64(add)
		s.Header.Nonce++
		seal(t.Generator, s)
		if _, err := t.chain.Accept(s, t.now); !is[blockchain.RuleError](err) {
			t.Errorf("a child that states %d: %v", add, err)
		}
	}
	t.sound("children")
}
