package share

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Payout is one output of the coinbase.
type Payout struct {
	Script []byte
	Amount int64 // sat
}

const (
	// commitmentTag is the tag of the commitment's tagged hash (BIP 340).
	commitmentTag = "p2pool/share"

	// coinbaseVersion, coinbaseSequence and the locktime of height-1 are what
	// BIP 54 asks of coinbases; version 2 is what Bitcoin Core makes.
	coinbaseVersion  = 2
	coinbaseSequence = 0xfffffffe
)

// mergedMiningMagic precedes the merged-mining commitment, as Namecoin's merged
// mining specification has it.
var mergedMiningMagic = []byte{0xfa, 0xbe, 'm', 'm'}

// witnessCommitmentHeader starts the output script of BIP 141's commitment:
// OP_RETURN, a push of 36 bytes, and the four-byte header.
var witnessCommitmentHeader = []byte{txscript.OP_RETURN, 0x24, 0xaa, 0x21, 0xa9, 0xed}

// commitmentTagHash starts the tagged hash twice (BIP 340).
var commitmentTagHash = sha256.Sum256([]byte(commitmentTag))

// Commitment is the hash by which the coinbase commits to the share data: the
// tagged SHA-256 of ChainID ‖ canonical encoding of the data.
func (d *Data) Commitment(chainID *chainhash.Hash) chainhash.Hash {
	var buf [3*chainhash.HashSize + MaxDataSize]byte
	b := append(append(buf[:0], commitmentTagHash[:]...), commitmentTagHash[:]...)
	b = append(b, chainID[:]...)
	return sha256.Sum256(d.appendData(b))
}

// AppendCoinbasePrefix appends the coinbase transaction without witness up to the
// commitment: what a share's Link stands for. The finder's output comes first, then
// the payouts in the order given, then an output of nothing that carries the witness
// commitment, if there is one, and the commitment to the share. Extranonce and
// commitment are not in it, so that it is the same for all shares of a job.
func (d *Data) AppendCoinbasePrefix(b []byte, finder int64, payouts []Payout) []byte {
	b = slices.Grow(b, MaxCoinbasePrefix-(maxOutputs-len(payouts))*maxOutput)
	return d.AppendCoinbaseTail(d.AppendCoinbaseHead(b, finder, len(payouts)), payouts)
}

// AppendCoinbaseHead appends what AppendCoinbasePrefix begins with: all up to the
// finder's output, the only part in which the payee stands. There are that many
// payouts.
func (d *Data) AppendCoinbaseHead(b []byte, finder int64, payouts int) []byte {
	b = binary.LittleEndian.AppendUint32(b, coinbaseVersion)
	b = append(b, 1)
	b = append(b, zeroHash[:]...)
	b = binary.LittleEndian.AppendUint32(b, wire.MaxPrevOutIndex)
	length := len(b)
	b = d.appendScriptSig(append(b, 0))
	// At most maxScriptSig bytes, hence a one-byte length.
	b[length] = byte(len(b) - length - 1)
	b = binary.LittleEndian.AppendUint32(b, coinbaseSequence)
	b = appendVarInt(b, 1+payouts+1)
	return appendOutput(b, finder, d.Payee)
}

// AppendCoinbaseTail appends what AppendCoinbasePrefix ends with, behind the head.
func (d *Data) AppendCoinbaseTail(b []byte, payouts []Payout) []byte {
	for i := range payouts {
		b = appendOutput(b, payouts[i].Amount, payouts[i].Script)
	}
	return d.appendLastOutput(b)
}

// zeroHash is the transaction that a coinbase input refers to.
var zeroHash chainhash.Hash

// maxScriptSig is the length of the longest coinbase script in bytes: the push of a
// height of 32 bits, merged mining, and a tag. Bitcoin allows 100.
const maxScriptSig = 1 + 5 + 1 + 4 + MergedMiningSize + 1 + MaxTagMerged

// appendScriptSig appends the coinbase script. The tag is pushed even if empty:
// Bitcoin asks for two bytes at least, and the push of a height below 17 has one.
func (d *Data) appendScriptSig(b []byte) []byte {
	b = appendScriptNumber(b, d.BitcoinHeight)
	if len(d.MergedMining) > 0 {
		b = append(b, byte(len(mergedMiningMagic)+len(d.MergedMining)))
		b = append(append(b, mergedMiningMagic...), d.MergedMining...)
	}
	return append(append(b, byte(len(d.Tag))), d.Tag...)
}

