package peer

import (
	"errors"
	"slices"
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

	exchangeInterval = time.Second / ExchangesPerSecond
)

var (
	errBusy = errors.New("too many v2 handshakes at once")
	errLeft = errors.New("the connection ended before its v2 handshake")
)

// Limiter spreads the key exchanges of all inbound connections of a node over
// time, because they cost CPU time before anything is known about the peer. A nil
// Limiter limits nothing. It is safe for concurrent use.
//
// Whoever leaves before his turn gives it back: else a flood of connections that are
// let go again at once would take up all turns for maxExchangeWait.
type Limiter struct {
	mu    sync.Mutex
	next  time.Time       // when the next exchange is due at the long-run rate
	queue []chan struct{} // in order of arrival; the channel of the first is closed
}

// wait blocks until the caller may make one exchange, in the order of the calls.
func (l *Limiter) wait(done <-chan struct{}) error {
	if l == nil {
		return nil
	}
	first, ok := l.enter()
	if !ok {
		return errBusy
	}
	select {
	case <-first:
	case <-done:
		l.leave(first, false)
		return errLeft
	}
	if delay := l.delay(time.Now()); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-done:
			l.leave(first, false)
			return errLeft
		}
	}
	l.leave(first, true)
	return nil
}

// enter lines up, unless the wait would be too long. The channel is closed when the
// caller is the first.
func (l *Limiter) enter() (chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due(time.Now())+time.Duration(len(l.queue))*exchangeInterval > maxExchangeWait {
		return nil, false
	}
	c := make(chan struct{})
	if l.queue = append(l.queue, c); len(l.queue) == 1 {
		close(c)
	}
	return c, true
}

// delay returns how far away the first one's turn is.
func (l *Limiter) delay(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.due(now)
}

// due is delay for callers that hold the lock.
func (l *Limiter) due(now time.Time) time.Duration {
	if saved := now.Add(-(exchangeBurst - 1) * exchangeInterval); l.next.Before(saved) {
		l.next = saved
	}
	return l.next.Sub(now)
}

// leave takes the caller out of the line, after its turn or without.
func (l *Limiter) leave(c chan struct{}, used bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if used {
		l.next = l.next.Add(exchangeInterval)
	}
	i := slices.Index(l.queue, c)
	l.queue = slices.Delete(l.queue, i, i+1)
	if i == 0 && len(l.queue) > 0 {
		close(l.queue[0])
	}
}
