package merged

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/target"
)

// timing holds the durations that tests shorten.
type timing struct {
	poll     time.Duration // between two questions for a block
	backoff  time.Duration // between two to a node that fails, at most
	refresh  time.Duration // age at which a block is replaced by one on the same tip
	patience time.Duration // for which a block is mined on though the node fails
	call     time.Duration // for an answer
	gap      time.Duration // between two changes of the tree, at least
	retry    time.Duration // before a proof is submitted again, doubled each time
	grace    time.Duration // for proofs on their way when the program ends
	remind   time.Duration // between two warnings about blocks found for nothing, at least
	repeat   time.Duration // between two about a node that gives none, at least
}

// defaultTiming returns the durations of real life.
func defaultTiming() timing {
	return timing{
		// A question that changes nothing costs the node a fraction of a millisecond.
		// Chains' blocks take from half a minute to ten; work on an old one is lost.
		poll:    2 * time.Second,
		backoff: time.Minute,
		// Namecoin Core makes a new block each minute, and may go on naming an earlier
		// one in between. Each change costs every miner a new job.
		refresh:  time.Minute,
		patience: 30 * time.Second,
		call:     10 * time.Second,
		gap:      time.Second,
		retry:    time.Second,
		grace:    5 * time.Second,
		remind:   time.Minute,
		repeat:   10 * time.Minute,
	}
}

const (
	// maxKnown is how many of its latest blocks a chain remembers, so that one that
	// comes up again is not solved twice. Jobs on older ones are older than
	// maxKnown·poll at the very least.
	maxKnown = 16
	// maxQueue bounds the proofs that wait for being submitted: there is at most one
	// for each block, and a node that leaves more than these waiting is of no use.
	maxQueue = 8
)

// chain is one of the other chains: its node, the block to mine, and what was found.
type chain struct {
	client  *client
	timing  timing
	log     slog.Logger
	claim   func(c *chain, id uint32) error // asks for the right to mine the chain with this id
	release func(c *chain)                  // gives it back
	changed func()                          // after each change of current

	kick  chan struct{}  // asks for a block now
	queue chan *solution // to be submitted

	mu        sync.Mutex // guards what follows
	current   *block     // in the tree; nil: none
	known     []*block   // newest last, maxKnown at most
	chainID   int64      // -1 until the node has said it
	seen      time.Time  // of the last good answer
	failing   bool       // the last answer was none
	err       string     // why; the last reason, even if it does not fail any more
	told      bool       // that it fails, in the log
	failLog   limiter
	lostLog   limiter
	counts    Counts
	lastFound time.Time
}

// Counts counts the solutions for blocks of one chain. Those that are in none of the
// others are on their way, or were given up as the node could not be reached.
type Counts struct {
	Found    uint64
	Accepted uint64
	Rejected uint64
	Stale    uint64 // the node had forgotten the block
}

func newChain(end *Endpoint, t timing, log slog.Logger) *chain {
	return &chain{
		client: newClient(end, t.call), timing: t, log: log, chainID: end.chainID,
		kick: make(chan struct{}, 1), queue: make(chan *solution, maxQueue),
	}
}

// poll keeps asking the node for a block until ctx ends.
func (c *chain) poll(ctx context.Context) {
	defer c.client.close()
	backoff := c.timing.poll
	for {
		t, submit, err := c.client.create(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = c.adopt(t, submit, time.Now())
		}
		pause := c.timing.poll
		if err != nil {
			c.fail(err, time.Now())
			pause, backoff = backoff, min(2*backoff, c.timing.backoff)
		} else {
			backoff = c.timing.poll
		}
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		case <-time.After(pause):
		}
	}
}

