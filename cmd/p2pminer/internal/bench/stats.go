package bench

import "time"

// maxReasons bounds the texts that are counted apart.
const maxReasons = 16

// tally counts by reason. Further reasons are counted together.
type tally map[string]uint64

func (t *tally) add(reason string) { t.addN(reason, 1) }

func (t *tally) addN(reason string, n uint64) {
	if *t == nil {
		*t = make(tally)
	}
	if _, known := (*t)[reason]; !known && len(*t) >= maxReasons {
		reason = "other"
	}
	(*t)[reason] += n
}

func (t *tally) merge(other tally) {
	for reason, n := range other {
		t.addN(reason, n)
	}
}

// counts is never nil, so that JSON has an object.
func (t tally) counts() map[string]uint64 {
	if t == nil {
		return map[string]uint64{}
	}
	return t
}

// stats are what one loop counts, or all of them together.
type stats struct {
	firstBegin, lastLogin int64
	login                 histogram // from the beginning of a connection to its first job
	failed                tally     // logins, those that timed out among them
	timedOut              uint64
	dropped               uint64 // logins broken off on purpose
	left                  uint64 // connections closed after their login, on purpose
	lost                  tally  // connections, after their login
	messages              tally  // what the server had shown

	sent, accepted, unanswered uint64
	heldBack                   uint64 // not sent, as too many had no answer
	unsolved                   uint64 // not sent, as no solution was found in time
	rejected                   tally
	lastAnswer                 int64
	answer                     histogram // from writing a submission to its answer
	total                      histogram // from when it was due to its answer
	late                       histogram // from when it was due to its writing

	jobs                    uint64
	workSpread, blockSpread histogram // from the first client that got it to each other
	suggested               uint64    // times that a client asked for its difficulty again

	mute     uint64    // clients that never read
	muteLost histogram // how long those that the server gave up had been logged in

	bytesIn, bytesOut uint64
	hashes, solutions uint64
	prepared          uint64
	preparing         bool          // the loop has done its part of it
	waited            time.Duration // for something to do, while it was measured
}

func (s *stats) begin(now int64) {
	if s.firstBegin == 0 {
		s.firstBegin = max(now, 1)
	}
}

// merge adds another loop's.
func (s *stats) merge(o *stats) {
	if s.firstBegin == 0 || o.firstBegin != 0 && o.firstBegin < s.firstBegin {
		s.firstBegin = o.firstBegin
	}
	s.lastLogin = max(s.lastLogin, o.lastLogin)
	s.lastAnswer = max(s.lastAnswer, o.lastAnswer)
	for _, h := range []struct{ dst, src *histogram }{
		{&s.login, &o.login}, {&s.answer, &o.answer}, {&s.total, &o.total}, {&s.late, &o.late},
		{&s.workSpread, &o.workSpread}, {&s.blockSpread, &o.blockSpread}, {&s.muteLost, &o.muteLost},
	} {
		h.dst.merge(h.src)
	}
	for _, t := range []struct {
		dst *tally
		src tally
	}{{&s.failed, o.failed}, {&s.lost, o.lost}, {&s.messages, o.messages}, {&s.rejected, o.rejected}} {
		t.dst.merge(t.src)
	}
	for _, n := range []struct{ dst, src *uint64 }{
		{&s.timedOut, &o.timedOut}, {&s.dropped, &o.dropped}, {&s.left, &o.left}, {&s.sent, &o.sent},
		{&s.accepted, &o.accepted}, {&s.unanswered, &o.unanswered}, {&s.heldBack, &o.heldBack},
		{&s.unsolved, &o.unsolved}, {&s.jobs, &o.jobs}, {&s.suggested, &o.suggested}, {&s.mute, &o.mute},
		{&s.bytesIn, &o.bytesIn}, {&s.bytesOut, &o.bytesOut}, {&s.hashes, &o.hashes}, {&s.solutions, &o.solutions}, {&s.prepared, &o.prepared},
	} {
		*n.dst += *n.src
	}
	s.waited += o.waited
}
