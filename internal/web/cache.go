package web

import (
	"context"
	"sync"
	"time"
)

const (
	// freshFor is how long an answer of the Backend is shown before it is asked again.
	freshFor = time.Second
	// minersFreshFor is the same for what is about all miners: 10,000 workers take some 20
	// milliseconds.
	minersFreshFor = 3 * time.Second
)

// cached asks the Backend for all requests of a moment together.
type cached[T any] struct {
	ask   func(context.Context) (T, error)
	fresh time.Duration

	mu    sync.Mutex
	known bool
	value T
	asked time.Time
}

// get returns an answer that is no older than fresh.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); !c.known || now.Sub(c.asked) >= c.fresh {
		value, err := c.ask(ctx)
		if err != nil {
			var none T
			return none, err
		}
		c.value, c.asked, c.known = value, now, true
	}
	return c.value, nil
}

// fronts keeps the front page until there is a newer state: for ports where miners must
// encrypt, and for others. Visitors may name any host, so it is put in for each of them.
type fronts struct {
	mu   sync.Mutex
	of   *Status
	made map[bool][]byte // by OnlyTLS
}

// page returns the page of a view, or that of another with the same state.
func (f *fronts) page(v *view) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of != v.Status {
		f.of, f.made = v.Status, make(map[bool][]byte)
	}
	if page, known := f.made[v.OnlyTLS]; known {
		return page, nil
	}
	page, err := render("front", v)
	if err == nil {
		f.made[v.OnlyTLS] = page
	}
	return page, err
}

const (
	// maxAddress is the most bytes of what can be an address: those of the longest
	// bech32 one.
	maxAddress = 90
	// maxWorkers is how many workers of an address are shown. A page of them has 100 kB.
	maxWorkers = 100
	// maxKept is how many addresses are kept with their page and JSON, 6 MB at the
	// very most.
	maxKept = 32
)

// lookups finds miners by address, one at a time, and keeps what it made of those that
// anything is known of until there is a newer state of all.
type lookups struct {
	miners cached[Miners]

	mu   sync.Mutex
	of   Miners           // that kept was made of
	kept map[string]*find // by address as asked for, at most maxKept
}

// find is what is known of an address, and what was made of it.
type find struct {
	miner      *Miner
	page, json []byte // nil: not made yet
}

// with calls use with what is known of an address. No other lookup goes on meanwhile.
// The error is ErrNoAddress or the Backend's.
func (l *lookups) with(ctx context.Context, address string, use func(*find) error) error {
	if address == "" || len(address) > maxAddress {
		return ErrNoAddress
	}
	now, err := l.miners.get(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of != now {
		l.of, l.kept = now, make(map[string]*find)
	}
	f := l.kept[address]
	if f == nil {
		miner, err := now.Miner(address, maxWorkers)
		if err != nil {
			return err
		}
		f = &find{miner: miner}
		// One that nothing is known of can be made up, and takes nobody's place.
		if len(l.kept) < maxKept && (miner.WorkerCount > 0 || miner.Payout.Place > 0) {
			l.kept[address] = f
		}
	}
	return use(f)
}
