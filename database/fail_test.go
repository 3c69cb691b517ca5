package database

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// TestFailingDisk lets one operation of the disk fail, each in turn, in the
// foreground or in LevelDB's background. The next Append at the latest fails, all
// others do, and after a restart everything that was acknowledged is there.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("after an error goleveldb closes a channel that its compaction may send to, and recovers from the panic: the detector reports that")
	}
	eio := errors.New("input/output error")
	const batches = 40
	stopped, opening := 0, 0
	for at := 0; ; at += 3 {
		rng := rand.New(rand.NewPCG(6, 6))
		w := newWorkload(batches, 12, rng)
		d := newSimDisk()
		left, failed := at, false
		d.fail = func() error {
			if left--; left == -1 {
				failed = true
				return eio
			}
			return nil
		}
		s, err := simEngine(d).open(simPath, testChain)
		if err == nil {
			err = w.run(s, batches, rng)
			if err != nil {
				stopped++
				for range 3 {
					if err := w.run(s, 1, rng); !errors.Is(err, ErrStopped) || !errors.Is(err, eio) {
						t.Fatalf("operation %d: Append after the failure: %v", at, err)
					}
				}
			}
			_ = s.Close()
		} else {
			opening++
		}
		if err != nil && !errors.Is(err, eio) {
			t.Fatalf("operation %d: %v", at, err)
		}
		d.mu.Lock()
		d.fail = nil
		d.mu.Unlock()
		if err := (&image{disk: d, acked: int(w.acked.Load())}).open(func(s *Store) error { return w.check(s, int(w.acked.Load())) }); err != nil {
			t.Fatalf("operation %d: %v\n%s", at, err, d.list())
		}
		if !failed {
			break
		}
	}
	if stopped < 50 || opening < 5 {
		t.Errorf("%d failures of Append, %d of Open", stopped, opening)
	}
	t.Logf("%d failures of Append, %d of Open, 0 shares lost", stopped, opening)
}
