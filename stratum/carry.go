package stratum

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// A device whose buffers are too small for a coinbase drops a part of it without a word
// and works on a block that does not exist. What it submits is good work on its header,
// and on ours a hash like any other: far above every target. Elsewhere the outputs stand
// behind the extranonce and such a device loses the end of coinb2. Here the extranonce
// stands at the end, so that it loses the last outputs, the share's commitment with
// them, and, if it cuts what it has put together, the extranonce too: then its
// submissions differ in extranonce2 alone and still all miss.
const (
	// farMiss is by how many times a hash misses the easiest difficulty that the device
	// was sent if what the device hashed was something else. Whatever a device found
	// on the right header, be it late in noticing a new difficulty, is better. Of the
	// hashes of anything else, all but 256/(2³²·d) are worse: one in 256 at 2⁻¹⁶, which
	// is an ESP32's difficulty. At the difficulties of regtest nothing misses so far.
	farMiss = 256
	// maxFarMisses in a row are what makes a class too large. One might be a bit that
	// flipped.
	maxFarMisses = 5
	// surelyCut is the difficulty from which one submission proves where it was cut.
	// Some 100 lengths are tried, each of which a hash meets by chance at 1 in 2³²·d;
	// at easier difficulties two submissions must agree.
	surelyCut = 0.01
	// searchRate and searchBurst bound the searches for a cut coinbase of all connections
	// together, per second. One takes 1.4 ms in the largest class, which anybody may ask
	// for with each connection: this is 3 % of a core. Without one, as many misses
	// as it takes lower the class to the next.
	searchRate, searchBurst = 20, 50
)

// searches is the budget for them. Safe for concurrent use.
type searches struct {
	mu     sync.Mutex
	bucket bucket
}

func newSearches(now time.Time) *searches {
	return &searches{bucket: newBucket(searchRate, searchBurst, now)}
}

// take reports whether one may be done now.
func (s *searches) take(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bucket.take(now)
}

// carrier watches how long a coinbase the device hashes whole.
type carrier struct {
	easiest float64 // difficulty that the device was ever sent, and may still apply
	good    int     // bytes of the longest one that a submission was valid for
	misses  int     // far misses in a row on longer ones
	cut     int     // bytes that the last of them was cut at; 0: unknown
	told    bool    // that no class is short enough
}

// assigned notes a difficulty that the device is sent.
func (c *carrier) assigned(diff float64) {
	if c.easiest == 0 || diff < c.easiest {
		c.easiest = diff
	}
}

// fits notes a valid submission.
func (c *carrier) fits(j *liveJob) {
	c.good = max(c.good, j.size)
	c.misses, c.cut, c.told = 0, 0, false
}

// far reports whether a hash that misses a job's difficulty means that the device hashed
// something else.
func (c *carrier) far(j *liveJob, hash *chainhash.Hash) bool {
	return j.size > c.good && hashDifficulty(hash)*farMiss < c.easiest
}

