package stratum

import (
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// pastAge is how long a worker's previous session tells where to begin the next. A
// machine is as fast tomorrow as it is today.
const pastAge = 24 * time.Hour

// past is what a session leaves to the next one of the same worker and device.
type past struct {
	userAgent  string
	difficulty float64     // that vardiff had found
	class      share.Class // that the device turned out to carry; see lowered
	lowered    bool        // class is less than what is known of the device
	at         time.Time   // when the session ended
}

// leave keeps a session's past with its workers.
func (s *session) leave(now time.Time) {
	if s.vardiff.settled == 0 && !s.lowered {
		return
	}
	p := past{s.userAgent, s.vardiff.settled, s.class, s.lowered, now}
	for _, a := range s.workers {
		a.worker.mu.Lock()
		a.worker.past = p
		a.worker.mu.Unlock()
	}
}

// goOn begins where the worker's previous session on such a device ended.
func (s *session) goOn(w *worker, now time.Time) {
	w.mu.Lock()
	p := w.past
	w.mu.Unlock()
	if p.at.IsZero() || p.userAgent != s.userAgent || now.Sub(p.at) > pastAge {
		return
	}
	if p.difficulty > 0 {
		s.begin(byPast, p.difficulty, time.Time{})
	}
	if p.lowered && !s.classAsked && p.class < s.class {
		s.class, s.lowered = p.class, true
		w.carries(p.class)
	}
}

// carries notes the class that a worker's jobs have from now on.
func (w *worker) carries(class share.Class) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Class = class
}