// adopt takes a block that the node gives. The error says why it must not be mined.
func (c *chain) adopt(t *template, submit string, now time.Time) error {
	if err := c.identify(t.chainID); err != nil {
		return err
	}
	c.mu.Lock()
	recovered, told := c.failing, c.told
	c.failing, c.told, c.seen = false, false, now
	first := len(c.known) == 0
	replace := recovered || c.current == nil || c.supersedes(t, now)
	if replace {
		old := c.current
		c.current = c.remember(t, submit, now)
		replace = c.current != old
	}
	c.mu.Unlock()
	if address := c.client.end.address; first && submit == methodBoth && address != "" {
		c.log.Warnf("Merged mining: %v has no %s; its blocks pay the wallet of that node, not %s",
			c.client.end, methodCreate, clean(address))
	}
	if told {
		c.log.Infof("Merged mining: %v gives blocks of chain %d again", c.client.end, t.chainID)
	}
	if replace {
		c.changed()
	}
	return nil
}

// identify checks the chain id, and that nobody else mines the chain. A node that
// changes its chain is either broken or another one.
func (c *chain) identify(id uint32) error {
	c.mu.Lock()
	want := c.chainID
	c.mu.Unlock()
	if want >= 0 && want != int64(id) {
		return fmt.Errorf("it says that its chain's id is %d, not %d", id, want)
	}
	if err := c.claim(c, id); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chainID = int64(id)
	return nil
}

// supersedes reports whether a block takes the place of the current one: at once if it
// is on another tip, after a while if it merely has other transactions.
func (c *chain) supersedes(t *template, now time.Time) bool {
	switch old := c.current; {
	case t.hash == old.hash:
		return false
	case t.prev != old.prev || t.height != old.height:
		return true
	default:
		return now.Sub(old.adopted) >= c.timing.refresh
	}
}

// remember returns the block of a template, the one that was known before if there
// was one. The caller holds the lock.
func (c *chain) remember(t *template, submit string, now time.Time) *block {
	for _, b := range c.known {
		if b.hash == t.hash {
			return b
		}
	}
	b := &block{template: *t, submit: submit, adopted: now}
	c.known = append(c.known, b)
	if len(c.known) > maxKnown {
		c.known = c.known[1:]
	}
	return b
}

// fail notes that the node gave no block, and gives up the current one after a while.
func (c *chain) fail(err error, now time.Time) {
	c.mu.Lock()
	c.failing, c.err = true, err.Error()
	lost := c.current != nil && now.Sub(c.seen) > c.timing.patience
	if lost {
		c.current = nil
	}
	tell := c.failLog.allow(now, c.timing.repeat)
	c.told = c.told || tell
	c.mu.Unlock()
	if lost {
		c.release(c)
		c.changed()
	}
	if tell {
		c.log.Warnf("Merged mining: no block from %v: %v", c.client.end, err)
	}
}

// limiter lets through one log line in a while, whatever the lines say.
type limiter struct{ last time.Time }

func (l *limiter) allow(now time.Time, every time.Duration) bool {
	if !l.last.IsZero() && now.Sub(l.last) < every {
		return false
	}
	l.last = now
	return true
}

// mined returns the block to be in the tree, or nil.
func (c *chain) mined() *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// Status is the state of one of the chains.
type Status struct {
	URL        string // of the node, without login
	Address    string // paid, "" if the node's wallet is
	ChainID    int64  // -1 while unknown
	Height     uint32 // of the block that is mined; 0: none, or unknown
	Hash       string // of that block; "": none
	Difficulty float64
	Healthy    bool   // its block is in the jobs, and the node answers
	Error      string // the last one, also if it is over
	LastFound  time.Time
	Counts
}

func (c *chain) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		URL: c.client.end.String(), Address: c.client.end.address, ChainID: c.chainID,
		Healthy: c.current != nil && !c.failing, Error: c.err, LastFound: c.lastFound, Counts: c.counts,
	}
	if b := c.current; b != nil {
		s.Height, s.Hash, s.Difficulty = b.height, b.hash.String(), target.Difficulty(&b.target)
		if b.submit == methodBoth {
			s.Address = ""
		}
	}
	return s
}

// leaf is a chain's place in a tree.
type leaf struct {
	chain  *chain
	block  *block
	index  uint32
	branch []chainhash.Hash
}
