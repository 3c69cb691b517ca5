package mining

import (
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// witnessScale is BIP 141's factor between bytes outside the witness and
	// weight units, and between legacy signature operations and their cost.
	witnessScale = 4
	// headerWeight is that of the block header and a three-byte transaction
	// count.
	headerWeight = (80 + 3) * witnessScale
	// coinbaseOverhead is the coinbase without outputs that pay, at its longest:
	// version 4, input count 1, outpoint 36, script 1+56, sequence 4, output count
	// 3; the last output with amount 8, length 1, witness commitment 38, push 1,
	// commitment 32 and extranonce 12; lock time 4.
	coinbaseOverhead = 4 + 1 + 36 + 1 + 56 + 4 + 3 + 8 + 1 + 38 + 1 + 32 + 12 + 4
	// coinbaseWitness is marker, flag, and one stack item of 32 bytes, which
	// weigh one unit each.
	coinbaseWitness = 2 + 1 + 1 + 32
	// outputOverhead is an output's amount and script length.
	outputOverhead = 8 + 1
)

// excess returns by how much weight and signature operation cost the block with this
// distribution is above what the template allows, zero or less if it fits. Nodes
// reserve room for a coinbase, but not for any number of outputs.
func (t *Template) excess(r *payout.Result) (weight, sigops int64) {
	bytes := int64(coinbaseOverhead + outputOverhead + share.MaxPayee)
	// The finder's script is not known yet; P2PKH has most signature operations.
	sigops = witnessScale
	for i := range r.Payouts {
		bytes += outputOverhead + int64(len(r.Payouts[i].Script))
		if txscript.IsPayToPubKeyHash(r.Payouts[i].Script) {
			sigops += witnessScale
		}
	}
	weight = headerWeight + bytes*witnessScale + coinbaseWitness + t.Weight() - t.WeightLimit
	return weight, sigops + t.Sigops() - t.SigopLimit
}
