package main

import (
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// unsignedSignet is the warning of a signet whose blocks need a signature.
const unsignedSignet = "the blocks of this signet need a signature that p2poold cannot make: shares can be mined here, but no block, and nothing is ever paid. " +
	"Take --network=regtest or testnet4, or a signet of your own that asks for none: signetchallenge=51 for this node and for the Bitcoin node"

// barrenSignet says why the pool can find no block on a signet, "" if it can.
func barrenSignet(params *chainparams.Params) string {
	if params.Network != chainparams.Signet {
		return ""
	}
	challenge := params.SignetChallenge
	if len(challenge) == 0 {
		challenge = chaincfg.DefaultSignetChallenge
	}
	if needsSolution(challenge) {
		return unsignedSignet
	}
	return ""
}

// needsSolution reports whether a block has to carry something for its signet's
// challenge, which pays a transaction made of the block (BIP 325). Who needs nothing,
// as with the challenge OP_TRUE, leaves that out, and that is all that p2poold can do.
func needsSolution(challenge []byte) bool {
	const flags = txscript.ScriptBip16 | txscript.ScriptVerifyWitness | txscript.ScriptVerifyDERSignatures | txscript.ScriptStrictMultiSig
	tx := wire.NewMsgTx(0)
	tx.AddTxIn(&wire.TxIn{})
	tx.AddTxOut(&wire.TxOut{PkScript: []byte{txscript.OP_RETURN}})
	vm, err := txscript.NewEngine(challenge, tx, 0, flags, nil, nil, 0, txscript.NewCannedPrevOutputFetcher(challenge, 0))
	return err != nil || vm.Execute() != nil
}
