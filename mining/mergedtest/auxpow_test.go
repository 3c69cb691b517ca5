package mergedtest

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// TestVectors: the judge accepts what the chains have accepted.
func TestVectors(t *testing.T) {
	for _, v := range Vectors() {
		t.Run(v.Name, func(t *testing.T) {
			if got := v.ID().String(); got != v.Hash {
				t.Fatalf("hash %s, published %s", got, v.Hash)
			}
			if id := uint32(v.Header.Version) >> 16; id != v.ChainID {
				t.Errorf("chain id %d, want %d", id, v.ChainID)
			}
			a, err := ParseAuxPow(v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Check(v.ID(), v.ChainID); err != nil {
				t.Error(err)
			}
			if err := a.CheckWork(v.Header.Bits); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCheckRefuses: what is wrong with a proof is found.
func TestCheckRefuses(t *testing.T) {
	list := Vectors()
	early, several := list[1], list[2] // without the magic, and of 16 slots
	script := func(a *AuxPow, change func([]byte) []byte) {
		in := a.Coinbase.TxIn[0]
		in.SignatureScript = change(append([]byte(nil), in.SignatureScript...))
		a.Branch, a.Parent.MerkleRoot = nil, a.Coinbase.TxHash()
	}
	for _, tc := range []struct {
		name string
		v    Vector
		edit func(a *AuxPow)
		want string
	}{
		{"own chain id", several, func(a *AuxPow) { a.Parent.Version = 1 << 16 }, "our chain id"},
		{"long branch", several, func(a *AuxPow) { a.ChainBranch = make([]chainhash.Hash, 31) }, "too long"},
		{"not in the parent", several, func(a *AuxPow) { a.Parent.MerkleRoot[0]++ }, "not in the parent"},
		{"second transaction", several, func(a *AuxPow) { a.Index = 1 }, "not the first"},
		{"another branch", several, func(a *AuxPow) { a.ChainBranch[0][5]++ }, "lacks the root"},
		{"another slot", several, func(a *AuxPow) { a.ChainIndex ^= 1 << 6 }, "belongs into 11"},
		{"magic twice", several, func(a *AuxPow) {
			script(a, func(s []byte) []byte { return append(s, magic...) })
		}, "twice"},
		{"magic elsewhere", early, func(a *AuxPow) {
			script(a, func(s []byte) []byte { return append(s, magic...) })
		}, "not just before"},
		{"too late", early, func(a *AuxPow) {
			script(a, func(s []byte) []byte { return append(make([]byte, maxEarly), s...) })
		}, "too far"},
		{"cut", early, func(a *AuxPow) {
			script(a, func(s []byte) []byte { return s[:len(s)-1] })
		}, "missing"},
	} {
		a, err := ParseAuxPow(tc.v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		tc.edit(a)
		if err := a.Check(tc.v.ID(), tc.v.ChainID); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want …%s…", tc.name, err, tc.want)
		}
	}
	a, err := ParseAuxPow(several.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if a.Check(several.ID(), 2) == nil || a.Check(early.ID(), 1) == nil || a.CheckWork(0x03000001) == nil {
		t.Error("accepted for another chain, another block or too little work")
	}
}

func FuzzParseAuxPow(f *testing.F) {
	for _, v := range Vectors() {
		f.Add(v.Raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAuxPow(b); err == nil {
			a.Check(chainhash.Hash{}, 1)
			a.CheckWork(0x207fffff)
		}
	})
}
