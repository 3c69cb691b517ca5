package docs_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// The example of a draw: sixteen payees at class 12. Payee i has the script
// 0014 ‖ twenty bytes of value i+1.
var drawScores = []int64{
	400_000, 250_000, 120_000, 80_000, 30_000, 25_000, 20_000, 15_000,
	12_000, 10_000, 9_000, 8_000, 7_000, 6_000, 5_000, 3_000,
}

const drawValue = 315_002_500 // sat

func drawScript(i int) []byte {
	return append([]byte{0x00, 0x14}, bytes.Repeat([]byte{byte(i + 1)}, 20)...)
}

// drawn is a draw recomputed by the words of protocol.md, in unbounded integers.
type drawn struct {
	reward, small, marks int64
	weight               *big.Int // of the payees that draw
	seed                 [32]byte
	start                *big.Int // of the first mark
	extra                int64    // the mark that the extra satoshis begin at
	exact                int
	owed, paid           []int64 // by payee
	finder               int64
}

// draw follows the steps of the document for scores in descending order.
func draw(scores []int64, value int64, outputs int, parent chainhash.Hash) *drawn {
	const least = 5000
	d := &drawn{reward: value - value/200, finder: value}
	total := new(big.Int)
	for _, s := range scores {
		total.Add(total, big.NewInt(s))
	}
	part := func(score *big.Int) int64 {
		n := new(big.Int).Mul(big.NewInt(d.reward), score)
		return n.Div(n, total).Int64()
	}
	for _, s := range scores {
		d.owed = append(d.owed, part(big.NewInt(s)))
	}
	// The greatest k that qualifies.
	for k := 0; k <= min(outputs, len(scores)); k++ {
		rest := new(big.Int)
		for _, s := range scores[k:] {
			rest.Add(rest, big.NewInt(s))
		}
		if k > 0 {
			part := new(big.Int).Mul(big.NewInt(scores[k-1]), big.NewInt(int64(outputs-k)))
			if d.owed[k-1] < least || k < len(scores) && scores[k-1] == scores[k] || part.Cmp(rest) < 0 {
				continue
			}
		}
		d.exact, d.weight = k, rest
	}
	if d.small = part(d.weight); d.small == 0 {
		d.pay(scores)
		return d
	}
	d.marks = max(1, min(int64(outputs-d.exact), d.small/least, new(big.Int).Div(d.weight, big.NewInt(scores[d.exact])).Int64()))
	d.seed = sha256.Sum256(append([]byte("p2pool/draw"), parent[:]...))
	point := new(big.Int).SetBytes(d.seed[:16])
	point.Mul(point, big.NewInt(d.marks)).Rsh(point, 64)
	point.And(point, new(big.Int).SetUint64(1<<64-1))
	d.start = point.Mul(point, d.weight).Rsh(point, 64)
	extra := new(big.Int).SetBytes(d.seed[16:24])
	d.extra = extra.Mul(extra, big.NewInt(d.marks)).Rsh(extra, 64).Int64()
	d.pay(scores)
	return d
}

// pay lays the small scores end to end. The example's scripts ascend with the
// payee's number, so this is script order.
func (d *drawn) pay(scores []int64) {
	d.paid = make([]int64, len(scores))
	mark := int64(0)
	end := new(big.Int)
	for i, s := range scores {
		if i < d.exact {
			d.paid[i] = d.owed[i]
			d.finder -= d.paid[i]
			continue
		}
		end.Add(end, big.NewInt(s))
		// ⌊(start + mark·W)/n⌋
		at := new(big.Int).Mul(d.weight, big.NewInt(mark))
		at.Add(at, d.start).Div(at, big.NewInt(d.marks))
		if mark == d.marks || end.Cmp(at) <= 0 {
			continue
		}
		d.paid[i] = d.small / d.marks
		if (mark+d.extra)%d.marks < d.small%d.marks {
			d.paid[i]++
		}
		d.finder -= d.paid[i]
		mark++
	}
}

// chances are the columns of payouts.md for the classes: with the marks that the
// definitions give each, a payee that draws is under one with the probability
// marks · score / W. The code must say the same.
func chances(t *testing.T, p *chainparams.Params, parent chainhash.Hash) [][]string {
	t.Helper()
	odds := payout.NewTable(payees()).Odds(p, drawValue)
	rows := make([][]string, len(drawScores))
	for _, class := range share.Classes() {
		d := draw(drawScores, drawValue, class.Outputs(), parent)
		for i, score := range drawScores {
			cell, want := "exact", payout.Chance{Exact: true, Probability: 1, Amount: d.owed[i]}
			if i >= d.exact {
				r := new(big.Rat).SetFrac(big.NewInt(d.marks*score), d.weight)
				want = payout.Chance{Amount: d.small / d.marks}
				want.Probability, _ = r.Float64()
				cell = r.Mul(r, big.NewRat(100, 1)).FloatString(1) + " %"
			}
			rank, _ := odds.Rank(drawScript(i))
			if got := odds.Chance(rank, class); rank != i || got != want {
				t.Errorf("class %v, payee %d: the code says %+v, the definitions %+v", class, i, got, want)
			}
			rows[i] = append(rows[i], cell)
		}
	}
	return rows
}

// payees are the example's scores in the form of the code.
func payees() []payout.Score {
	scores := make([]payout.Score, len(drawScores))
	for i, s := range drawScores {
		scores[i] = payout.Score{Script: drawScript(i), Weight: *new(uint256.Uint256).SetUint64(uint64(s))}
	}
	return scores
}

// TestDraw compares the draw's example in both documents with the definitions
// and with the code.
func TestDraw(t *testing.T) {
	doc := read(t, "docs/protocol.md")
	parent := newExample(t).shares["d"].ID()
	d := draw(drawScores, drawValue, 12, parent)

	p, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	scores := payees()
	r := payout.NewTable(scores).Compute(p, drawValue, share.Class12, &parent)
	if r.Finder != d.finder || len(r.Payouts) > 12 {
		t.Errorf("the code pays the finder %d and %d others, the definitions say %d", r.Finder, len(r.Payouts), d.finder)
	}
	rows := make([][]string, len(scores))
	for i := range scores {
		var paid int64
		if at := slices.IndexFunc(r.Payouts, func(o share.Payout) bool { return bytes.Equal(o.Script, scores[i].Script) }); at >= 0 {
			paid = r.Payouts[at].Amount
		}
		if paid != d.paid[i] {
			t.Errorf("the code pays payee %d %d sat, the definitions say %d", i, paid, d.paid[i])
		}
		rows[i] = []string{string(rune('A' + i)), grouped(uint64(drawScores[i])), grouped(uint64(d.owed[i])), grouped(uint64(paid))}
	}
	compare(t, table(t, doc, "Payee"), rows)
	for i, row := range chances(t, p, parent) {
		rows[i] = append(rows[i], row...)
	}
	compare(t, table(t, read(t, "docs/payouts.md"), "Payee"), rows)
	compare(t, table(t, doc, "Step"), [][]string{
		{"R", grouped(uint64(d.reward))},
		{"paid exactly", fmt.Sprint(d.exact)},
		{"W", grouped(d.weight.Uint64())},
		{"S", grouped(uint64(d.small))},
		{"n", fmt.Sprint(d.marks)},
		{"seed", fmt.Sprintf("%x", d.seed)},
		{"start", d.start.String()},
		{"e", fmt.Sprint(d.extra)},
		{"S mod n", fmt.Sprint(d.small % d.marks)},
		{"finder", grouped(uint64(d.finder))},
	})
}
