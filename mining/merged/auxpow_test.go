package merged

import (
	"bytes"
	"slices"
	"testing"

	"github.com/p2poold/p2poold/mining/mergedtest"
)

// TestPublishedProofs: made of their parts again, the published proofs have the same
// bytes.
func TestPublishedProofs(t *testing.T) {
	for _, v := range mergedtest.Vectors() {
		t.Run(v.Name, func(t *testing.T) {
			p, err := mergedtest.ParseAuxPow(v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			var coinbase bytes.Buffer
			if err := p.Coinbase.Serialize(&coinbase); err != nil {
				t.Fatal(err)
			}
			a := AuxPow{
				Coinbase: coinbase.Bytes(), Branch: p.Branch,
				ChainBranch: p.ChainBranch, ChainIndex: uint32(p.ChainIndex), Parent: p.Parent,
			}
			want := slices.Clone(v.Raw)
			// Some have zeros here, which nobody looks at.
			parent := p.Parent.BlockHash()
			copy(want[coinbase.Len():], parent[:])
			if got := a.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("got\n%x, published\n%x", got, want)
			}
		})
	}
}
