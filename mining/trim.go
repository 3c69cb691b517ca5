package mining

import (
	"errors"
	"math"
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

// trim returns the template without the transactions that bring least together and free
// at least so much weight and signature operation cost, nil if that can't be. It finds
// nearly the least: the best set is a knapsack's.
//
// Transactions are looked at from the last one on. Nodes order them by what they and
// those that they need pay, and each comes after those: so when a transaction's turn
// comes, it is known whether anything that needs it stays, and then so does it. Of a
// package the one that pays for the others comes last and goes first; the others follow
// if more is to be freed. Where one would free all that is left to be freed, this is one
// way to do it, but one that may free too much for its price: it is noted, and the search
// goes on without it until every other way costs more. Of the cheapest, what turns out
// not to be needed comes back. Nothing is given up that frees far more than is needed.
func (t *Template) trim(weight, sigops int64) *Template {
	if weight <= 0 && sigops <= 0 {
		return t
	}
	needed := make([]bool, len(t.Txs)) // by what stays
	var gone []int                     // from the last on
	last, before := -1, 0              // of the cheapest way: its last, and how many went before
	least, fees := int64(math.MaxInt64), int64(0)
	w, s := weight, sigops // to be freed yet
	for i := len(t.Txs) - 1; i >= 0 && fees < least; i-- {
		tx := &t.Txs[i]
		stays := needed[i] || tx.Weight > max(w, 0)+maxTrim
		enough := tx.Weight >= w && tx.Sigops >= s
		if enough && !stays && fees+tx.Fee < least {
			least, last, before = fees+tx.Fee, i, len(gone)
		}
		if stays || enough {
			for _, d := range tx.Depends {
				needed[d] = true
			}
			continue
		}
		gone = append(gone, i)
		w, s, fees = w-tx.Weight, s-tx.Sigops, fees+tx.Fee
	}
	if last < 0 {
		return nil
	}
	return t.drop(t.spare(append(gone[:before], last), weight, sigops))
}

// spare returns marks at the transactions to be dropped, listed from the last on, but
// for those without which enough weight and signature operation cost gets free too.
func (t *Template) spare(list []int, weight, sigops int64) []bool {
	marked := make([]bool, len(t.Txs))
	for _, i := range list {
		marked[i] = true
		weight, sigops = weight-t.Txs[i].Weight, sigops-t.Txs[i].Sigops
	}
	for _, i := range slices.Backward(list) { // from the one that pays best
		tx := &t.Txs[i]
		lacks := func(d int) bool { return marked[d] }
		if weight+tx.Weight <= 0 && sigops+tx.Sigops <= 0 && !slices.ContainsFunc(tx.Depends, lacks) {
			marked[i] = false
			weight, sigops = weight+tx.Weight, sigops+tx.Sigops
		}
	}
	return marked
}

// drop returns the template without the transactions that are marked.
func (t *Template) drop(marked []bool) *Template {
	trimmed := *t
	trimmed.Txs = make([]TemplateTx, 0, len(t.Txs))
	place := make([]int, len(t.Txs)) // of those that stay
	for i, tx := range t.Txs {
		if marked[i] {
			place[i] = len(t.Txs) // nowhere: the audit refuses whatever needs it
			trimmed.CoinbaseValue -= tx.Fee
			continue
		}
		place[i] = len(trimmed.Txs)
		if place[i] < i { // so what it needs may have moved too
			tx.Depends = slices.Clone(tx.Depends)
			for k, d := range tx.Depends {
				tx.Depends[k] = place[d]
			}
		}
		trimmed.Txs = append(trimmed.Txs, tx)
	}
	return &trimmed
}
