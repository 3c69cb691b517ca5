package stratum

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestLatencyOnTheWire: a device that takes a while to turn to new blocks is found to, from
// what it submits for the old ones, and the part of its work that is lost is shown.
func TestLatencyOnTheWire(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		const fixed, user = 1e-8, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080+1e-8"
		v := h.visit(someRig, "", user)
		old := v.job
		if w := h.server.Workers()[0]; w.Latency != 0 || w.LatencyBlocks != 0 || w.DeadOnArrival() != 0 {
			t.Errorf("at first %+v", w)
		}
		// Blocks every minute, a submission each second, of which the first three after a
		// block are for the old one: it takes three seconds to turn.
		const blocks, perBlock, late = 30, 60, 3
		nonce := uint32(0)
		lines := make(chan string, 1000)
		v.conn.SetReadDeadline(time.Time{})
		go func() {
			for {
				text, err := v.r.ReadString('\n')
				if err != nil {
					close(lines)
					return
				}
				lines <- text
			}
		}()
		next := func() testJob {
			var newest testJob
			for {
				synctest.Wait()
				select {
				case text := <-lines:
					if j, ok := parseNotify(t, text); ok {
						newest = j
						newest.extranonce1 = v.job.extranonce1
					}
				default:
					return newest
				}
			}
		}
		for block := range blocks {
			h.source.set(newFakeWork(byte(block+1), hard), "")
			time.Sleep(broadcastGap)
			newest := next()
			for i := range perBlock {
				if j := next(); j.id != "" {
					newest = j // a fresh job of the same block
				}
				work := newest
				if i < late {
					work = old
				}
				nonce = work.solve(t, fixed, nonce+1, true)
				v.send(work.submitLine(user, nonce))
				time.Sleep(time.Second)
			}
			old = newest
		}
		next()
		v.conn.Close()
		w := h.server.Workers()[0]
		if got := w.Latency.Seconds(); math.Abs(got-late) > 1 {
			t.Errorf("latency %.2f s from %.1f blocks, want %d s; %+v", got, w.LatencyBlocks, late, w)
		}
		if dead := w.DeadOnArrival(); math.Abs(dead-float64(late)/perBlock) > 0.02 {
			t.Errorf("dead on arrival %.3f", dead)
		}
	})
}
