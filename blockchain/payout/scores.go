package payout

import (
	"iter"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Entry is one main-chain share of the window with the uncles it references.
type Entry struct {
	Height uint32
	Work   uint256.Uint256 // expected hashes for the share's bits
	Payee  []byte
	Uncles []Uncle
}

// Uncle is an uncle's part in an Entry.
type Uncle struct {
	Work  uint256.Uint256
	Payee []byte
}

// total returns the entry's work, uncles included.
func (e *Entry) total() uint256.Uint256 {
	work := e.Work
	for i := range e.Uncles {
		work.Add(&e.Uncles[i].Work)
	}
	return work
}

// Limit is the extent of a window: at most Shares entries, cut behind the one
// with which their work, uncles included, reaches Work. A Work of zero does not
// cut.
type Limit struct {
	Shares uint32
	Work   uint256.Uint256
}

// LimitFor returns the limit for shares whose headers have that work of one
// Bitcoin block.
func LimitFor(p *chainparams.Params, blockWork *uint256.Uint256) Limit {
	l := Limit{Shares: p.WindowShares, Work: *blockWork}
	l.Work.MulUint64(p.WindowBlocks)
	return l
}

// reached reports whether a window of that size needs nothing more.
func (l *Limit) reached(shares uint32, work *uint256.Uint256) bool {
	return shares >= l.Shares || !l.Work.IsZero() && work.GtEq(&l.Work)
}

// Entries yields those of the entries, which come from the tip downwards, that
// belong to the window.
func (l Limit) Entries(entries iter.Seq[Entry]) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var shares uint32
		var work uint256.Uint256
		for e := range entries {
			shares++
			total := e.total()
			work.Add(&total)
			if !yield(e) || l.reached(shares, &work) {
				return
			}
		}
	}
}

// Window is the payout window that ends with some share, kept up to date as
// shares enter and leave at both ends. Its scores are a pure function of the
// shares in it, whatever path it took to them.
//
// Each share credits its payee NephewShareDivisor·work + Σ uncle work and each
// uncle's payee (NephewShareDivisor−1)·uncle work, times the weight of the
// share's height relative to the epoch of the oldest share. Sums cannot overflow
// on a chain whose bits are valid: 2⁹⁶ hashes a share, 17 bits of shares, 17+5
// of weight and 4 of units are 139 bits.
//
// The zero Window is not usable; NewWindow makes an empty one. A Window is not
// safe for concurrent use.
type Window struct {
	params *chainparams.Params
	Table  // the scores
	shares uint32
	work   uint256.Uint256 // of all entries, uncles included
	base   uint32          // epoch of the oldest entry
}

// NewWindow returns an empty window.
func NewWindow(p *chainparams.Params) *Window { return &Window{params: p} }

// Shares returns the number of entries.
func (w *Window) Shares() uint32 { return w.shares }

// AddNewest puts an entry on top of the others; its height must be theirs plus
// one.
func (w *Window) AddNewest(e *Entry) {
	if w.shares == 0 {
		w.base = e.Height / w.params.DecayShares
	}
	w.enter(e)
}

// RemoveNewest takes the newest entry back.
func (w *Window) RemoveNewest(e *Entry) { w.leave(e) }

// AddOldest puts an entry below the others; its height must be theirs minus one.
func (w *Window) AddOldest(e *Entry) {
	w.rebase(e.Height / w.params.DecayShares)
	w.enter(e)
}

// RemoveOldest takes the oldest entry away. The next one must be a height above.
func (w *Window) RemoveOldest(e *Entry) {
	w.leave(e)
	w.rebase((e.Height + 1) / w.params.DecayShares)
}

// rebase changes the unit of the scores to that of another epoch. Upwards this
// is exact, since every entry left is of that epoch or later and its weight has
// the factor.
func (w *Window) rebase(epoch uint32) {
	if w.shares == 0 {
		w.base = epoch
	}
	for ; w.base < epoch; w.base++ {
		w.Halve()
	}
	for ; w.base > epoch; w.base-- {
		w.Double()
	}
}

func (w *Window) enter(e *Entry) {
	w.shares++
	total := e.total()
	w.work.Add(&total)
	w.credits(e, w.Add)
}

func (w *Window) leave(e *Entry) {
	w.shares--
	total := e.total()
	w.work.Sub(&total)
	w.credits(e, w.Sub)
}

// credits calls f with what the entry credits to whom.
func (w *Window) credits(e *Entry, f func(script []byte, weight *uint256.Uint256)) {
	weight := Weight(w.params, e.Height, w.base)
	own := e.Work
	own.MulUint64(w.params.NephewShareDivisor)
	for i := range e.Uncles {
		u := e.Uncles[i].Work
		own.Add(&u)
		u.MulUint64(w.params.NephewShareDivisor - 1).MulUint64(weight)
		f(e.Uncles[i].Payee, &u)
	}
	own.MulUint64(weight)
	f(e.Payee, &own)
}

// Long reports whether the window would still be full without its oldest entry.
func (w *Window) Long(l *Limit, oldest *Entry) bool {
	rest, total := w.work, oldest.total()
	rest.Sub(&total)
	return w.shares > 1 && l.reached(w.shares-1, &rest)
}

// Short reports whether the window needs another entry, if there is one.
func (w *Window) Short(l *Limit) bool { return !l.reached(w.shares, &w.work) }

// Weight is the weight of a unit of work at a height: 2^(height/DecayShares)
// relative to the epoch base, in 16-bit fixed point. An epoch is DecayShares
// heights, and moving the base by one epoch is an exact halving of everything.
func Weight(p *chainparams.Params, height, base uint32) uint64 {
	epoch, within := height/p.DecayShares, height%p.DecayShares
	fraction := uint64(within) << 16 / uint64(p.DecayShares)
	return target.Exp2(uint16(fraction)) << (epoch - base)
}
