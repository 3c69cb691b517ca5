package mergedtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

// AuxPow is an aux proof of work as it was read.
type AuxPow struct {
	Coinbase    wire.MsgTx
	BlockHash   chainhash.Hash // of the parent; not looked at, and newer Namecoin nodes write zeros
	Branch      []chainhash.Hash
	Index       int32
	ChainBranch []chainhash.Hash
	ChainIndex  int32
	Parent      wire.BlockHeader
}

// maxBranch bounds the branches that are read: far more than any tree has.
const maxBranch = 64

// ParseAuxPow reads an aux proof of work and refuses anything behind it.
func ParseAuxPow(b []byte) (*AuxPow, error) {
	r := bytes.NewReader(b)
	a := new(AuxPow)
	if err := a.read(r); err != nil {
		return nil, err
	}
	if r.Len() != 0 {
		return nil, fmt.Errorf("%d bytes behind the aux proof of work", r.Len())
	}
	return a, nil
}

func (a *AuxPow) read(r io.Reader) (err error) {
	if err = a.Coinbase.Deserialize(r); err != nil {
		return fmt.Errorf("coinbase: %w", err)
	}
	if _, err = io.ReadFull(r, a.BlockHash[:]); err != nil {
		return err
	}
	if a.Branch, a.Index, err = readBranch(r); err != nil {
		return fmt.Errorf("coinbase branch: %w", err)
	}
	if a.ChainBranch, a.ChainIndex, err = readBranch(r); err != nil {
		return fmt.Errorf("chain branch: %w", err)
	}
	return a.Parent.Deserialize(r)
}

// readBranch reads the hashes of a branch and the position of its leaf.
func readBranch(r io.Reader) (branch []chainhash.Hash, index int32, err error) {
	n, err := wire.ReadVarInt(r, 0)
	if err != nil {
		return nil, 0, err
	}
	if n > maxBranch {
		return nil, 0, fmt.Errorf("%d hashes", n)
	}
	branch = make([]chainhash.Hash, n)
	for i := range branch {
		if _, err := io.ReadFull(r, branch[i][:]); err != nil {
			return nil, 0, err
		}
	}
	return branch, index, binary.Read(r, binary.LittleEndian, &index)
}

// magic precedes the root in the coinbase script.
var magic = []byte{0xfa, 0xbe, 'm', 'm'}

const (
	// maxChainBranch and maxEarly are Namecoin's: a longer branch is refused, and a
	// root without the magic must begin within so many bytes of the script.
	maxChainBranch = 30
	maxEarly       = 20
)

// Check returns nil if the proof is about this block of the chain with this id, by
// the rules of Namecoin Core (CAuxPow::check, with its strict chain id), which other
// chains have taken over. It does not look at the work.
func (a *AuxPow) Check(hash chainhash.Hash, chainID uint32) error {
	if int32(a.Parent.Version)>>16 == int32(chainID) {
		return errors.New("the parent has our chain id")
	}
	if len(a.ChainBranch) > maxChainBranch {
		return errors.New("the chain branch is too long")
	}
	root := climb(hash, a.ChainBranch, a.ChainIndex)
	slices.Reverse(root[:])
	if climb(a.Coinbase.TxHash(), a.Branch, 0) != a.Parent.MerkleRoot {
		return errors.New("the coinbase is not in the parent")
	}
	if a.Index != 0 {
		return errors.New("the coinbase is not the first transaction")
	}
	if len(a.Coinbase.TxIn) == 0 {
		return errors.New("the coinbase has no input")
	}
	return a.checkScript(a.Coinbase.TxIn[0].SignatureScript, root[:], chainID)
}

// checkScript finds the root, and size and nonce behind it, in the coinbase script.
func (a *AuxPow) checkScript(script, root []byte, chainID uint32) error {
	at, head := bytes.Index(script, root), bytes.Index(script, magic)
	switch {
	case at < 0:
		return errors.New("the coinbase script lacks the root")
	case head < 0 && at > maxEarly:
		return errors.New("the root is too far behind, without the magic")
	case head >= 0 && bytes.Contains(script[head+1:], magic):
		return errors.New("the magic is there twice")
	case head >= 0 && head+len(magic) != at:
		return errors.New("the magic is not just before the root")
	}
	rest := script[at+len(root):]
	if len(rest) < 8 {
		return errors.New("size and nonce are missing")
	}
	size, nonce := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
	if size != 1<<len(a.ChainBranch) {
		return fmt.Errorf("size %d with a chain branch of %d", size, len(a.ChainBranch))
	}
	if want := ExpectedIndex(nonce, chainID, len(a.ChainBranch)); uint32(a.ChainIndex) != want {
		return fmt.Errorf("in slot %d of %d, chain %d belongs into %d", a.ChainIndex, size, chainID, want)
	}
	return nil
}

// CheckWork returns nil if the parent's hash meets a compact target.
func (a *AuxPow) CheckWork(bits uint32) error {
	goal, err := target.FromCompact(bits)
	if err != nil {
		return err
	}
	if hash := a.Parent.BlockHash(); !target.HashMeets(&hash, &goal) {
		return fmt.Errorf("the parent's hash %v misses the target %08x", hash, bits)
	}
	return nil
}

// ExpectedIndex is the slot of a chain in a tree of the given height, with the
// arithmetic of Namecoin Core (CAuxPow::getExpectedIndex).
func ExpectedIndex(nonce, chainID uint32, height int) uint32 {
	size := uint64(1) << height
	rand := (uint64(nonce)*1103515245 + 12345) % size
	rand += uint64(chainID)
	return uint32((rand*1103515245 + 12345) % size)
}

// climb goes from a leaf up to the root.
func climb(hash chainhash.Hash, branch []chainhash.Hash, index int32) chainhash.Hash {
	for _, other := range branch {
		if index&1 == 1 {
			hash = chainhash.DoubleHashH(append(other[:], hash[:]...))
		} else {
			hash = chainhash.DoubleHashH(append(hash[:], other[:]...))
		}
		index >>= 1
	}
	return hash
}
