package mining

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Job is what a device works on: everything of a Bitcoin block but extranonce,
// time, nonce and the version bits it may roll. It is immutable and safe for
// concurrent use.
type Job struct {
	PrevBlock chainhash.Hash
	Version   int32
	Bits      uint32 // compact Bitcoin target
	Time      uint32 // header time to begin with, Unix seconds
	// MinTime and MaxTime bound the header times that are accepted.
	MinTime, MaxTime uint32
	// Head, Shared and Tail are the coinbase without witness up to the 12 bytes of
	// extranonce, Coinb2 what follows them, the lock time. Shared is the long part and
	// the same for all jobs of a work and class, so that jobs for many payees cost
	// little; nil stands for no bytes.
	Head   []byte
	Shared *Shared
	Tail   []byte
	Coinb2 []byte
	Branch []chainhash.Hash // merkle branch of the coinbase

	ShareTarget   uint256.Uint256 // a hash that meets it is a share
	BlockTarget   uint256.Uint256 // a hash that meets it is a Bitcoin block
	AuxTarget     uint256.Uint256 // a hash that meets it is a block of another chain; zero: there is none
	ShareHeight   uint32          // of the share to be found
	BitcoinHeight uint32          // of the block to be found

	data     share.Data
	template *Template // with the transactions of the block
	aux      *AuxWork  // may be nil

	lazy *lazyLink // nil: a job made by other hands
}

// usualHead is room for the head of a coinbase: without merged mining it has some 115
// bytes.
const usualHead = 128

// jobMemory is a job with all that belongs to no other, in one piece: of what a new tip
// costs for thousands of payees, allocation is the most that can be spared.
type jobMemory struct {
	Job
	lazy       lazyLink
	commitment chainhash.Hash // to the share
	payee      [share.MaxPayee]byte
	head       [usualHead]byte
}

// lazyLink is the link of every share of a job, computed when first needed.
type lazyLink struct {
	once sync.Once
	link share.Link
}

// Shared is the part of a coinbase that many jobs have in common. It is immutable and
// safe for concurrent use.
type Shared struct {
	Bytes []byte

	once sync.Once
	hex  []byte
}

// Hex returns the part in hexadecimal, computed when first asked for. The caller must
// not change it.
func (s *Shared) Hex() []byte {
	if s == nil {
		return nil
	}
	s.once.Do(func() { s.hex = hex.AppendEncode(nil, s.Bytes) })
	return s.hex
}

// bytes returns the part, also of nil.
func (s *Shared) bytes() []byte {
	if s == nil {
		return nil
	}
	return s.Bytes
}

// Coinb1 returns the coinbase without witness up to the extranonce.
func (j *Job) Coinb1() []byte { return slices.Concat(j.Head, j.Shared.bytes(), j.Tail) }

// link returns the link of every share of the job. It takes a hash over the coinbase,
// which a job that nobody solves is spared.
func (j *Job) link() *share.Link {
	l := j.lazy
	l.once.Do(func() { l.link = share.NewLink(slices.Concat(j.Head, j.Shared.bytes())) })
	return &l.link
}

// Class returns the output class the job really has, which is smaller than the
// one asked for if the template leaves no room.
func (j *Job) Class() share.Class { return j.data.Class }

// Header returns the block header of a solution.
func (j *Job) Header(extranonce [share.ExtranonceSize]byte, version int32, ntime, nonce uint32) wire.BlockHeader {
	return wire.BlockHeader{
		Version:    version,
		PrevBlock:  j.PrevBlock,
		MerkleRoot: share.MerkleRoot(j.coinbaseID(extranonce), j.Branch),
		Timestamp:  time.Unix(int64(ntime), 0),
		Bits:       j.Bits,
		Nonce:      nonce,
	}
}

// coinbase returns the coinbase transaction without witness.
func (j *Job) coinbase(extranonce [share.ExtranonceSize]byte) []byte {
	return slices.Concat(j.Head, j.Shared.bytes(), j.Tail, extranonce[:], j.Coinb2)
}

// coinbaseID returns its hash. A share's coinbase needs to be hashed from where the
// link stops only.
func (j *Job) coinbaseID(extranonce [share.ExtranonceSize]byte) chainhash.Hash {
	if j.lazy == nil {
		return chainhash.DoubleHashH(j.coinbase(extranonce))
	}
	return j.link().TxID((*chainhash.Hash)(j.Tail), &extranonce, binary.LittleEndian.Uint32(j.Coinb2))
}

// share builds the share that a solution is.
func (j *Job) share(s Solution) *share.Share {
	return &share.Share{
		Header:     j.Header(s.Extranonce, s.Version, s.Time, s.Nonce),
		Data:       j.data,
		Extranonce: s.Extranonce,
		Link:       *j.link(),
		Branch:     j.Branch,
	}
}

// block serializes the Bitcoin block that a solution is.
func (j *Job) block(s Solution) RawBlock {
	header := j.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
	return assemble(&header, j.coinbase(s.Extranonce), true, j.template.rawTxs())
}
