package mining

import (
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
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
	// Coinb1 and Coinb2 are the coinbase without witness before and behind the
	// 12 bytes of extranonce: all but the lock time stands before.
	Coinb1, Coinb2 []byte
	Branch         []chainhash.Hash // merkle branch of the coinbase

	ShareTarget   uint256.Uint256 // a hash that meets it is a share
	BlockTarget   uint256.Uint256 // a hash that meets it is a Bitcoin block
	ShareHeight   uint32          // of the share to be found
	BitcoinHeight uint32          // of the block to be found

	data share.Data
	link share.Link // of every share of the job
	work *Work
}

// Class returns the output class the job really has, which is smaller than the
// one asked for if the template leaves no room.
func (j *Job) Class() share.Class { return j.data.Class }

// Header returns the block header of a solution.
func (j *Job) Header(extranonce [share.ExtranonceSize]byte, version int32, ntime, nonce uint32) wire.BlockHeader {
	return wire.BlockHeader{
		Version:    version,
		PrevBlock:  j.PrevBlock,
		MerkleRoot: share.MerkleRoot(chainhash.DoubleHashH(j.coinbase(extranonce)), j.Branch),
		Timestamp:  time.Unix(int64(ntime), 0),
		Bits:       j.Bits,
		Nonce:      nonce,
	}
}

// coinbase returns the coinbase transaction without witness.
func (j *Job) coinbase(extranonce [share.ExtranonceSize]byte) []byte {
	return slices.Concat(j.Coinb1, extranonce[:], j.Coinb2)
}

// verify is the last look before a job leaves: outputs and template must agree
// to the satoshi, or a block found with it would be invalid.
func (j *Job) verify(r payout.Result) error {
	sum := r.Finder
	for i := range r.Payouts {
		sum += r.Payouts[i].Amount
	}
	if sum != j.data.CoinbaseValue || r.Finder < 0 || j.data.CoinbaseValue != j.work.template.CoinbaseValue {
		return fmt.Errorf("job refused: its outputs pay %d sat of a coinbase value of %d", sum, j.work.template.CoinbaseValue)
	}
	return nil
}

// share builds the share that a solution is.
func (j *Job) share(s Solution) *share.Share {
	return &share.Share{
		Header:     j.Header(s.Extranonce, s.Version, s.Time, s.Nonce),
		Data:       j.data,
		Extranonce: s.Extranonce,
		Link:       j.link,
		Branch:     j.Branch,
	}
}

// block serializes the Bitcoin block that a solution is.
func (j *Job) block(s Solution) []byte {
	header := j.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
	return assemble(&header, j.coinbase(s.Extranonce), true, j.work.template.rawTxs())
}
