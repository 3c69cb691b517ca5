package share

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// differentialRounds is how many headers and merkle roots are compared.
func differentialRounds() int {
	if testing.Short() {
		return 10_000
	}
	return 100_000
}

// TestHeadersAgainstBtcd encodes and hashes pseudo-random headers, and sends them
// through a share's encoding and back.
func TestHeadersAgainstBtcd(t *testing.T) {
	rng := rand.New(rand.NewPCG(340, 1))
	s := fullShare()
	var want bytes.Buffer
	for range differentialRounds() {
		h := wire.BlockHeader{
			Version: int32(rng.Uint32()), Bits: rng.Uint32(), Nonce: rng.Uint32(),
			Timestamp: time.Unix(int64(rng.Uint32()), 0),
		}
		for i := range h.PrevBlock {
			h.PrevBlock[i], h.MerkleRoot[i] = byte(rng.Uint32()), byte(rng.Uint32())
		}
		want.Reset()
		if err := h.Serialize(&want); err != nil {
			t.Fatal(err)
		}
		if got := AppendHeader(nil, &h); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("header %+v: %x, btcd %x", h, got, want.Bytes())
		}
		s.Header = h
		back, err := Decode(s.Encode())
		if err != nil || back.ID() != h.BlockHash() {
			t.Fatalf("header %+v came back as %+v, %v", h, back, err)
		}
	}
}

// TestMerkleRootsAgainstBtcd climbs from the first of 1 to 16 pseudo-random
// transactions to the root that btcd computes over all of them.
func TestMerkleRootsAgainstBtcd(t *testing.T) {
	rng := rand.New(rand.NewPCG(340, 2))
	var txs []*btcutil.Tx
	for i := range 64 {
		txs = append(txs, btcutil.NewTx(&wire.MsgTx{Version: int32(i)}))
	}
	leaves := make([]chainhash.Hash, 0, 16)
	for round := range differentialRounds() {
		block := make([]*btcutil.Tx, 1+rng.IntN(16))
		leaves = leaves[:0]
		for i := range block {
			block[i] = txs[rng.IntN(len(txs))]
			leaves = append(leaves, *block[i].Hash())
		}
		coinbase := leaves[0]
		root := MerkleRoot(coinbase, coinbaseBranch(leaves))
		if want := blockchain.CalcMerkleRoot(block, false); root != want {
			t.Fatalf("round %d: %d transactions give %v, btcd %v", round, len(block), root, want)
		}
	}
}

// coinbaseBranch returns the merkle branch of the first leaf, level by level. It
// overwrites the leaves.
func coinbaseBranch(level []chainhash.Hash) []chainhash.Hash {
	var branch []chainhash.Hash
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		branch = append(branch, level[1])
		for i := range len(level) / 2 {
			level[i] = chainhash.DoubleHashH(append(level[2*i][:], level[2*i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	return branch
}
