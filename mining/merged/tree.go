package merged

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// MaxChains is how many chains can be mined besides Bitcoin: far more than there
	// are with a value.
	MaxChains = 32
	// maxHeight bounds the tree: nodes of the chains refuse longer branches.
	maxHeight = 30
	// treeNonce is the nonce of all trees. It is there to find an order of the chains
	// without collisions, but cannot: see slot.
	treeNonce = 0
)

// slot returns the leaf where a chain belongs in a tree of 2^height leaves, as the
// merged mining specification has it: a pseudo-random number of nonce and chain id,
// so that nobody can have two leaves for the same chain.
//
// All of it is modulo 2^height, where multiplying by an odd number maps different
// numbers to different ones. So two chains collide if and only if their ids are equal
// modulo 2^height, whatever the nonce.
func slot(chainID, nonce uint32, height int) uint32 {
	const factor, addend = 1103515245, 12345
	rand := nonce*factor + addend
	rand = (rand+chainID)*factor + addend
	return rand & (1<<height - 1)
}

// collisionError says that two chains cannot be in one tree.
type collisionError struct{ a, b uint32 }

func (e *collisionError) Error() string {
	return fmt.Sprintf("chains %d and %d have the same place in every tree of up to 2^%d leaves", e.a, e.b, maxHeight)
}

// treeHeight returns the least height with a leaf for each chain. The error is a
// *collisionError.
func treeHeight(ids []uint32) (int, error) {
	height := bits.Len(uint(max(len(ids), 1) - 1))
	for ; ; height++ {
		a, b, collide := collision(ids, height)
		if !collide {
			return height, nil
		}
		if height == maxHeight {
			return 0, &collisionError{a, b}
		}
	}
}

// collision returns the first two chains, in the order of ids, with the same slot.
func collision(ids []uint32, height int) (a, b uint32, collide bool) {
	taken := make(map[uint32]uint32, len(ids))
	for _, id := range ids {
		s := slot(id, treeNonce, height)
		if other, ok := taken[s]; ok {
			return other, id, true
		}
		taken[s] = id
	}
	return 0, 0, false
}

// tree is a merkle tree over the blocks of several chains.
type tree struct {
	height   int
	root     chainhash.Hash
	slots    []uint32           // of each chain, in the order given
	branches [][]chainhash.Hash // of each chain, lowest level first
}

// newTree builds the smallest tree over one block hash for each chain id. Empty
// leaves are zero. The error is a *collisionError.
func newTree(ids []uint32, hashes []chainhash.Hash) (*tree, error) {
	height, err := treeHeight(ids)
	if err != nil {
		return nil, err
	}
	t := &tree{height: height, branches: make([][]chainhash.Hash, len(ids))}
	// Only nodes above a chain are computed: the tree may have a billion leaves.
	level := make(map[uint32]chainhash.Hash, len(ids))
	for i, id := range ids {
		t.slots = append(t.slots, slot(id, treeNonce, height))
		level[t.slots[i]] = hashes[i]
	}
	var empty chainhash.Hash // root of an empty subtree
	for h := range height {
		node := func(n uint32) chainhash.Hash {
			if hash, ok := level[n]; ok {
				return hash
			}
			return empty
		}
		for i, s := range t.slots {
			t.branches[i] = append(t.branches[i], node(s>>h^1))
		}
		next := make(map[uint32]chainhash.Hash, len(level))
		for n := range level {
			next[n>>1] = hashPair(node(n&^1), node(n|1))
		}
		level, empty = next, hashPair(empty, empty)
	}
	t.root = level[0]
	return t, nil
}

// commitment returns what the coinbase has behind the magic: the root as it is
// printed, thus in the opposite of its byte order, then size and nonce, little endian.
func (t *tree) commitment() (c [share.MergedMiningSize]byte) {
	copy(c[:], t.root[:])
	slices.Reverse(c[:chainhash.HashSize])
	binary.LittleEndian.PutUint32(c[chainhash.HashSize:], 1<<t.height)
	binary.LittleEndian.PutUint32(c[chainhash.HashSize+4:], treeNonce)
	return c
}

// hashPair returns the node above two others.
func hashPair(left, right chainhash.Hash) chainhash.Hash {
	return chainhash.DoubleHashH(append(left[:], right[:]...))
}
