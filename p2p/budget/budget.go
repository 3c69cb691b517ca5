package budget

import (
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// Budget is what one peer may take. It is safe for concurrent use.
type Budget struct {
	scale     float64
	unlimited bool
	patience  time.Duration

	mu       sync.Mutex
	lanes    map[string]*lane        // by command, made when needed; "" for all unknown ones
	expected map[string]*expectation // by command; of shares one by one
	verify   Bucket                  // seconds
	serve    Bucket                  // seconds
	over     time.Time               // since when the peer is held back; zero: it is not
	held     time.Time               // until when it was last held back
	stats    Stats
}

// lane is the buckets of one type.
type lane struct {
	limit
	messages, bytes Bucket
}

// Stats is what a peer has cost so far.
type Stats struct {
	Verifying time.Duration // its shares, valid or not
	Serving   time.Duration // its requests
	Throttled time.Duration // that it was told to wait
}

// New returns the budget of a peer whose chain has that time between shares.
func New(interval time.Duration) *Budget {
	return &Budget{
		scale:    scaleOf(interval),
		patience: Patience,
		lanes:    make(map[string]*lane),
		expected: make(map[string]*expectation),
		verify:   NewBucket(verifyRate, verifyBurst),
		serve:    NewBucket(serveRate, serveBurst),
	}
}

// Unlimited returns the budget of a peer that the operator vouches for. What it costs
// is counted, and decides about its turn, but it is never held back.
func Unlimited() *Budget {
	b := New(baseInterval)
	b.unlimited = true
	return b
}

// lane returns the buckets of a command. Their number is bounded by the table.
func (b *Budget) lane(command string) *lane {
	lim, known := limits[command]
	if !known {
		lim, command = others, ""
	}
	l := b.lanes[command]
	if l == nil {
		scale := 1.0
		if lim.perShare {
			scale = b.scale
		}
		l = &lane{lim, NewBucket(lim.messages*scale, lim.messageBurst), NewBucket(lim.bytes*scale, lim.byteBurst)}
		b.lanes[command] = l
	}
	return l
}

// Sent notes a message that goes to the peer: its answer is welcome.
func (b *Budget) Sent(now time.Time, m message.Message) {
	command, n, most := wanted(m)
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
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
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lane(m.Command())
	var v Verdict
	unasked := b.unasked(now, m, &v)
	if unasked > 0 {
		l.messages.Take(now, 1)
		l.bytes.Take(now, float64(size)*unasked)
		v.Wait = max(l.messages.Wait(now), l.bytes.Wait(now))
	}
	switch l.clock {
	case verifyTime:
		v.Wait = max(v.Wait, b.verify.Wait(now))
	case serveTime:
		v.Wait = max(v.Wait, b.serve.Wait(now))
	}
	switch {
	case b.unlimited:
		v.Wait = 0
	case v.Wait > 0:
		b.hold(now, &v, !l.request)
	}
	return v
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
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Verifying += took
	if shares > valid {
		b.verify.Take(now, took.Seconds()*float64(shares-valid)/float64(shares))
	}
}

// Served charges the time for answering a request.
func (b *Budget) Served(now time.Time, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Serving += took
	b.serve.Take(now, took.Seconds())
}

// VerifyRank and ServeRank are the peer's ranks for Turns: what is left for it.
func (b *Budget) VerifyRank(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.verify.Level(now)
}

// ServeRank is the rank for a turn at being served.
func (b *Budget) ServeRank(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.serve.Level(now)
}

// Stats returns what the peer has cost so far.
func (b *Budget) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}
