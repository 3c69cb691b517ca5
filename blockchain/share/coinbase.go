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

// CoinbaseHead returns the coinbase transaction without witness up to the
// extranonce. It depends on the share data only, and the payee of a job changes
// nothing in its length.
func (d *Data) CoinbaseHead(chainID *chainhash.Hash) []byte {
	return d.appendCoinbaseHead(nil, chainID)
}

func (d *Data) appendCoinbaseHead(b []byte, chainID *chainhash.Hash) []byte {
	var buf [maxScriptSig]byte
	script := d.appendScriptSigHead(buf[:0], chainID)
	b = slices.Grow(b, 4+1+36+1+len(script)+ExtranonceSize)
	b = binary.LittleEndian.AppendUint32(b, coinbaseVersion)
	b = append(b, 1)
	b = append(b, zeroHash[:]...)
	b = binary.LittleEndian.AppendUint32(b, wire.MaxPrevOutIndex)
	// At most 100 bytes, hence a one-byte length.
	b = append(b, byte(len(script)+ExtranonceSize))
	return append(b, script...)
}

// zeroHash is the transaction that a coinbase input refers to.
var zeroHash chainhash.Hash

// maxScriptSig is the length of the longest coinbase script, Bitcoin's limit.
const maxScriptSig = 100

// appendScriptSigHead appends the coinbase script up to and including the opcode
// that pushes the extranonce, which ends it.
func (d *Data) appendScriptSigHead(b []byte, chainID *chainhash.Hash) []byte {
	b = appendScriptNumber(b, d.BitcoinHeight)
	commitment := d.Commitment(chainID)
	b = append(append(b, chainhash.HashSize), commitment[:]...)
	if len(d.MergedMining) > 0 {
		b = append(b, byte(len(mergedMiningMagic)+len(d.MergedMining)))
		b = append(append(b, mergedMiningMagic...), d.MergedMining...)
	}
	if len(d.Tag) > 0 {
		b = append(append(b, byte(len(d.Tag))), d.Tag...)
	}
	return append(b, ExtranonceSize)
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

// CoinbaseTail returns the coinbase transaction without witness from behind the
// extranonce to its end. The finder's output comes first, then the payouts in
// the order given, then the witness commitment if there is one. It is the same
// for all payees of a template and tip but for the finder's output, which
// stands at its head.
func (d *Data) CoinbaseTail(finder int64, payouts []Payout) []byte {
	return d.appendCoinbaseTail(nil, finder, payouts)
}

func (d *Data) appendCoinbaseTail(b []byte, finder int64, payouts []Payout) []byte {
	const output = 8 + 1 + MaxPayee
	b = slices.Grow(b, 4+3+8+1+len(witnessCommitmentHeader)+WitnessCommitmentSize+4+(1+len(payouts))*output)
	b = binary.LittleEndian.AppendUint32(b, coinbaseSequence)
	count := 1 + len(payouts)
	if len(d.WitnessCommitment) > 0 {
		count++
	}
	b = appendVarInt(b, count)
	b = appendOutput(b, finder, d.Payee)
	for i := range payouts {
		b = appendOutput(b, payouts[i].Amount, payouts[i].Script)
	}
	if len(d.WitnessCommitment) > 0 {
		b = binary.LittleEndian.AppendUint64(b, 0)
		b = append(b, byte(len(witnessCommitmentHeader)+len(d.WitnessCommitment)))
		b = append(append(b, witnessCommitmentHeader...), d.WitnessCommitment...)
	}
	return binary.LittleEndian.AppendUint32(b, lockTime(d.BitcoinHeight))
}

// lockTime is BIP 54's: the height of the block before.
func lockTime(bitcoinHeight uint32) uint32 {
	if bitcoinHeight == 0 {
		return 0
	}
	return bitcoinHeight - 1
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

// MerkleRoot climbs from the coinbase's transaction hash, the leftmost leaf, up
// its branch.
func MerkleRoot(coinbase chainhash.Hash, branch []chainhash.Hash) chainhash.Hash {
	var pair [2 * chainhash.HashSize]byte
	root := coinbase
	for i := range branch {
		copy(pair[:], root[:])
		copy(pair[chainhash.HashSize:], branch[i][:])
		root = chainhash.DoubleHashH(pair[:])
	}
	return root
}

// Coinbase rebuilds the coinbase transaction without witness for the finder's
// amount and the payouts that the sharechain owes.
func (s *Share) Coinbase(chainID *chainhash.Hash, finder int64, payouts []Payout) []byte {
	return s.AppendCoinbase(nil, chainID, finder, payouts)
}

// AppendCoinbase appends the coinbase to b.
func (s *Share) AppendCoinbase(b []byte, chainID *chainhash.Hash, finder int64, payouts []Payout) []byte {
	b = s.Data.appendCoinbaseHead(b, chainID)
	b = append(b, s.Extranonce[:]...)
	return s.Data.appendCoinbaseTail(b, finder, payouts)
}

// CheckCoinbase verifies that a coinbase, rebuilt by AppendCoinbase, leads to the
// header's merkle root. The error is a RuleError.
func (s *Share) CheckCoinbase(coinbase []byte) error {
	txid := chainhash.DoubleHashH(coinbase)
	if root := MerkleRoot(txid, s.Branch); root != s.Header.MerkleRoot {
		return ruleError(ErrMerkleRoot, "share %v: the coinbase that the sharechain owes gives merkle root %v, its header has %v",
			s.ID(), root, s.Header.MerkleRoot)
	}
	return nil
}
