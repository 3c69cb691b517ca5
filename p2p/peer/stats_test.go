package peer

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr traffic
		if tr.Load() != 0 || !tr.Last().IsZero() {
			t.Errorf("unused: %d bytes, last at %v", tr.Load(), tr.Last())
		}
		first := time.Now()
		tr.Add(5)
		time.Sleep(time.Hour)
		tr.Add(0) // a failed write
		if tr.Load() != 5 || !tr.Last().Equal(first) {
			t.Errorf("%d bytes, last at %v, want %v", tr.Load(), tr.Last(), first)
		}
		tr.Add(3)
		if tr.Load() != 8 || !tr.Last().Equal(time.Now()) {
			t.Errorf("%d bytes, last at %v", tr.Load(), tr.Last())
		}
	})
}
