package peer

import (
	"errors"
	"sync"
	"time"
)

const (
	// ExchangesPerSecond is how many inbound v2 handshakes a node answers in the
	// long run. Making a key and agreeing on the secret take 0.6 ms together
	// (BenchmarkExchange), so that a flood of strangers takes 2.5 % of a core. All
	// 114 inbound slots get their turn in 3 s.
	ExchangesPerSecond = 40
	// exchangeBurst is how many are answered at once after a quiet time: the peers
	// that return when this node does.
	exchangeBurst = 16
	// maxExchangeWait is the longest wait for one's turn. Whoever would wait longer
	// is refused: the rest of the handshake needs time as well.
	maxExchangeWait = HandshakeTimeout / 2
)

var errBusy = errors.New("too many v2 handshakes at once")

// Limiter spreads the key exchanges of all inbound connections of a node over
// time, because they cost CPU time before anything is known about the peer. A nil
// Limiter limits nothing. It is safe for concurrent use.
type Limiter struct {
	mu   sync.Mutex
	next time.Time // when the next exchange is due at the long-run rate
}

// wait blocks until the caller may make one exchange, in the order of the calls.
func (l *Limiter) wait(done <-chan struct{}) error {
	if l == nil {
		return nil
	}
	delay, ok := l.book(time.Now())
	if !ok {
		return errBusy
	}
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-done:
		return errors.New("the connection ended before its v2 handshake")
	}
}

// book takes the next turn and returns how far it is away.
func (l *Limiter) book(now time.Time) (time.Duration, bool) {
	const interval = time.Second / ExchangesPerSecond
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.next
	if saved := now.Add(-(exchangeBurst - 1) * interval); at.Before(saved) {
		at = saved
	}
	delay := at.Sub(now)
	if delay > maxExchangeWait {
		return 0, false
	}
	l.next = at.Add(interval)
	return delay, true
}
