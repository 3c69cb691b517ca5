package share

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

// Version is the version of the share data this package knows.
const Version = 1

// Bounds of the fields. They are part of consensus.
const (
	// MaxUncles is the number of uncles one share may reference.
	MaxUncles = 3
	// MaxTag is the length of the coinbase tag in bytes, and MaxTagMerged that
	// of a share with a merged-mining commitment: with both at their longest a
	// coinbase of class 12 has 756 bytes, and some devices take little more.
	MaxTag       = 16
	MaxTagMerged = 4
	// MaxWorkBits is the length of a chain's work: 2¹²⁸ hashes are ten
	// billion years at Bitcoin's 10²¹ a second.
	MaxWorkBits = 128
	// MaxBranch is the length of the coinbase's merkle branch: 2¹⁶
	// transactions are more than any block of 4,000,000 weight units holds.
	MaxBranch = 16
	// WitnessCommitmentSize and MergedMiningSize are the lengths of the
	// optional fields when present: a hash, and root ‖ size ‖ nonce.
	WitnessCommitmentSize = 32
	MergedMiningSize      = 40
	// MaxMoney is the number of satoshis that can ever exist (Bitcoin Core's
	// MAX_MONEY), in sat.
	MaxMoney = 21_000_000 * 100_000_000
	// ExtranonceSize is the extranonce at the end of the coinbase: 4 bytes chosen by the
	// node for each connection, then 8 rolled by the miner.
	ExtranonceSize = 12
)

// Data is what a share commits to. The zero hash as Previous marks the first
// share of a chain. Anchor, Count and Work follow from the shares below; they are
// committed so that a share still tells its difficulty schedule and its chain's
// work where those are gone, as on a node that joined from the middle.
type Data struct {
	Version           uint32
	Previous          chainhash.Hash
	Uncles            []chainhash.Hash // strictly ascending in byte order
	Height            uint32           // of the share; the first has 0
	Time              uint32           // when the job was made, Unix seconds
	Bits              uint32           // compact share target
	Anchor            uint32           // time of the chain's first share
	Count             uint32           // shares and referenced uncles, up to and including this one
	Work              uint256.Uint256  // expected hashes of those, below 2¹²⁸
	Payee             []byte           // output script of the share's miner
	BitcoinHeight     uint32           // of the block the header would be
	CoinbaseValue     int64            // subsidy and fees, sat
	Class             Class
	Tag               []byte
	WitnessCommitment []byte // nil, or BIP 141's 32-byte commitment hash
	MergedMining      []byte // nil, or root ‖ size ‖ nonce of the aux tree
}

// Share is a proof of work together with what it proves.
type Share struct {
	Header     wire.BlockHeader // the Bitcoin header
	Data       Data
	Extranonce [ExtranonceSize]byte
	Link       Link             // stands for the coinbase before the commitment
	Branch     []chainhash.Hash // from the coinbase up to the merkle root
}

// ID returns the ShareID, the hash of the Bitcoin header.
func (s *Share) ID() chainhash.Hash { return s.Header.BlockHash() }

// IsFirst reports whether the share claims to be the first of its chain.
func (d *Data) IsFirst() bool { return d.Previous == chainhash.Hash{} }

// CheckSanity checks everything that needs no context: the bounds of all fields,
// that the header's hash meets the claimed bits, and that the header's merkle root is
// made of all the rest. So there is one body at most for each ShareID, whatever the
// context, but of no other sharechain. It returns the target. Any error is a
// RuleError.
func (s *Share) CheckSanity(chainID *chainhash.Hash) (uint256.Uint256, error) {
	t, err := s.CheckWork()
	if err != nil {
		return t, err
	}
	if root := s.merkleRoot(chainID); root != s.Header.MerkleRoot {
		return t, ruleError(ErrMerkleRoot, "share %v: its data, link and branch give merkle root %v, its header has %v",
			s.ID(), root, s.Header.MerkleRoot)
	}
	return t, nil
}

// CheckWork is CheckSanity for a share whose merkle root was made of all the rest
// just now, as a store does: it is not looked at again.
func (s *Share) CheckWork() (uint256.Uint256, error) {
	if err := s.checkBounds(); err != nil {
		return uint256.Uint256{}, err
	}
	t, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		return t, ruleError(ErrBits, "share bits %08x: %v", s.Data.Bits, err)
	}
	id := s.ID()
	if !target.HashMeets(&id, &t) {
		return t, ruleError(ErrProofOfWork, "share %v does not meet its bits %08x", id, s.Data.Bits)
	}
	return t, nil
}

// checkBounds verifies the bounds of all fields.
func (s *Share) checkBounds() error {
	if err := s.Data.check(); err != nil {
		return err
	}
	if len(s.Branch) > MaxBranch {
		return ruleError(ErrBranch, "merkle branch of %d hashes, at most %d are allowed", len(s.Branch), MaxBranch)
	}
	return s.Link.check()
}

// check verifies the bounds of the share data.
func (d *Data) check() error {
	if d.Version != Version {
		return ruleError(ErrVersion, "share version %d, this node knows version %d", d.Version, Version)
	}
	if len(d.Uncles) > MaxUncles {
		return ruleError(ErrTooManyUncles, "share has %d uncles, at most %d are allowed", len(d.Uncles), MaxUncles)
	}
	for i := 1; i < len(d.Uncles); i++ {
		if compareHashes(&d.Uncles[i-1], &d.Uncles[i]) >= 0 {
			return ruleError(ErrUncleOrder, "uncles are not in strictly ascending order")
		}
	}
	if d.Work.BitLen() > MaxWorkBits {
		return ruleError(ErrWork, "chain work of %d bits, at most %d are allowed", d.Work.BitLen(), MaxWorkBits)
	}
	if err := CheckPayee(d.Payee); err != nil {
		return err
	}
	if d.CoinbaseValue < 0 || d.CoinbaseValue > MaxMoney {
		return ruleError(ErrCoinbaseValue, "coinbase value of %d sat is outside of 0 to %d", d.CoinbaseValue, int64(MaxMoney))
	}
	if !d.Class.Valid() {
		return ruleError(ErrClass, "unknown output class %d", uint8(d.Class))
	}
	return d.checkOptional()
}

// checkOptional verifies the fields that may be absent.
func (d *Data) checkOptional() error {
	if n := len(d.WitnessCommitment); n != 0 && n != WitnessCommitmentSize {
		return ruleError(ErrWitnessCommitment, "witness commitment of %d bytes, it has 0 or %d", n, WitnessCommitmentSize)
	}
	maxTag := MaxTag
	switch len(d.MergedMining) {
	case 0:
	case MergedMiningSize:
		maxTag = MaxTagMerged
	default:
		return ruleError(ErrMergedMining, "merged-mining commitment of %d bytes, it has 0 or %d", len(d.MergedMining), MergedMiningSize)
	}
	if len(d.Tag) > maxTag {
		return ruleError(ErrTag, "tag of %d bytes, at most %d are allowed here", len(d.Tag), maxTag)
	}
	return nil
}
