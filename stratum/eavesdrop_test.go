package stratum

import (
	"testing"
	"time"
)

// TestEavesdropperGainsNothing: who has read the name of a miner's session and goes on with it
// gets nothing that pays him. The miner, when he comes back, loses what he was working on, and
// is paid and counted as before.
func TestEavesdropperGainsNothing(t *testing.T) {
	const miner = regtestAddr + ".rig"
	for name, test := range map[string]struct {
		as   string // whom he authorizes
		live bool   // while the miner is connected, from the miner's host
	}{
		"as the miner":                   {miner, false},
		"as the miner, on the same host": {miner, true},
		"as another worker of his":       {regtestAddr + ".other", false},
		"as himself":                     {"eve", false},
		"as himself, on the same host":   {"eve", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newEasyHarness(t, nil)
				defer h.stop()
				v := h.visit(someRig, "", miner)
				nonce := v.works(t, miner)
				if test.live {
					time.Sleep(takeoverAge)
				} else {
					v.leave()
				}
				eve := h.visit(someRig, v.id, test.as)
				defer eve.conn.Close()
				if eve.id != v.id || eve.job.extranonce1 != v.job.extranonce1 || test.live && !v.closed() {
					t.Fatal("the session did not go on")
				}
				// The miner's jobs are good for the miner alone.
				again, further, good := rejectedWith("21", "unknown-work"), rejectedWith("21", "unknown-work"), uint64(2)
				if test.as == miner {
					again, further, good = rejectedWith("22", "duplicate"), accepted, 3
				}
				eve.send(v.job.submitLine(test.as, nonce), v.job.submitLine(test.as, v.job.solve(t, easy, nonce+1, true)))
				eve.want(again, further)

				back := h.visit(someRig, v.id, miner)
				defer back.conn.Close()
				if back.id == v.id || back.job.extranonce1 == v.job.extranonce1 || back.job.difficulty != v.job.difficulty {
					t.Errorf("session %s with %s at %g", back.id, back.job.extranonce1, back.job.difficulty)
				}
				back.works(t, miner)
				for _, w := range h.server.Workers() {
					if w.Name == miner && (w.Accepted != good || w.Address != regtestAddr) || w.Name != miner && w.Accepted != 0 {
						t.Errorf("%+v", w)
					}
				}
			})
		})
	}
}
