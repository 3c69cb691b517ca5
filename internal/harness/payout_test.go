package harness_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/harness"
)

// This file recomputes coinbases by the definitions of docs/protocol.md, in
// unbounded integers and without packages payout and blockchain.

// loadShare fetches one share.
func loadShare(t *testing.T, n *harness.Node, id string) *share.Share {
	t.Helper()
	raw := call[struct {
		Hex string `json:"hex"`
	}](t, n, "getshare", id, 2)
	b, err := hex.DecodeString(raw.Hex)
	if err != nil {
		t.Fatal(err)
	}
	s, err := share.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// loadChain fetches a share and all its ancestors, newest first.
func loadChain(t *testing.T, n *harness.Node, id string) []*share.Share {
	t.Helper()
	return loadAncestors(t, n, id, math.MaxInt)
}

// loadAncestors is loadChain for no more than so many shares.
func loadAncestors(t *testing.T, n *harness.Node, id string, most int) []*share.Share {
	t.Helper()
	var chain []*share.Share
	for {
		s := loadShare(t, n, id)
		chain = append(chain, s)
		if s.Data.IsFirst() || len(chain) == most {
			return chain
		}
		id = s.Data.Previous.String()
	}
}

// workOf is 2^256 / (target + 1).
func workOf(bits uint32) *big.Int {
	target := big.NewInt(int64(bits & 0x7fffff))
	target.Lsh(target, uint(8*(bits>>24-3)))
	return new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 256), target.Add(target, big.NewInt(1)))
}

// Regtest's constants.
const (
	window       = 2160
	decay        = 540
	finderFee    = 200
	minPayout    = 5000
	nephewsShare = 10
)

// weightOf is 2^(height/decay) relative to an epoch, in 16-bit fixed point.
func weightOf(height, base uint32) *big.Int {
	x := int64(height%decay) << 16 / decay
	sum := new(big.Int)
	for i, c := range []int64{195766423245049, 971821376, 5127} {
		term := new(big.Int).Exp(big.NewInt(x), big.NewInt(int64(i+1)), nil)
		sum.Add(sum, term.Mul(term, big.NewInt(c)))
	}
	sum.Add(sum, big.NewInt(1<<47)).Rsh(sum, 48).Add(sum, big.NewInt(65536))
	return sum.Lsh(sum, uint(height/decay-base))
}

// scoresOf adds up the window, newest share first.
func scoresOf(t *testing.T, n *harness.Node, chain []*share.Share) map[string]*big.Int {
	t.Helper()
	chain = chain[:min(len(chain), window)]
	scores := map[string]*big.Int{}
	if len(chain) == 0 {
		return scores
	}
	credit := func(payee []byte, units int64, work, weight *big.Int) {
		if scores[string(payee)] == nil {
			scores[string(payee)] = new(big.Int)
		}
		amount := new(big.Int).Mul(work, weight)
		scores[string(payee)].Add(scores[string(payee)], amount.Mul(amount, big.NewInt(units)))
	}
	base := chain[len(chain)-1].Data.Height / decay
	for _, s := range chain {
		weight := weightOf(s.Data.Height, base)
		credit(s.Data.Payee, nephewsShare, workOf(s.Data.Bits), weight)
		for _, id := range s.Data.Uncles {
			u := loadShare(t, n, id.String())
			credit(s.Data.Payee, 1, workOf(u.Data.Bits), weight)
			credit(u.Data.Payee, nephewsShare-1, workOf(u.Data.Bits), weight)
		}
	}
	return scores
}

type output struct {
	script string
	amount int64
}

// payoutsOf returns the outputs behind the finder's, and the finder's amount.
func payoutsOf(scores map[string]*big.Int, value int64) (outputs []output, finder int64) {
	reward := big.NewInt(value - value/finderFee)
	total := new(big.Int)
	for _, s := range scores {
		total.Add(total, s)
	}
	finder = value
	for script, s := range scores {
		amount := new(big.Int).Mul(reward, s)
		sat := amount.Div(amount, total).Int64()
		outputs = append(outputs, output{script, sat})
		finder -= sat
	}
	slices.SortFunc(outputs, func(a, b output) int {
		return cmp.Or(cmp.Compare(b.amount, a.amount), cmp.Compare(a.script, b.script))
	})
	return outputs, finder
}

// verifyBlock compares the coinbase that the Bitcoin node reports for a block of
// the pool with the one recomputed from the shares. It returns false for a block
// that does not pay all miners for past work.
func verifyBlock(t *testing.T, p *harness.Pool, hash string) bool {
	t.Helper()
	n := p.Nodes[0]
	chain := loadAncestors(t, n, hash, 1+window)
	found := chain[0]
	scores := scoresOf(t, n, chain[1:])
	if len(scores) < len(p.Payees) {
		return false
	}
	want, finder := payoutsOf(scores, found.Data.CoinbaseValue)
	if slices.ContainsFunc(want, func(o output) bool { return o.amount < minPayout }) {
		return false // somebody's part goes by the draw
	}
	want = append([]output{{string(found.Data.Payee), finder}}, want...)
	got, confirmations, err := harness.Coinbase(t.Context(), p.Bitcoin, hash)
	if err != nil || confirmations < 1 {
		t.Fatalf("block %s: %v, %d confirmations", hash, err, confirmations)
	}
	got = slices.DeleteFunc(got, func(o harness.Output) bool { return o.Amount == 0 })
	if len(got) != len(want) {
		t.Fatalf("block %s has %d outputs, want %d", hash, len(got), len(want))
	}
	var sum int64
	for i := range want {
		script, err := hex.DecodeString(got[i].Script)
		if err != nil || !bytes.Equal(script, []byte(want[i].script)) || got[i].Amount != want[i].amount {
			t.Fatalf("block %s, output %d: %d sat to %s, want %d to %x", hash, i, got[i].Amount, got[i].Script, want[i].amount, want[i].script)
		}
		sum += got[i].Amount
	}
	if sum != found.Data.CoinbaseValue {
		t.Fatalf("block %s pays %d of %d sat", hash, sum, found.Data.CoinbaseValue)
	}
	return true
}
