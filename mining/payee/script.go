package payee

import (
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// Script returns the output script at an index, which must be 0 unless the descriptor is
// ranged. One index in 2^127 has none.
func (d *Descriptor) Script(index uint32) ([]byte, error) {
	if index > MaxIndex || index > 0 && !d.ranged {
		return nil, fmt.Errorf("the descriptor has no address %d", index)
	}
	key := d.key
	if d.ranged {
		var err error
		if key, err = key.Derive(index); err != nil {
			return nil, fmt.Errorf("address %d of the descriptor: %w", index, err)
		}
	}
	public, err := key.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("address %d of the descriptor: %w", index, err)
	}
	hash := address.Hash160(public.SerializeCompressed())
	switch d.form {
	case formPKH:
		return script(txscript.OP_DUP, txscript.OP_HASH160, hash, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	case formNest:
		inner, err := script(txscript.OP_0, hash)
		if err != nil {
			return nil, err
		}
		return script(txscript.OP_HASH160, address.Hash160(inner), txscript.OP_EQUAL)
	case formTR:
		return txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(public))
	}
	return script(txscript.OP_0, hash)
}

// script builds a script of opcodes and pushes.
func script(parts ...any) ([]byte, error) {
	b := txscript.NewScriptBuilder()
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b.AddOp(byte(part))
		case []byte:
			b.AddData(part)
		}
	}
	return b.Script()
}
