package mining

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// The last look at what leaves this node: a block found with a mistake in it is lost
// for everybody. What is checked is computed in another way than what it checks.

// audit recomputes what all jobs of a variant rely on, from its transactions alone:
// order, fees, limits, merkle root and witness commitment.
func (v *variant) audit() error {
	var fees, weight, sigops int64
	txids, wtxids := make([]chainhash.Hash, 1+len(v.Txs)), make([]chainhash.Hash, 1+len(v.Txs))
	for i := range v.Txs {
		tx := &v.Txs[i]
		fees, weight, sigops = fees+tx.Fee, weight+tx.Weight, sigops+tx.Sigops
		txids[1+i], wtxids[1+i] = tx.TxID, tx.WTxID
		for _, d := range tx.Depends {
			if d >= i {
				return fmt.Errorf("job refused: transaction %d needs %d, which does not come before it", i, d)
			}
		}
	}
	switch subsidy := v.CoinbaseValue - fees; {
	case subsidy < 0:
		return fmt.Errorf("job refused: fees of %d sat are more than the coinbase value of %d", fees, v.CoinbaseValue)
	case weight > v.WeightLimit || sigops > v.SigopLimit:
		return fmt.Errorf("job refused: transactions of weight %d and %d signature operations, allowed are %d and %d",
			weight, sigops, v.WeightLimit, v.SigopLimit)
	}
	txids[0] = chainhash.Hash{1} // stands for a coinbase
	if share.MerkleRoot(txids[0], v.branch) != merkleTree(txids) {
		return fmt.Errorf("job refused: the merkle branch is not that of its %d transactions", len(v.Txs))
	}
	var reserved chainhash.Hash
	if v.commitment != merkleTree([]chainhash.Hash{merkleTree(wtxids), reserved}) {
		return fmt.Errorf("job refused: the witness commitment is not that of its %d transactions", len(v.Txs))
	}
	return nil
}

// merkleTree returns the root over all leaves, level by level, as Bitcoin defines it.
// It overwrites the leaves.
func merkleTree(leaves []chainhash.Hash) chainhash.Hash {
	var pair [2 * chainhash.HashSize]byte
	for n := len(leaves); n > 1; n = (n + 1) / 2 {
		for i := 0; i < n; i += 2 {
			copy(pair[:], leaves[i][:])
			copy(pair[chainhash.HashSize:], leaves[min(i+1, n-1)][:])
			leaves[i/2] = chainhash.DoubleHashH(pair[:])
		}
	}
	return leaves[0]
}

// audit checks a job's own part: its outputs and its template must agree to the
// satoshi, and its coinbase must be the one that was looked at but for the payee. The
// first job of a work and class is looked at in whole, which takes as long as making a
// thousand jobs.
func (j *Job) audit(c *classWork) error {
	r := &c.result
	sum := r.Finder
	for i := range r.Payouts {
		sum += r.Payouts[i].Amount
	}
	if sum != j.data.CoinbaseValue || r.Finder < 0 || j.data.CoinbaseValue != j.template.CoinbaseValue {
		return fmt.Errorf("job refused: its outputs pay %d sat of a coinbase value of %d", sum, j.data.CoinbaseValue)
	}
	c.look.once.Do(func() {
		c.look.head = j.Head[:max(0, len(j.Head)-outputOverhead-len(j.data.Payee))]
		c.look.err = j.auditBlock()
	})
	if c.look.err != nil {
		return c.look.err
	}
	head, ok := bytes.CutPrefix(j.Head, c.look.head)
	if !ok || len(head) != outputOverhead+len(j.data.Payee) || int(head[8]) != len(j.data.Payee) ||
		binary.LittleEndian.Uint64(head) != uint64(r.Finder) || !bytes.Equal(head[outputOverhead:], j.data.Payee) {
		return fmt.Errorf("job refused: its coinbase begins %x, which doesn't pay the finder %d sat", j.Head, r.Finder)
	}
	return nil
}
