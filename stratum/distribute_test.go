package stratum

import (
	"testing"
	"time"
)

// TestNewBlockWaitsForNothing: in the gap after a round of jobs a new share tip waits, a
// new Bitcoin block doesn't; and of two jobs on one block only the first is clean.
func TestNewBlockWaitsForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		c.login("rig")
		time.Sleep(broadcastGap)
		on := func(block, other byte) *fakeWork {
			w := newFakeWork(block, hard)
			w.job.Coinb2 = append([]byte{other}, w.job.Coinb2...)
			return w
		}
		start := time.Now()
		expect := func(what string, at time.Duration, clean bool) {
			t.Helper()
			if j := c.job(); time.Since(start) != at || j.clean != clean {
				t.Errorf("%s: after %v, clean %v", what, time.Since(start), j.clean)
			}
		}
		h.source.set(on(0, 1), "")
		expect("a share tip", 0, false)
		time.Sleep(time.Millisecond)
		h.source.set(on(0, 2), "")
		time.Sleep(time.Millisecond)
		h.source.set(on(1, 1), "")
		expect("a block in the gap", 2*time.Millisecond, true)
		h.source.set(on(1, 2), "")
		expect("its full template", broadcastGap, false)
		time.Sleep(5 * time.Second)
		start = time.Now()
		h.source.set(on(2, 1), "")
		expect("a block after the gap", 0, true)
	})
}
