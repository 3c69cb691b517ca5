package fakechain

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// ErrForged is the kind of the rule that shares made by Forge break.
const ErrForged share.ErrorKind = "ErrForged"

const (
	// start is the time of every chain's first share.
	start = 1_700_000_000
	// branchLength is that of a block with some 4,000 transactions: shares are as
	// long as real ones.
	branchLength = 12
	// payouts is the number of outputs of a coinbase that nobody looks into.
	payouts    = 12
	headerSize = 80
	// usualBits are stated by all shares but those made by Ease.
	usualBits = 0x207fffff
)

// New makes a share on top of parent, the zero hash for a first share. Shares of
// different salt differ. It states the count and work of a chain without uncles
// but its own.
func New(parent chainhash.Hash, height uint32, salt uint32, uncles ...chainhash.Hash) *share.Share {
	return NewStating(uint64(height), parent, height, salt, uncles...)
}

// NewStating makes a share on top of parent that says of it that its chain has so
// much work.
func NewStating(work uint64, parent chainhash.Hash, height uint32, salt uint32, uncles ...chainhash.Hash) *share.Share {
	slices.SortFunc(uncles, func(a, b chainhash.Hash) int { return slices.Compare(a[:], b[:]) })
	work += uint64(1 + len(uncles))
	s := &share.Share{
		Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(start, 0), Bits: 0x207fffff},
		Data: share.Data{
			Version: share.Version, Previous: parent, Uncles: uncles, Height: height,
			Time: start + 10*height, Bits: usualBits, Anchor: start, Count: uint32(work),
			Payee:             append([]byte{0x00, 0x14}, make([]byte, 20)...),
			WitnessCommitment: make([]byte, share.WitnessCommitmentSize),
		},
		Branch: make([]chainhash.Hash, branchLength),
	}
	s.Link = share.NewLink(s.Data.AppendCoinbasePrefix(nil, 0, make([]share.Payout, payouts)))
	s.Data.Work.SetUint64(work) // each share and uncle counts one
	binary.LittleEndian.PutUint32(s.Extranonce[:], salt)
	s.Header.MerkleRoot = bind(s.Encode())
	return s
}

// Forge returns an invalid share with the same header, and so the same id, as s.
func Forge(s *share.Share) *share.Share {
	f := *s
	f.Extranonce[11] ^= 0xff
	return &f
}

// Ease returns a valid share like s that was cheap to make.
func Ease(s *share.Share) *share.Share {
	e := *s
	e.Data.Bits++
	e.Header.MerkleRoot = bind(e.Encode())
	return &e
}

// bind stands in for the coinbase: it ties a share's data to its header.
func bind(raw []byte) chainhash.Hash { return chainhash.DoubleHashH(raw[headerSize:]) }

// Commit makes a share that nobody has yet commit to the transactions of its block.
func Commit(s *share.Share, branch []chainhash.Hash, witnessCommitment chainhash.Hash) {
	s.Branch = branch
	s.Data.WitnessCommitment = slices.Clone(witnessCommitment[:])
	s.Header.MerkleRoot = bind(s.Encode())
}
