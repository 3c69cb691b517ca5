package mining

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
)

// auxJob returns a job of a class that is nothing but work for other chains, and whose
// every hash solves a block of them.
func auxJob(t testing.TB, f *fixture, class share.Class, aux *AuxWork) *Job {
	t.Helper()
	f.SetTemplate(f.template(100))
	j := *f.job(payee(1), class)
	j.ShareTarget, j.BlockTarget = uint256.Uint256{}, uint256.Uint256{}
	aux.Target.Not()
	j.AuxTarget, j.aux = aux.Target, aux
	return &j
}

// TestSolvesAux: a solution for other chains' blocks goes to them while one of them wants
// it, and costs nothing after that.
func TestSolvesAux(t *testing.T) {
	f := newFixture(t)
	wanted, solved := true, 0
	aux := &AuxWork{
		Wanted: func(chainhash.Hash) bool { return wanted },
		Solved: func(*AuxSolution) { solved++ },
	}
	j := auxJob(t, f, share.Class12, aux)
	s := Solution{Time: j.Time, Version: j.Version}
	header := j.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
	hash := header.BlockHash()
	for _, test := range []struct {
		wanted bool
		solved int // by then
	}{{true, 1}, {true, 2}, {false, 2}, {true, 3}} {
		wanted = test.wanted
		if j.SolvesAux(&hash) != wanted {
			t.Errorf("wanted %v: solves %v", wanted, !wanted)
		}
		if out, err := f.Submit(t.Context(), j, s); err != nil || out != (Outcome{Hash: hash}) || solved != test.solved {
			t.Errorf("%+v, %v; %d solved, want %d", out, err, solved, test.solved)
		}
	}
	aux.Wanted = nil
	if !j.SolvesAux(&hash) {
		t.Error("without Wanted nothing solves")
	}
	j.AuxTarget = uint256.Uint256{}
	if j.SolvesAux(&hash) {
		t.Error("solves a block of no chain")
	}
}

// BenchmarkAuxSubmit is a solution for other chains' blocks alone, the first for one of
// them.
func BenchmarkAuxSubmit(b *testing.B) {
	for _, class := range []share.Class{share.Class12, share.Class144, share.Class1152} {
		b.Run(fmt.Sprint("class ", class), func(b *testing.B) {
			f := newFixture(b)
			f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, payee) })
			j := auxJob(b, f, class, &AuxWork{Solved: func(*AuxSolution) {}})
			s := Solution{Time: j.Time, Version: j.Version}
			b.ReportAllocs()
			for b.Loop() {
				s.Nonce++
				if _, err := f.Submit(b.Context(), j, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
