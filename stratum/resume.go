package stratum

import (
	"encoding/hex"
	"net"
	"net/netip"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// classState is what decides a connection's output class.
type classState struct {
	class   share.Class
	asked   bool // by the user
	lowered bool // because the device does not carry more
}

// peerOf returns the host that a connection comes from, the zero Addr if it has none.
func peerOf(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// enter lists the session before its client is told its id, or finds the one that the
// client names. It does so for the first mining.subscribe only, so that an attempt to guess
// an id takes a connection. It MUST be called without the mutex.
func (s *session) enter(params []byte, now time.Time) {
	if s.entered {
		return
	}
	s.entered = true
	var buf [maxParams][]byte
	list := args(params, &buf)
	if text, ok := stringValue(arg(list, 1)); ok {
		if id, ok := parseSessionID(text); ok {
			if p := s.parking.claim(id, s.peer, now); p != nil {
				agent, _ := stringValue(arg(list, 0))
				s.inherit(p, printable(string(agent), maxUserAgent))
			}
		}
	}
	s.parking.enter(s)
}

// inherit takes over a session's id, and its extranonce1 if the same device goes on with
// it and all that was handed in is known: under a fresh one no header can come again.
func (s *session) inherit(p *parked, agent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = p.id
	switch {
	case agent != p.userAgent: // another device
		p.strip(s.parking.extranonces)
		return
	case p.whole:
		s.parking.extranonces.release(s.extranonce1)
		s.extranonce1 = p.extranonce1
	}
	s.was = p
}

// resume takes over what the session left that this one goes on with. The first job is
// clean: the client has none now. It MUST be called with the mutex held, when the device is
// known.
func (s *session) resume() {
	p := s.was
	if p == nil || s.ready {
		return
	}
	s.jobs, s.tip, s.sentDiff = p.jobs, p.tip, p.sentDiff
	s.afresh, s.resend, s.worked = true, true, true
	s.class, s.classAsked, s.lowered = p.class.class, p.class.asked, p.class.lowered
	s.vardiff, s.startedBy, s.carrier = p.vardiff, p.startedBy, p.carrier
	s.vardiff.restart(time.Time{})
	s.atLeast(p.least)
}

// resumed reports whether the first worker of a session that goes on is the one that it
// had, who gets what it left. Another gets nothing of it, as old jobs pay the old one, but
// what was handed in stays known: the extranonce is the same, and the address may be.
func (s *session) resumed(username string, now time.Time) bool {
	if s.was == nil || s.ready {
		return false
	}
	if len(s.workers) > 0 || username == s.was.user {
		return true
	}
	s.was = nil
	s.jobs.disown()
	s.sentDiff, s.carrier = 0, carrier{}
	s.classAsked, s.lowered, s.startedBy, s.worked = false, false, byServer, false
	s.vardiff = newVardiff(s.cfg.StartDifficulty, s.cfg.MinDifficulty)
	s.identify()
	return false
}

// left is what the session leaves. Its extranonce1 is free if not all of its jobs are kept.
// It MUST be called with the mutex held.
func (s *session) left(now time.Time) *parked {
	whole := s.jobs.park()
	if !whole {
		s.parking.extranonces.release(s.extranonce1)
	}
	return &parked{
		whole: whole,
		id:    s.id, extranonce1: s.extranonce1, ended: now,
		userAgent: s.userAgent, user: s.user, vardiff: s.vardiff, startedBy: s.startedBy, least: s.least,
		sentDiff: s.sentDiff, class: classState{s.class, s.classAsked, s.lowered},
		carrier: s.carrier, jobs: s.jobs, tip: s.tip,
	}
}

// surrender leaves the session to another connection, nil if there is nothing to leave
// any more.
func (s *session) surrender(now time.Time) *parked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || len(s.workers) == 0 {
		return nil
	}
	left := s.left(now)
	s.gone, s.jobs = true, jobTable{}
	return left
}

// depart ends the session: what it leaves is parked if there may be a connection that goes
// on with it. Who never handed in good work loses nothing, nor does who was sent away.
func (s *session) depart(now time.Time) {
	s.mu.Lock()
	var left *parked
	surrendered := s.gone
	switch {
	case surrendered:
	case s.was != nil:
		left = s.was // it broke off before it had a job, and before any submission
		if !left.whole {
			s.parking.extranonces.release(s.extranonce1) // a fresh one
		}
	case s.ready && s.worked && !s.ladder.sentAway():
		left = s.left(now)
	}
	s.gone, s.jobs = true, jobTable{}
	s.mu.Unlock()
	if !surrendered && left == nil {
		s.parking.extranonces.release(s.extranonce1)
	}
	s.parking.leave(s, left)
}

// saved is a parked session as the state file has it.
func (p *parked) saved() savedSession {
	return savedSession{
		ID: hex.EncodeToString(p.id[:]), Ended: unix(p.ended), UserAgent: p.userAgent, User: p.user,
		Difficulty: p.vardiff.diff, Settled: p.vardiff.settled, Fixed: p.vardiff.fixed, Least: p.least, Rank: p.startedBy,
		Class: p.class.class.Outputs(), ClassAsked: p.class.asked, Lowered: p.class.lowered,
	}
}

// restoredSession is the inverse, for a valid e. What was handed in is not known any more,
// so that there is no extranonce1.
func restoredSession(e *savedSession, now time.Time) *parked {
	p := &parked{
		ended: fromUnix(e.Ended, now), userAgent: e.UserAgent, user: e.User,
		startedBy: e.Rank, least: e.Least,
		vardiff: vardiff{diff: e.Difficulty, settled: e.Settled, fixed: e.Fixed},
	}
	p.id, _ = parseSessionID([]byte(e.ID))
	p.class.class, _ = classOf(e.Class)
	p.class.asked, p.class.lowered = e.ClassAsked, e.Lowered
	return p
}
