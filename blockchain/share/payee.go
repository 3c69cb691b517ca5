package share

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// MaxPayee is the length of the longest payee script, P2WSH or P2TR: a version
// opcode and a push of 32 bytes.
const MaxPayee = 34

// CheckPayee verifies that an output script has one of the five standard forms
// a share may pay: P2PKH, P2SH, P2WPKH, P2WSH or P2TR. Others would let a share
// fill everybody's coinbase with bytes or signature operations.
func CheckPayee(script []byte) error {
	switch {
	case txscript.IsPayToPubKeyHash(script), txscript.IsPayToScriptHash(script),
		txscript.IsPayToWitnessPubKeyHash(script), txscript.IsPayToWitnessScriptHash(script),
		txscript.IsPayToTaproot(script):
		return nil
	}
	return ruleError(ErrPayee, "payee script of %d bytes is none of P2PKH, P2SH, P2WPKH, P2WSH, P2TR", len(script))
}

// compareHashes orders hashes by their bytes as stored.
func compareHashes(a, b *chainhash.Hash) int { return bytes.Compare(a[:], b[:]) }