// appendScriptNumber appends the minimal push of a block height as BIP 34
// demands and Bitcoin Core checks it: OP_0 and OP_1 to OP_16 for the smallest,
// then little-endian bytes with room for the sign bit.
func appendScriptNumber(b []byte, n uint32) []byte {
	switch {
	case n == 0:
		return append(b, txscript.OP_0)
	case n <= 16:
		return append(b, txscript.OP_1-1+byte(n))
	}
	var buf [5]byte
	num := buf[:0]
	for v := n; v > 0; v >>= 8 {
		num = append(num, byte(v))
	}
	if num[len(num)-1]&0x80 != 0 {
		num = append(num, 0)
	}
	return append(append(b, byte(len(num))), num...)
}

const (
	// maxOutput is the length of the longest output that pays, in bytes.
	maxOutput = 8 + 1 + MaxPayee
	// lastPush is the length in bytes of what the last output's script ends with:
	// commitment and extranonce.
	lastPush = chainhash.HashSize + ExtranonceSize
	// witnessScriptSize is the length in bytes of BIP 141's commitment, to which
	// the BIP lets a script add what it likes.
	witnessScriptSize = 6 + WitnessCommitmentSize
	// coinbaseEndSize is the length in bytes of what follows the prefix.
	coinbaseEndSize = lastPush + 4
)

// appendLastOutput appends the last output up to the commitment.
func (d *Data) appendLastOutput(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, 0)
	if len(d.WitnessCommitment) > 0 {
		b = append(b, witnessScriptSize+1+lastPush)
		b = append(append(b, witnessCommitmentHeader...), d.WitnessCommitment...)
	} else {
		b = append(b, 1+1+lastPush, txscript.OP_RETURN)
	}
	return append(b, lastPush)
}

// appendCoinbaseEnd appends what follows the prefix.
func appendCoinbaseEnd(b []byte, commitment *chainhash.Hash, extranonce *[ExtranonceSize]byte, lockTime uint32) []byte {
	b = append(append(b, commitment[:]...), extranonce[:]...)
	return binary.LittleEndian.AppendUint32(b, lockTime)
}

// LockTime returns the coinbase's lock time, BIP 54's: the height of the block
// before.
func (d *Data) LockTime() uint32 {
	if d.BitcoinHeight == 0 {
		return 0
	}
	return d.BitcoinHeight - 1
}

// appendVarInt appends the transaction format's variable-length integer. The
// number of outputs never exceeds 16 bits.
func appendVarInt(b []byte, n int) []byte {
	if n < 0xfd {
		return append(b, byte(n))
	}
	return append(b, 0xfd, byte(n), byte(n>>8))
}

func appendOutput(b []byte, amount int64, script []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(amount))
	return append(append(b, byte(len(script))), script...)
}

// Coinbase builds the coinbase transaction without witness for the finder's amount
// and the payouts that the sharechain owes.
func (s *Share) Coinbase(chainID *chainhash.Hash, finder int64, payouts []Payout) []byte {
	commitment := s.Data.Commitment(chainID)
	b := s.Data.AppendCoinbasePrefix(nil, finder, payouts)
	return appendCoinbaseEnd(b, &commitment, &s.Extranonce, s.Data.LockTime())
}

// SetCoinbase sets link and merkle root to those of the coinbase that Coinbase
// builds. Data, extranonce and branch must have their final values; what is left to
// make a share is the proof of work.
func (s *Share) SetCoinbase(chainID *chainhash.Hash, finder int64, payouts []Payout) {
	s.Link = NewLink(s.Data.AppendCoinbasePrefix(nil, finder, payouts))
	s.SetMerkleRoot(chainID)
}

// SetMerkleRoot sets the header's merkle root to what link, data, extranonce and
// branch give.
func (s *Share) SetMerkleRoot(chainID *chainhash.Hash) { s.Header.MerkleRoot = s.merkleRoot(chainID) }

// merkleRoot is what the header's must be. The link must be within its bounds.
func (s *Share) merkleRoot(chainID *chainhash.Hash) chainhash.Hash {
	commitment := s.Data.Commitment(chainID)
	return MerkleRoot(s.Link.TxID(&commitment, &s.Extranonce, s.Data.LockTime()), s.Branch)
}

// CheckPayouts verifies that the share was made with the coinbase that begins with
// prefix, which AppendCoinbasePrefix has built from the payouts owed. CheckSanity
// has tied the link to the header. The error is a RuleError.
func (s *Share) CheckPayouts(prefix []byte) error {
	if !s.Link.Matches(prefix) {
		return ruleError(ErrPayouts, "share %v: its coinbase does not pay what the sharechain owes", s.ID())
	}
	return nil
}
