package mining

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// lastLook is what the audit of a work's and class's first block found.
type lastLook struct {
	once sync.Once
	err  error
	head []byte // what the coinbases of all jobs begin with, up to the finder's output
}

// auditBlock reads the job's coinbase back from its bytes, as a Bitcoin node will, and
// compares it with what Bitcoin's rules and the template ask for. The transactions are
// those that [Template.Check] compared with their bytes, so that their sums are those of
// the block; the costs of their signature operations are the node's word, since outputs
// they spend count too.
func (j *Job) auditBlock() error {
	coinbase := j.coinbase([share.ExtranonceSize]byte{})
	if len(coinbase) < minCoinbase {
		return fmt.Errorf("job refused: a coinbase of %d bytes", len(coinbase))
	}
	tx, rest := new(wire.MsgTx), bytes.NewReader(appendCoinbaseWitness(nil, coinbase))
	if err := tx.Deserialize(rest); err != nil || rest.Len() > 0 {
		return fmt.Errorf("job refused: its coinbase can't be read, %d bytes are left over: %v", rest.Len(), err)
	}
	if err := j.auditInput(tx); err != nil {
		return err
	}
	if err := j.auditOutputs(tx); err != nil {
		return err
	}
	size := wire.MaxBlockHeaderPayload + wire.VarIntSerializeSize(uint64(1+len(j.template.Txs)))
	weight := int64(size*witnessScale + tx.SerializeSizeStripped()*(witnessScale-1) + tx.SerializeSize())
	var sigops int64
	for _, in := range tx.TxIn {
		sigops += witnessScale * int64(txscript.GetSigOpCount(in.SignatureScript))
	}
	for _, out := range tx.TxOut {
		sigops += witnessScale * int64(txscript.GetSigOpCount(out.PkScript))
	}
	weight, sigops = weight+j.template.Weight(), sigops+j.template.Sigops()
	if weight > j.template.WeightLimit || sigops > j.template.SigopLimit {
		return fmt.Errorf("job refused: a block of weight %d and %d signature operations, allowed are %d and %d",
			weight, sigops, j.template.WeightLimit, j.template.SigopLimit)
	}
	return nil
}

// minCoinbase is the length of version and lock time, between which a witness is put.
const minCoinbase = 4 + 4

// maxCoinbaseScript and minCoinbaseScript bound the script of a coinbase, in bytes
// (Bitcoin's rule bad-cb-length).
const (
	minCoinbaseScript = 2
	maxCoinbaseScript = 100
)

// auditInput checks what makes a transaction a coinbase, and BIP 34's height.
func (j *Job) auditInput(tx *wire.MsgTx) error {
	if len(tx.TxIn) != 1 || tx.TxIn[0].PreviousOutPoint != (wire.OutPoint{Index: wire.MaxPrevOutIndex}) {
		return fmt.Errorf("job refused: its coinbase spends outputs")
	}
	script := tx.TxIn[0].SignatureScript
	height, err := txscript.NewScriptBuilder().AddInt64(int64(j.template.Height)).Script()
	if err != nil || !bytes.HasPrefix(script, height) || len(script) < minCoinbaseScript || len(script) > maxCoinbaseScript {
		return fmt.Errorf("job refused: its coinbase script %x is not one of height %d", script, j.template.Height)
	}
	return nil
}

// auditOutputs checks what the outputs pay, BIP 141's witness commitment and the
// commitment to the share.
func (j *Job) auditOutputs(tx *wire.MsgTx) error {
	var sum int64
	var commitment []byte // BIP 141: of several outputs the last counts
	for _, out := range tx.TxOut {
		if out.Value < 0 || out.Value > share.MaxMoney || sum > share.MaxMoney {
			return fmt.Errorf("job refused: an output of its coinbase pays %d sat", out.Value)
		}
		sum += out.Value
		if hash, ok := bytes.CutPrefix(out.PkScript, witnessCommitmentHeader); ok && len(hash) >= chainhash.HashSize {
			commitment = hash[:chainhash.HashSize]
		}
	}
	if sum != j.template.CoinbaseValue {
		return fmt.Errorf("job refused: its coinbase pays %d sat of a coinbase value of %d", sum, j.template.CoinbaseValue)
	}
	if want := j.data.WitnessCommitment; !bytes.Equal(commitment, want) { // which its variant's audit recomputed
		return fmt.Errorf("job refused: its coinbase has the witness commitment %x, its transactions have %x", commitment, want)
	}
	var last []byte
	if n := len(tx.TxOut); n > 0 {
		last = tx.TxOut[n-1].PkScript
	}
	if !bytes.HasSuffix(last, append(bytes.Clone(j.Tail), make([]byte, share.ExtranonceSize)...)) {
		return fmt.Errorf("job refused: its coinbase's last output %x does not end with share commitment and extranonce", last)
	}
	return nil
}

// witnessCommitmentHeader is what BIP 141's output script begins with: OP_RETURN, a push
// of 36 bytes, and the header.
var witnessCommitmentHeader = []byte{txscript.OP_RETURN, txscript.OP_DATA_36, 0xaa, 0x21, 0xa9, 0xed}
