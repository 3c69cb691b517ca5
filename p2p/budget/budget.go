package budget

import (
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// Budget is what one peer may take. It is safe for concurrent use.
type Budget struct {
	unlimited bool
	patience  time.Duration

	// account is what it spends first. Its lock guards the rest.
	account *account
	// own is what it has besides if others spend from the account too, and for greetings;
	// nil: nobody does.
	own      *purse
	expected map[string]*expectation // by command; of shares one by one
	over     time.Time               // since when the peer is held back; zero: it is not
	held     time.Time               // until when it was last held back
	stats    Stats
}

// account is what the connections of a host spend together, or that of one connection.
type account struct {
	mu    sync.Mutex
	purse *purse
	// beside is set when more than one connection has spent from it since it was full.
	beside bool

	// Guarded by the Hosts' lock.
	host  string
	conns int       // there are now
	whole time.Time // when all of it is full, as of the last one's end
	// settled is until when connections that have ended still owe of their own time: it is
	// charged when it is spent already, so that each new one would have some for nothing.
	settled [len(clocks)]time.Time
}

// Stats is what a peer has cost so far.
type Stats struct {
	Verifying time.Duration // its shares, valid or not
	Serving   time.Duration // its requests
	Throttled time.Duration // that it was told to wait
}

// New returns the budget of a peer that shares it with nobody, on a chain with that time
// between shares.
func New(interval time.Duration) *Budget {
	return newBudget(&account{purse: newPurse(interval, 1, time.Time{})})
}

func newBudget(a *account) *Budget {
	return &Budget{patience: Patience, account: a, expected: make(map[string]*expectation)}
}

// Unlimited returns the budget of a peer that the operator vouches for. What it costs
// is counted, and decides about its turn, but it is never held back.
func Unlimited() *Budget {
	b := New(baseInterval)
	b.unlimited = true
	return b
}

// Sent notes a message that goes to the peer: its answer is welcome.
func (b *Budget) Sent(now time.Time, m message.Message) {
	command, n, most := wanted(m)
	if n == 0 {
		return
	}
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	e := b.expected[command]
	if e == nil {
		e = new(expectation)
		b.expected[command] = e
	}
	e.add(now, n, most)
}

// Verdict says how to treat a received message.
type Verdict struct {
	Wait    time.Duration // before it is handled
	Asked   int           // of the shares in it, the first so many were asked for
	TooMuch bool          // the peer has used up our patience
}

// Received charges a message of so many bytes with its frame.
func (b *Budget) Received(now time.Time, m message.Message, size int) Verdict {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	lim := limitOf(m.Command())
	var v Verdict
	if unasked := b.unasked(now, m, &v); unasked > 0 {
		v.Wait = b.charge(now, m.Command(), lim, float64(size)*unasked)
	}
	if lim.clock != noTime {
		v.Wait = max(v.Wait, b.time(now, lim.clock).Wait(now))
	}
	switch {
	case b.unlimited:
		v.Wait = 0
	case v.Wait > 0:
		b.hold(now, &v, !lim.request)
	}
	return v
}

// charge takes a message from the account, or from what the connection has to itself if
// it has to wait less for that, and returns how long. So whoever else has emptied the
// account, an honest peer goes on.
func (b *Budget) charge(now time.Time, command string, lim limit, size float64) time.Duration {
	if b.own != nil && lim.greeting {
		return b.own.lane(command).take(now, size)
	}
	common := b.account.purse.lane(command)
	wait := common.take(now, size)
	if wait == 0 || b.own == nil || !b.account.beside {
		return wait
	}
	own := b.own.lane(command)
	if less := own.take(now, size); less < wait {
		common.undo(now, size)
		return less
	}
	own.undo(now, size)
	return wait
}

// time returns the bucket of a time to spend from, by the same rule.
func (b *Budget) time(now time.Time, c clock) *Bucket {
	common := b.account.purse.time(c)
	if b.own != nil && b.account.beside {
		if own := b.own.time(c); own.Wait(now) < common.Wait(now) {
			return own
		}
	}
	return common
}

// unasked returns which part of a message nobody asked for.
func (b *Budget) unasked(now time.Time, m message.Message, v *Verdict) float64 {
	switch m := m.(type) {
	case *message.Shares:
		v.Asked = b.use(now, message.CmdShares, len(m.Raw))
		return float64(len(m.Raw)-v.Asked) / float64(len(m.Raw))
	case *message.NotFound: // instead of shares
		return float64(len(m.IDs)-b.use(now, message.CmdShares, len(m.IDs))) / float64(len(m.IDs))
	}
	return float64(1 - b.use(now, m.Command(), 1))
}

func (b *Budget) use(now time.Time, command string, n int) int {
	e := b.expected[command]
	if e == nil {
		return 0
	}
	return e.use(now, n)
}

// hold notes that the peer is held back, and whether that has gone on for too long.
// Requests don't count: a peer may ask for as much as it gets.
func (b *Budget) hold(now time.Time, v *Verdict, counts bool) {
	b.stats.Throttled += v.Wait
	if !counts {
		return
	}
	if b.over.IsZero() || now.Sub(b.held) >= calm {
		b.over = now
	}
	b.held = now.Add(v.Wait)
	v.TooMuch = now.Sub(b.over) >= b.patience
}

// Verified charges the time for verifying so many shares of the peer, of which some
// were valid and new: their part is not charged.
func (b *Budget) Verified(now time.Time, took time.Duration, shares, valid int) {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	b.stats.Verifying += took
	if shares > valid {
		b.time(now, verifyTime).Take(now, took.Seconds()*float64(shares-valid)/float64(shares))
	}
}

// Served charges the time for answering a request.
func (b *Budget) Served(now time.Time, took time.Duration) {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	b.stats.Serving += took
	b.time(now, serveTime).Take(now, took.Seconds())
}

// VerifyRank and ServeRank are the peer's ranks for Turns: what is left for it.
func (b *Budget) VerifyRank(now time.Time) float64 {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	return b.time(now, verifyTime).Level(now)
}

// ServeRank is the rank for a turn at being served.
func (b *Budget) ServeRank(now time.Time) float64 {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	return b.time(now, serveTime).Level(now)
}

// Stats returns what the peer has cost so far.
func (b *Budget) Stats() Stats {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	return b.stats
}
