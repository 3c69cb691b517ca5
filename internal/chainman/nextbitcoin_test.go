package chainman

import (
	"errors"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
)

// TestAddNextBitcoin: the header of a new tip is entered without asking the Bitcoin node,
// and shares on it are accepted at once.
func TestAddNextBitcoin(t *testing.T) {
	f := newFixture(t)
	blocks := f.chainOf("B", "genesis", 2)
	before := f.bitcoin.count()
	if _, err := f.AddNextBitcoin(&blocks[1].Header); !errors.Is(err, blockchain.ErrNoNextBitcoin) {
		t.Errorf("unknown parent: %v", err)
	}
	if _, err := f.NextBitcoinWork(blocks[0].Hash); !errors.Is(err, blockchain.ErrNoNextBitcoin) {
		t.Errorf("unknown block: %v", err)
	}
	for i := range blocks {
		next, err := f.AddNextBitcoin(&blocks[i].Header)
		if err != nil || next.Height != uint32(i+2) || next.Bits != f.cfg.Params.Bitcoin.PowLimitBits {
			t.Fatalf("%+v, %v", next, err)
		}
		if again, err := f.NextBitcoinWork(blocks[i].Hash); err != nil || again != next {
			t.Errorf("%+v, %v; want %+v", again, err, next)
		}
	}
	if n := f.bitcoin.count(); n != before {
		t.Errorf("the node was asked %d times", n-before)
	}
	f.Next("g", "")
	f.accept("g")
}
