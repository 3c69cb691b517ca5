package mining

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Merged tells what work is to commit to of other chains (merged mining). Package
// merged implements it.
type Merged interface {
	// Current returns what new work commits to, nil for nothing. It must not wait.
	// After a change, MergedChanged is to be called.
	Current() *AuxWork
}

// AuxWork is a commitment to blocks of other chains. It is immutable and safe for
// concurrent use. A job has the one it was made with for as long as it lives.
type AuxWork struct {
	// Commitment goes into the coinbase, behind the merged mining magic.
	Commitment [share.MergedMiningSize]byte
	// Target is the easiest of the chains: a hash that meets it solves one of the
	// blocks at least.
	Target uint256.Uint256
	// Wanted reports whether a hash solves a block that is not solved yet: then Solved is
	// worth the while. It is called for each hash that meets the target, from many
	// goroutines, and must not wait; nil wants all of them.
	Wanted func(hash chainhash.Hash) bool
	// Solved takes a solution that meets the target. It is called from many
	// goroutines and must not wait: miners do.
	Solved func(*AuxSolution)
}

// AuxSolution is a Bitcoin header with what ties it to an AuxWork. Nobody changes it.
type AuxSolution struct {
	Hash     chainhash.Hash // of the header
	Header   wire.BlockHeader
	Coinbase []byte           // without witness
	Branch   []chainhash.Hash // merkle branch of the coinbase
	Worker   string           // name for the log
}

// MergedChanged makes new work after a change of what it has to commit to. Miners
// keep their jobs: what they find for Bitcoin is as good as before.
func (g *Generator) MergedChanged() { g.rebuild() }

// commitMerged makes the work commit to blocks of other chains, if there are any.
func (w *Work) commitMerged(m Merged) {
	if m == nil {
		return
	}
	if w.aux = m.Current(); w.aux != nil {
		w.data.MergedMining = w.aux.Commitment[:]
	}
}

// auxTarget returns the target below which a hash solves a block of another chain, zero
// if there is none.
func (w *Work) auxTarget() uint256.Uint256 {
	if w.aux == nil {
		return uint256.Uint256{}
	}
	return w.aux.Target
}

// SolvesAux reports whether a header hash solves a block of another chain for which there
// is no solution yet. It is cheap, as a device may find such hashes all the time.
func (j *Job) SolvesAux(hash *chainhash.Hash) bool {
	return target.HashMeets(hash, &j.AuxTarget) && (j.aux == nil || j.aux.Wanted == nil || j.aux.Wanted(*hash))
}

// solveAux hands a solution on to the other chains that it has a block for.
func (j *Job) solveAux(found *Found, hash *chainhash.Hash, worker string) {
	if j.aux == nil || !j.SolvesAux(hash) {
		return
	}
	j.aux.Solved(&AuxSolution{
		Hash: *hash, Header: found.Share.Header, Coinbase: found.Coinbase, Branch: j.Branch, Worker: worker,
	})
}
