package share

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// MerkleRoot climbs from the coinbase's transaction hash, the leftmost leaf, up
// its branch.
func MerkleRoot(coinbase chainhash.Hash, branch []chainhash.Hash) chainhash.Hash {
	root := coinbase
	for i := range branch {
		root = hashPair(&root, &branch[i])
	}
	return root
}

// MerkleBranch returns the merkle branch of position 0 in a tree whose leaves are an
// unknown first leaf followed by ids, lowest level first. The branch of n ids has
// ⌈log2(n+1)⌉ hashes. ids is left alone.
func MerkleBranch(ids []chainhash.Hash) []chainhash.Hash {
	var branch []chainhash.Hash
	level := slices.Clone(ids) // the level without its leftmost node
	for len(level) > 0 {
		branch = append(branch, level[0])

		// The rest pairs up among itself; Bitcoin repeats an odd last hash.
		rest := level[1:]
		n := 0
		for i := 0; i < len(rest); i += 2 {
			level[n] = hashPair(&rest[i], &rest[min(i+1, len(rest)-1)])
			n++
		}
		level = level[:n]
	}
	return branch
}

// WitnessCommitment returns the hash that the coinbase's witness commitment output
// carries behind its 6-byte head (BIP 141) in a block whose transactions but the
// coinbase have these ids with witness, for the reserved value of 32 zero bytes.
func WitnessCommitment(wtxids []chainhash.Hash) chainhash.Hash {
	var coinbase, reserved chainhash.Hash // the coinbase counts as a hash of zeros
	root := MerkleRoot(coinbase, MerkleBranch(wtxids))
	return hashPair(&root, &reserved)
}

// hashPair returns the merkle tree node over two hashes: SHA256d(left ‖ right).
func hashPair(left, right *chainhash.Hash) chainhash.Hash {
	var b [2 * chainhash.HashSize]byte
	copy(b[:chainhash.HashSize], left[:])
	copy(b[chainhash.HashSize:], right[:])
	return chainhash.DoubleHashH(b[:])
}
