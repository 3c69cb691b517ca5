package bench

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

const (
	// maxBehind is how many newer jobs a job may have and still be worked on: servers
	// remember a few dozen.
	maxBehind = 30
	// maxWorkAge is how old it may become.
	maxWorkAge = 5 * time.Minute
	// maxTries bounds the hashes for one submission: some tens of milliseconds.
	maxTries = 1 << 17
	// maxPrepared bounds the solutions that one client keeps.
	maxPrepared = 1 << 14
	// slice is how long solutions are looked for between two looks at what has come in.
	slice = time.Millisecond
	// suggestEvery is how often a client asks for its first difficulty again.
	suggestEvery = 10 * time.Second
)

// choose moves the client's work to the newest job if that is no harder, or if it
// must: as long as the server takes solutions of a job, its difficulty holds. So
// the load stays the same while the server adapts the difficulty of later jobs to
// a device that seems to be fast.
func (l *loop) choose(c *client) {
	w, n := &c.work, &c.newest
	now := l.run.now()
	switch {
	case w.built && w.n == n.n:
		return
	case !w.built, n.body.prev != w.body.prev, w.n < n.clean,
		n.n-w.n > maxBehind, since(w.at, now) > maxWorkAge:
	case n.diff > w.diff, len(w.prepared) > 0:
		return
	}
	id := append(w.id[:0], n.id...)
	w.job = *n
	w.id = id
	w.goal = pow.NewGoal(target.FromDifficulty(w.diff))
	l.build(c)
	if w.diff > 2*c.granted && l.run.cfg.Difficulty > 0 && since(c.suggested, now) > suggestEvery {
		c.suggested = now
		c.nextID++
		l.stats.suggested++
		l.send(c, l.appendSuggest(nil, c.nextID), now)
	}
}

// build makes the header of the work, with an extranonce2 that the client has not
// used before.
func (l *loop) build(c *client) {
	w := &c.work
	w.round++
	coinbase := l.hasher.DoubleHash(w.body.coinb1, c.extranonce1, l.extranonce2(c), w.body.coinb2)
	root := pow.MerkleRoot(coinbase, w.body.branch)
	h := &w.header
	binary.LittleEndian.PutUint32(h[pow.OffsetVersion:], w.body.version&^c.mask|c.versionBits())
	copy(h[pow.OffsetPrev:], w.body.prev[:])
	copy(h[pow.OffsetRoot:], root[:])
	binary.LittleEndian.PutUint32(h[pow.OffsetTime:], w.ntime)
	binary.LittleEndian.PutUint32(h[pow.OffsetBits:], w.body.bits)
	w.nonce, w.built, w.prepared = 0, true, w.prepared[:0] // solutions are of one header
}

// extranonce2 is that of the client's header, valid until the next call.
func (l *loop) extranonce2(c *client) []byte {
	e2 := l.e2[:c.e2size]
	clear(e2)
	for i, n := len(e2)-1, c.work.round; i >= 0 && n > 0; i, n = i-1, n>>8 {
		e2[i] = byte(n)
	}
	return e2
}

// versionBits are the bits that the client rolls: others for its neighbours, so that
// the server sees some.
func (c *client) versionBits() uint32 {
	return uint32(c.number) << bits.TrailingZeros32(c.mask|1<<31) & c.mask
}

// solve sees to it that the client has a solution, or returns false.
func (l *loop) solve(c *client) bool {
	l.choose(c)
	return c.state != gone && (len(c.work.prepared) > 0 || l.search(c))
}

// search adds a solution to the prepared ones.
func (l *loop) search(c *client) bool {
	w := &c.work
	if w.nonce > math.MaxUint32-maxTries {
		l.build(c)
	}
	next, found := l.hasher.Search(&w.header, &w.goal, w.nonce, maxTries)
	l.stats.hashes += uint64(next - w.nonce)
	if w.nonce = next; found {
		l.stats.solutions++
		w.prepared = append(w.prepared, next-1)
	}
	return found
}

// prepare looks for solutions for a moment and reports whether there is more to do.
func (l *loop) prepare() (more bool) {
	if l.stats.preparing {
		return false
	}
	want := l.run.wanted()
	begun := l.run.now()
	enough := 0
	for enough < len(l.live) {
		l.turn++
		c := l.live[l.turn%len(l.live)]
		l.choose(c)
		switch {
		case c.state == gone:
		case len(c.work.prepared) >= want:
			enough++
			continue
		case l.search(c):
			l.stats.prepared++
		}
		enough = 0
		if since(begun, l.run.now()) > slice {
			return true
		}
	}
	l.stats.preparing = true
	l.run.prepared.Add(1)
	return false
}

// wanted is how many solutions each client needs for the whole run.
func (r *run) wanted() int {
	if r.cfg.Rate == 0 {
		return maxPrepared
	}
	n := r.cfg.Rate * r.cfg.Duration.Seconds() / float64(max(r.connected.Load(), 1))
	return min(int(n)+1, maxPrepared)
}
