package mining

import (
	"errors"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// trimStep is the step, in weight units, in which transactions make room for
	// coinbases, so that few different blocks have to be prepared: a thousandth of a
	// block.
	trimStep = 4_000
	// maxTrim is how much weight transactions give up at most: what 1152 outputs to
	// P2TR take, 198,000 units, a twentieth of a block. A device that asks for more
	// gets a smaller class.
	maxTrim = 200_000
	// sigopStep is the same step for signature operations, of which P2PKH outputs
	// cost four each.
	sigopStep = 80
	// maxSigopTrim is what 1152 outputs to P2PKH and the finder's take.
	maxSigopTrim = 4_640
)

var errTrim = errors.New("more room is needed than transactions should give up")

// trims are a template's variants with fewer transactions. Safe for concurrent use.
type trims struct {
	full *Template

	mu   sync.Mutex
	list map[trimKey]*variant
}

// trimKey is how much room is to be made, in steps.
type trimKey struct{ weight, sigops int64 }

// variant is a template as some output classes mine it: without the transactions
// whose place their coinbase takes. It is immutable.
type variant struct {
	*Template
	branch     []chainhash.Hash
	commitment chainhash.Hash // BIP 141's
}

func newTrims(t *Template) *trims { return &trims{full: t, list: make(map[trimKey]*variant)} }

// without returns the variant that is so much smaller at least than the template, in
// weight units and signature operation cost. Each is made once.
func (t *trims) without(weight, sigops int64) (*variant, error) {
	if weight > maxTrim || sigops > maxSigopTrim {
		return nil, errTrim
	}
	key := trimKey{ceil(weight, trimStep), ceil(sigops, sigopStep)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.list[key]; v != nil {
		return v, nil
	}
	trimmed := t.full
	if key != (trimKey{}) {
		if trimmed = t.full.trim(key.weight*trimStep, key.sigops*sigopStep); trimmed == nil {
			return nil, errTrim
		}
	}
	v, err := newVariant(trimmed)
	if err == nil {
		t.list[key] = v
	}
	return v, err
}

// ceil returns n/step rounded up, 0 for what is not positive.
func ceil(n, step int64) int64 { return (max(n, 0) + step - 1) / step }

// newVariant prepares a template for jobs and checks it once more.
func newVariant(t *Template) (*variant, error) {
	v := &variant{Template: t, branch: t.MerkleBranch(), commitment: t.WitnessCommitment()}
	return v, v.audit()
}

// trim returns the template without so many of its last transactions that at least so
// much weight and signature operation cost is free, nil if that can't be. Nodes put
// transactions in the order of their packages' fee rates, the ancestors of a
// transaction before it and next to it where it pays for them: the last package brings
// least. A package goes as a whole: what pays for its ancestors does not leave them
// behind. It stays if something needs it that stays, or if it takes far more than is
// needed.
func (t *Template) trim(weight, sigops int64) *Template {
	drop := make([]bool, len(t.Txs))
	needed := make([]bool, len(t.Txs)) // by what stays
	var fees int64
	for end := len(t.Txs); end > 0 && (weight > 0 || sigops > 0); {
		first := t.packageStart(end - 1)
		var w, s, fee int64
		stays := false
		for i, tx := range t.Txs[first:end] {
			w, s, fee = w+tx.Weight, s+tx.Sigops, fee+tx.Fee
			stays = stays || needed[first+i]
		}
		if stays || w > max(weight, 0)+maxTrim {
			for _, tx := range t.Txs[first:end] {
				for _, d := range tx.Depends {
					needed[d] = true
				}
			}
		} else {
			weight, sigops, fees = weight-w, sigops-s, fees+fee
			for i := first; i < end; i++ {
				drop[i] = true
			}
		}
		end = first
	}
	if weight > 0 || sigops > 0 {
		return nil
	}
	return t.drop(drop, fees)
}

// drop returns the template without the transactions that are marked, which bring so
// many sat of fees.
func (t *Template) drop(marked []bool, fees int64) *Template {
	trimmed := *t
	trimmed.CoinbaseValue -= fees
	trimmed.Txs = nil
	place := make([]int, len(t.Txs)) // of those that stay
	for i, tx := range t.Txs {
		if marked[i] {
			continue
		}
		place[i] = len(trimmed.Txs)
		tx.Depends = slices.Clone(tx.Depends)
		for k, d := range tx.Depends {
			tx.Depends[k] = place[d]
		}
		trimmed.Txs = append(trimmed.Txs, tx)
	}
	return &trimmed
}

// packageStart returns the first of the transactions right before the last one that
// it pays for: its ancestors, with none that it does not need in between.
func (t *Template) packageStart(last int) int {
	ancestors := make(map[int]struct{})
	need := func(i int) {
		for _, d := range t.Txs[i].Depends {
			ancestors[d] = struct{}{}
		}
	}
	need(last)
	first := last
	for first > 0 {
		if _, ok := ancestors[first-1]; !ok {
			break
		}
		first--
		need(first)
	}
	return first
}
