package stratum

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"
)

// What becomes of a connection that hands in hardly anything but bad submissions. A device
// that has lost its way is first given a clean job with its difficulty, which helps who
// works on what it should not, or at another difficulty; then it is asked to connect
// again, which makes firmware begin anew; at last it is dropped, so that it turns to its
// next pool and its owner notices.
const (
	// badSurplus is how many bad submissions there must be, a good one making up for
	// goodWeight of them. A device that works as it should has one in 20 bad at most, and
	// never comes near; of one that never goes below 8 in 9, each step takes at least 20.
	badSurplus, goodWeight = 20, 8
	// ladderPause is the least time before each step: a job reaches a device in a second,
	// but firmware has been seen to stick to its old difficulty for half a minute.
	ladderPause = time.Minute
	// ladderReport is how often the log tells of what was done.
	ladderReport = time.Minute
)

// Steps of the ladder.
type ladderStep int

const (
	stepNone ladderStep = iota
	stepJob
	stepReconnect
	stepDrop
)

// errBadSubmissions ends a connection.
var errBadSubmissions = errors.New("hardly anything but bad submissions")

// ladder judges a connection by its submissions. It has no lock; the session has.
type ladder struct {
	surplus int        // bad ones, less what good ones make up for
	since   time.Time  // when the surplus began, or the last step was taken
	step    ladderStep // taken last
}

// note considers the verdict on a submission and returns what to do, stepNone for
// nothing.
func (l *ladder) note(e *stratumError, now time.Time) ladderStep {
	switch e {
	case nil:
		if l.surplus -= goodWeight; l.surplus < 0 {
			*l = ladder{}
		}
		return stepNone
	case errStalePrevBlk, errShareRefused, errJobFull:
		return stepNone // not the device's fault
	}
	if l.surplus == 0 && l.step == stepNone {
		l.since = now
	}
	l.surplus = min(l.surplus+1, badSurplus)
	if l.surplus < badSurplus || now.Sub(l.since) < ladderPause {
		return stepNone
	}
	l.step = min(l.step+1, stepDrop)
	l.surplus, l.since = 0, now
	return l.step
}

// sentAway reports whether the device was to begin anew.
func (l *ladder) sentAway() bool { return l.step >= stepReconnect }

// ladderCounts are the steps taken on all connections since the last report.
type ladderCounts struct{ jobs, reconnects, drops atomic.Uint64 }

// report returns what was done since the last call, ok if it was anything.
func (c *ladderCounts) report() (jobs, reconnects, drops uint64, ok bool) {
	jobs, reconnects, drops = c.jobs.Swap(0), c.reconnects.Swap(0), c.drops.Swap(0)
	return jobs, reconnects, drops, jobs+reconnects+drops > 0
}

// climb takes the step of the ladder that a verdict leads to. The error ends the
// connection. What the search for a cut coinbase makes something of does not count: it
// comes to an end by itself, and until then a bad submission is the device's only way to
// tell (see carry.go).
func (s *session) climb(e *stratumError, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	excused := s.excused
	s.excused = false
	if excused && e == errHighHash {
		return nil
	}
	switch s.ladder.note(e, now) {
	case stepJob:
		s.counts.jobs.Add(1)
		s.afresh, s.resend = true, true
		if s.ready {
			s.sendJob(now)
		}
	case stepReconnect:
		s.counts.reconnects.Add(1)
		if honoursReconnect(s.userAgent) {
			s.out.send([]byte(reconnectMessage))
			break
		}
		s.afresh, s.resend = true, true
		if s.ready {
			s.sendJob(now)
		}
	case stepDrop:
		s.counts.drops.Add(1)
		return errBadSubmissions
	}
	return nil
}

// reconnectMessage asks a client to connect again. No host and no port mean the same ones
// to all that honour it; those that check a host refuse another one.
const reconnectMessage = `{"id":null,"method":"client.reconnect","params":[]}` + "\n"

// reconnecting are the user agents that are known to honour client.reconnect without
// parameters: cgminer and what is made of it, BFGMiner, and ESP-Miner. cpuminer takes
// none without a host, and to others it is a message that they don't know.
var reconnecting = []string{"cgminer/", "bmminer/", "sgminer/", "bfgminer/", "bitaxe/"}

// honoursReconnect reports whether a client may be sent reconnectMessage.
func honoursReconnect(userAgent string) bool {
	agent := strings.ToLower(userAgent)
	for _, known := range reconnecting {
		if strings.HasPrefix(agent, known) {
			return true
		}
	}
	return false
}
