package bitcoind

import (
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// maxRecentTips is how many tips are remembered, to know late news of them. Sources
	// are milliseconds apart, blocks minutes; only on regtest do several pass at once.
	maxRecentTips = 16

	// speculationTime is how long a block that the node hasn't validated yet stays the
	// tip. Validation takes a second or two where it is slow.
	speculationTime = 10 * time.Second
)

// tips knows which block is the node's best, who told, and who told first. It makes no
// calls, and its lock is the innermost of all.
type tips struct {
	mu      sync.Mutex
	known   bool // false until the first template
	tip     chainhash.Hash
	parent  chainhash.Hash // of tip; zero if unknown
	height  uint32         // of tip
	since   time.Time      // when it became the tip here
	guessed bool           // the node hasn't validated it, as far as we know
	moves   uint64         // counts changes of tip

	recent []recentTip // newest last, tip among them
	stats  [numSources]SourceStats
}

// recentTip is a tip of late.
type recentTip struct {
	hash   chainhash.Hash
	first  Source
	at     time.Time     // of the first news
	ahead  time.Duration // of the second source, 0 while there is none
	told   [numSources]bool
	silent bool // it was the tip at the start, nobody won
}

// news is what came of a sighting.
type news int

const (
	old       news = iota // the tip already, or late news of an older one
	confirmed             // the tip, which the node has validated now
	fresh                 // unknown, or a tip of old that may have come back
)

// note records that a source tells of a block.
func (t *tips) note(src Source, hash chainhash.Hash, at time.Time, validated bool) news {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.find(hash)
	if i < 0 {
		return fresh
	}
	r := &t.recent[i]
	if hash != t.tip && r.told[src] {
		return fresh // again: the node may have gone back to it
	}
	if !r.told[src] {
		r.told[src] = true
		if !r.silent {
			t.late(r, src, at)
		}
	}
	if hash == t.tip && t.guessed && validated {
		t.guessed = false
		return confirmed
	}
	return old
}

// late counts a source that told of a tip after another had.
func (t *tips) late(r *recentTip, src Source, at time.Time) {
	behind := max(0, at.Sub(r.at))
	if r.ahead == 0 {
		r.ahead = max(behind, 1)
	}
	s := &t.stats[src]
	s.Later++
	s.behind += behind
}

// find returns the index of a recent tip, or -1.
func (t *tips) find(hash chainhash.Hash) int {
	return slices.IndexFunc(t.recent, func(r recentTip) bool { return r.hash == hash })
}

// count returns how often the tip has changed. What is asked of the node before a change
// must not undo it.
func (t *tips) count() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.moves
}

// present returns the tip and its height.
func (t *tips) present() (tip chainhash.Hash, height uint32, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tip, t.height, t.known
}

// move is a change of the tip.
type move struct {
	source  Source
	hash    chainhash.Hash
	parent  chainhash.Hash
	height  uint32
	at      time.Time // of the news
	guessed bool
}

// moveIf makes the move unless the tip has changed since count returned moves, or is the
// same already.
func (t *tips) moveIf(m *move, moves uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if moves != t.moves || t.known && m.hash == t.tip {
		return false
	}
	t.set(m)
	return true
}

// extend makes the move if it leads to a child of the tip, whose height it sets.
func (t *tips) extend(m *move) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known || m.parent != t.tip || m.hash == t.tip {
		return false
	}
	m.height = t.height + 1
	t.set(m)
	return true
}

// set makes the move. The lock must be held.
func (t *tips) set(m *move) {
	first := !t.known
	t.known, t.tip, t.parent, t.height = true, m.hash, m.parent, m.height
	t.since, t.guessed = time.Now(), m.guessed
	t.moves++
	if i := t.find(m.hash); i >= 0 {
		t.recent = slices.Delete(t.recent, i, i+1)
	}
	if len(t.recent) == maxRecentTips {
		t.recent = slices.Delete(t.recent, 0, 1)
	}
	r := recentTip{hash: m.hash, first: m.source, at: m.at, silent: first}
	r.told[m.source] = true
	t.recent = append(t.recent, r)
	if !first {
		t.stats[m.source].First++
	}
}

// refuse counts news that the node, asked, didn't confirm.
func (t *tips) refuse(src Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats[src].Refused++
}

// up notes whether a source is connected.
func (t *tips) up(src Source, change int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats[src].Connections += change
}

// opinion is what to do with a template.
type opinion int

const (
	takeIt  opinion = iota // on the tip, or on a block that is new
	askNode                // it would take us back, or to a branch
	dropIt                 // older than what is known
)

// judge says what to do with a template on prev, at a height. requested is when a plain
// request for it was made, zero for a longpoll's.
func (t *tips) judge(prev chainhash.Hash, height uint32, requested time.Time) opinion {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.known, prev == t.tip:
		return takeIt
	case t.find(prev) < 0 && height > t.height+1:
		return takeIt
	case !requested.IsZero() && t.since.After(requested), t.expected(prev):
		return dropIt
	}
	return askNode
}

// isGuessed reports whether the node has yet to validate the tip.
func (t *tips) isGuessed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.guessed
}

// awaits reports whether the node is expected to be behind still: its best block is the
// parent of one that it is validating.
func (t *tips) awaits(best chainhash.Hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.expected(best)
}

func (t *tips) expected(best chainhash.Hash) bool {
	return t.guessed && best == t.parent && time.Since(t.since) < speculationTime
}
