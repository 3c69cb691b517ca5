package budget

import "sync"

// fairTurn: of so many turns in a row, one goes to whoever has waited longest,
// however much that peer has taken before. So among n waiting nobody waits for more
// than 4 n turns.
const fairTurn = 4

// Turns lets only so many at a time do something, such as verify shares. Of those
// who wait the one of highest rank comes first, and among equals the one who has
// waited longest. It is safe for concurrent use.
type Turns struct {
	mu      sync.Mutex
	free    int
	granted uint64    // to somebody who had to wait
	waiting []*waiter // in order of arrival
}

type waiter struct {
	rank  float64
	ready chan struct{} // closed when it is the waiter's turn
}

// NewTurns allows n at a time.
func NewTurns(n int) *Turns { return &Turns{free: n} }

// Take waits for one's turn and reports whether it came before done was closed. A
// turn that came must be given back. The number that waits is bounded by the
// callers: one for each connection.
func (t *Turns) Take(done <-chan struct{}, rank float64) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	w := &waiter{rank: rank, ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-done:
	}
	if !t.remove(w) {
		t.Give() // it came at the same moment
	}
	return false
}

// Give gives a turn back.
func (t *Turns) Give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	t.granted++
	best := 0
	if t.granted%fairTurn != 0 {
		for i, w := range t.waiting {
			if w.rank > t.waiting[best].rank {
				best = i
			}
		}
	}
	w := t.waiting[best]
	t.waiting = append(t.waiting[:best], t.waiting[best+1:]...)
	close(w.ready)
}

// remove takes a waiter out and reports whether it was still waiting.
func (t *Turns) remove(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.waiting {
		if t.waiting[i] == w {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return true
		}
	}
	return false
}
