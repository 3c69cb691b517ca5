package budget

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurnsOrder: the highest rank first, every fourth turn to the one who has waited
// longest.
func TestTurnsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		turns.Take(nil, 0)
		var order []float64
		var mu sync.Mutex
		for _, rank := range []float64{-9, 1, 5, 3, 5.5, 2, -8, 4} {
			go func() {
				turns.Take(nil, rank)
				mu.Lock()
				order = append(order, rank)
				mu.Unlock()
			}()
			synctest.Wait()
		}
		for range 8 {
			turns.Give()
			synctest.Wait()
		}
		if want := []float64{5.5, 5, 4, -9, 3, 2, 1, -8}; !slices.Equal(order, want) {
			t.Errorf("the order is %v, want %v", order, want)
		}
		turns.Give()
		if turns.free != 1 {
			t.Errorf("%d are free at the end", turns.free)
		}
	})
}

// TestTurnsGone: who goes while waiting takes no turn with it, also in the moment when
// it comes.
func TestTurnsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(2)
		for range 200 {
			turns.Take(nil, 0)
			turns.Take(nil, 0)
			done := make(chan struct{})
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if turns.Take(done, 1) {
						turns.Give()
					}
				})
			}
			synctest.Wait()
			wg.Go(func() { close(done) })
			turns.Give()
			turns.Give()
			wg.Wait()
			if turns.free != 2 || len(turns.waiting) != 0 {
				t.Fatalf("%d free, %d waiting", turns.free, len(turns.waiting))
			}
		}
	})
}

// TestTurnsAtMost: never more at a time than allowed.
func TestTurnsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(3)
		var mu sync.Mutex
		now, most := 0, 0
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				turns.Take(nil, float64(i%7))
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				mu.Lock()
				now--
				mu.Unlock()
				turns.Give()
			})
		}
		wg.Wait()
		if most != 3 || turns.free != 3 {
			t.Errorf("%d at a time, %d free", most, turns.free)
		}
	})
}
