package chaingen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// failing is a TB that a mistake of the test ends by a panic.
type failing struct{}

func (failing) Helper() {}

func (failing) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// TestMistakesAreNamed: a test that asks for what there is not, or for proof of work
// that would take a CPU long, is told so.
func TestMistakesAreNamed(t *testing.T) {
	params, err := chainparams.New(chainparams.Regtest, "main", Easy)
	if err != nil {
		t.Fatal(err)
	}
	for want, mistake := range map[string]func(g *Generator){
		`no share "x"`:         func(g *Generator) { g.Next("y", "x") },
		`no Bitcoin block "B"`: func(g *Generator) { g.NextBitcoin("C", "B") },
		"no share \"u\"":       func(g *Generator) { g.Next("y", "", Uncles("u")) },
		"compact target":       func(g *Generator) { g.Next("y", ""); g.Params.EasiestBits = 0; g.NextBits("y") },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}()
			mistake(New(failing{}, params))
			t.Errorf("%q was not noticed", want)
		}()
		Easy(params)
	}
}

// TestOptions: each option does what it says, and nothing else is different.
func TestOptions(t *testing.T) {
	params, err := chainparams.New(chainparams.Regtest, "main", Easy)
	if err != nil {
		t.Fatal(err)
	}
	g := New(t, params)
	g.NextBitcoin("B1", "genesis")
	first := g.Next("g", "")
	if first.Data.Height != 0 || first.Data.Count != 1 || first.Data.Anchor != first.Data.Time || first.Total != first.Data.Work {
		t.Errorf("first share %+v", first.Data)
	}
	u := g.Next("u", "g", Payee(7))
	a := g.Next("a", "g")
	b := g.Next("b", "a", Uncles("u"), Class(share.Class36), On("B1"), Later(5))
	d := &b.Data
	want := first.Total
	for range 3 {
		want.Add(&first.Total) // all four are as hard
	}
	if d.Height != 2 || d.Previous != a.ID || d.Uncles[0] != u.ID || d.Count != 4 || d.Class != share.Class36 || b.Total != want ||
		d.Time != a.Data.Time+2+5 || b.Header.PrevBlock != g.Bitcoin("B1").Hash || d.BitcoinHeight != 2 || d.Anchor != first.Data.Time {
		t.Errorf("%+v, work %v, want %v", d, b.Total, want)
	}
	if g.ByID(b.ID) != b || g.ByID(chainhash.Hash{1}) != nil {
		t.Error("ByID finds another share")
	}
	if _, err := b.CheckSanity(&params.ChainID); err != nil {
		t.Error(err)
	}
}