// missed considers a submission whose hash is above the target, and lowers the class of a
// connection whose device does not hash the coinbases that it gets.
func (s *session) missed(j *liveJob, solution mining.Solution, hash *chainhash.Hash, now time.Time) {
	s.mu.Lock()
	least := min(j.diff, s.sentDiff)
	far := s.carrier.far(j, hash)
	considered := far && !s.carrier.told && j.class == s.class
	if far {
		s.vardiff.postpone(now)
	}
	s.excused = considered
	s.mu.Unlock()
	if !considered {
		return
	}
	cut, searched := 0, s.searches.take(now)
	if searched {
		bound := deviceTarget(least)
		cut = findCut(j.job, solution, func(hash *chainhash.Hash) bool { return target.HashMeets(hash, &bound) })
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.carrier
	proven := cut > 0 && (least >= surelyCut || cut == c.cut)
	c.misses++
	if searched {
		c.cut = cut
	}
	if proven || c.misses >= maxFarMisses {
		if !proven {
			cut = 0
		}
		s.lowerClass(j, cut)
		s.vardiff.restart(now) // it could not find anything
	}
}

// lowerClass gives the device a class whose jobs are shorter, if there is one: one that
// fits into cut bytes where that is known, else the next. It MUST be called with the
// mutex held; the answer goes out before the job does.
func (s *session) lowerClass(j *liveJob, cut int) {
	reason := fmt.Sprintf("%d submissions in a row do not fit their jobs", s.carrier.misses)
	if cut > 0 {
		reason = fmt.Sprintf("the device hashes only %d bytes of a coinbase of %d", cut, j.size)
	}
	s.carrier.misses, s.carrier.cut = 0, 0
	class, size := s.shorter(j, cut)
	if size == 0 {
		s.carrier.told = true
		s.notes = append(s.notes, reason+", and there is no shorter one: the device cannot mine here")
		return
	}
	s.notes = append(s.notes, fmt.Sprintf("output class lowered from %v to %v: %s", s.class, class, reason))
	s.class, s.lowered, s.afresh = class, true, true
	for _, a := range s.workers {
		a.worker.carries(class)
	}
}

// afterMiss shows what a miss led to, and sends the job of the class.
func (s *session) afterMiss(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.showNotes()
	if s.afresh {
		s.sendJob(now)
	}
}

// shorter returns the largest class below the connection's whose job is shorter than j and,
// if cut is not 0, has at most cut bytes; if all are longer than that, the smallest. size is
// that of its job, or 0 if none is shorter.
func (s *session) shorter(j *liveJob, cut int) (class share.Class, size int) {
	ws := s.current()
	if ws.work == nil {
		return 0, 0
	}
	for c := int(s.class) - 1; c >= 0; c-- {
		p, err := ws.prepare(s.payee, share.Class(c))
		if err != nil || p.size >= j.size {
			continue
		}
		class, size = share.Class(c), p.size
		if cut == 0 || size <= cut {
			break
		}
	}
	return class, size
}

// knownLimits are lengths in bytes at which firmware is known or likely to cut.
var knownLimits = []int{
	128, 255, 256, 320, 384, 400, 500, 512, 640, 750, 755, 768, 1000, 1024, 1500, 1536, 2000, 2048, 2250,
	3072, 4000, 4096, 6144, 6208, 6500, 8000, 8192, 10000, 12288, 16000, 16320, 16384, 32768,
}

// findCut looks for the length at which a device must have cut the coinbase to find what
// it submits, and returns it in bytes, 0 if it finds none. A device may have cut the
// first part and appended the rest, or cut the whole.
func findCut(job *mining.Job, solution mining.Solution, good func(*chainhash.Hash) bool) int {
	first := job.Coinb1()
	rest := append(solution.Extranonce[:len(solution.Extranonce):len(solution.Extranonce)], job.Coinb2...)
	whole := append(first, rest...)
	header := job.Header(solution.Extranonce, solution.Version, solution.Time, solution.Nonce)
	fits := func(coinbase hash.Hash) bool {
		id := chainhash.HashH(coinbase.Sum(nil))
		header.MerkleRoot = share.MerkleRoot(id, job.Branch)
		hash := header.BlockHash()
		return good(&hash)
	}
	prefix, done := sha256.New(), 0 // of whole
	for _, n := range cutLengths {
		if n >= len(whole) {
			break
		}
		prefix.Write(whole[done:n])
		done = n
		if fits(prefix) {
			return n
		}
		if n >= len(first) {
			continue
		}
		joined, err := prefix.(hash.Cloner).Clone()
		if err != nil {
			return 0
		}
		joined.Write(rest)
		if fits(joined) {
			return n + len(rest)
		}
	}
	return 0
}

// cutLengths are the lengths that a device may have hashed, ascending.
var cutLengths = func() []int {
	const rest = share.ExtranonceSize + 4 // what follows the first part
	var lengths []int
	for _, n := range knownLimits {
		// A text of 2n digits has n−1 bytes where room for its end is needed.
		for _, n := range []int{n, n - 1} {
			lengths = append(lengths, n-rest, n)
		}
	}
	slices.Sort(lengths)
	return slices.Compact(lengths)
}()
