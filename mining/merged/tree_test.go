package merged

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/mining/mergedtest"
)

// TestSlots compares with the arithmetic of Namecoin Core, and with the slots of
// published blocks.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, nonce := rapid.Uint32Range(0, 1<<31-1).Draw(t, "id"), rapid.Uint32().Draw(t, "nonce")
		height := rapid.IntRange(0, maxHeight).Draw(t, "height")
		if got, want := slot(id, nonce, height), mergedtest.ExpectedIndex(nonce, id, height); got != want {
			t.Fatalf("slot %d, want %d", got, want)
		}
	})
	for _, v := range mergedtest.Vectors() {
		proof, err := mergedtest.ParseAuxPow(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		// All published ones have the nonce 0.
		if got := slot(v.ChainID, 0, len(proof.ChainBranch)); got != uint32(proof.ChainIndex) {
			t.Errorf("%s: slot %d, published %d", v.Name, got, proof.ChainIndex)
		}
	}
}

// TestNonceIsOfNoUse: why treeNonce is a constant.
func TestNonceIsOfNoUse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
		nonce, height := rapid.Uint32().Draw(t, "nonce"), rapid.IntRange(0, 8).Draw(t, "height")
		collide := slot(a, nonce, height) == slot(b, nonce, height)
		if equal := (a^b)&(1<<height-1) == 0; collide != equal {
			t.Fatalf("collision %v, equal modulo 2^%d %v", collide, height, equal)
		}
	})
}

func TestTreeHeight(t *testing.T) {
	for _, tc := range []struct {
		ids  []uint32
		want int // -1: a collision
	}{
		{[]uint32{1}, 0},
		{[]uint32{1, 2}, 1},
		{[]uint32{1, 3}, 2},
		{[]uint32{1, 2, 3}, 2},
		{[]uint32{0, 16}, 5},
		{[]uint32{1, 6, 8, 20, 98, 1224, 1829, 8228}, 7}, // of real chains
		{[]uint32{0, 1 << 29}, 30},
		{[]uint32{5, 5 + 1<<30}, -1},
		{[]uint32{1, 7, 7}, -1},
	} {
		got, err := treeHeight(tc.ids)
		e, collide := errors.AsType[*collisionError](err)
		if collide != (tc.want < 0) || !collide && got != tc.want {
			t.Errorf("%d: height %d, %v; want %d", tc.ids, got, err, tc.want)
		}
		if collide && (!slices.Contains(tc.ids, e.a) || !slices.Contains(tc.ids, e.b)) {
			t.Errorf("%d: %v", tc.ids, err)
		}
	}
}

// proofOf wraps a chain's way to the root into a proof that has all else right.
func proofOf(t *tree, i int) *mergedtest.AuxPow {
	c := t.commitment()
	coinbase := wire.MsgTx{Version: 2}
	coinbase.AddTxIn(&wire.TxIn{SignatureScript: append([]byte{1, 1, 44, 0xfa, 0xbe, 'm', 'm'}, c[:]...)})
	return &mergedtest.AuxPow{
		Coinbase: coinbase, ChainBranch: t.branches[i], ChainIndex: int32(t.slots[i]),
		Parent: wire.BlockHeader{Version: -1, MerkleRoot: coinbase.TxHash()},
	}
}

// TestTrees: any chains there may be have slots of their own, and each can prove that
// its block is in the tree; or there is a clear error.
func TestTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.Uint32Range(0, 1<<16-1), rapid.Uint32Range(0, 1<<31-1), rapid.Map(rapid.Uint32Range(0, 7), func(n uint32) uint32 { return n << 28 }))
		ids := rapid.SliceOfNDistinct(id, 1, MaxChains, rapid.ID).Draw(t, "ids")
		hashes := make([]chainhash.Hash, len(ids))
		for i := range hashes {
			binary.LittleEndian.PutUint32(hashes[i][:], ids[i])
			hashes[i][31] = 1
		}
		tree, err := newTree(ids, hashes)
		if err != nil {
			e, ok := errors.AsType[*collisionError](err)
			if !ok || (e.a^e.b)&(1<<maxHeight-1) != 0 || e.a == e.b {
				t.Fatal(err)
			}
			return
		}
		for i := range ids {
			if err := proofOf(tree, i).Check(hashes[i], ids[i]); err != nil {
				t.Errorf("chain %d of %d: %v", ids[i], ids, err)
			}
		}
	})
}

// TestSparseTree compares with a tree of all leaves.
func TestSparseTree(t *testing.T) {
	ids := []uint32{1, 20, 98, 90}
	hashes := []chainhash.Hash{{1}, {2}, {3}, {4}}
	tree, err := newTree(ids, hashes)
	if err != nil {
		t.Fatal(err)
	}
	level := make([]chainhash.Hash, 1<<tree.height)
	for i, s := range tree.slots {
		level[s] = hashes[i]
	}
	for ; len(level) > 1; level = level[:len(level)/2] {
		for i := range len(level) / 2 {
			level[i] = hashPair(level[2*i], level[2*i+1])
		}
	}
	if level[0] != tree.root {
		t.Errorf("root %v, want %v", tree.root, level[0])
	}
}

// TestAloneInTheTree: one chain's block is the root itself, printed as it is.
func TestAloneInTheTree(t *testing.T) {
	for _, v := range mergedtest.Vectors() {
		if v.Name != "namecoin-19200" {
			continue
		}
		tree, err := newTree([]uint32{v.ChainID}, []chainhash.Hash{v.ID()})
		if err != nil {
			t.Fatal(err)
		}
		c := tree.commitment()
		proof, err := mergedtest.ParseAuxPow(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		script := proof.Coinbase.TxIn[0].SignatureScript
		if got := script[len(script)-len(c):]; !slices.Equal(got, c[:]) {
			t.Errorf("the published coinbase has %x, we would write %x", got, c)
		}
	}
}

// BenchmarkTree is a tree of as many chains as there may be, whose ids need 2^16
// leaves.
func BenchmarkTree(b *testing.B) {
	ids, hashes := []uint32{1, 1 + 1<<15}, make([]chainhash.Hash, MaxChains)
	for i := uint32(2); i < MaxChains; i++ {
		ids = append(ids, i*1009)
	}
	for b.Loop() {
		if _, err := newTree(ids, hashes); err != nil {
			b.Fatal(err)
		}
	}
}
