package stratum

import (
	"cmp"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Times of a session.
const (
	// handshakeTimeout is how long a client has to subscribe and authorize.
	handshakeTimeout = 60 * time.Second
	// idleTimeout is the longest silence of an authorized client. Vardiff makes a
	// working device submit every few seconds; a paused one may stay a while, unless
	// all places are taken.
	idleTimeout = 30 * time.Minute
	// workTimeout is the longest time without good work, whatever else a client says. It is
	// long for the sake of those who fix a difficulty that they hardly ever meet; to come
	// back costs a device nothing.
	workTimeout = 6 * time.Hour
	// workNoticeEvery is how often at most a connection's place is told of good work.
	workNoticeEvery = time.Minute
	// notifyEvery is the age of a job at which a fresh one is sent. Clients give up
	// a silent server: cpuminer after 120 s, cgminer after 90 s, some in a minute.
	notifyEvery = 25 * time.Second
)

// Limits of a session's messages.
const (
	// messageRate and messageBurst bound the messages of one client per second;
	// above, reading slows down. Vardiff asks for 0.3 submissions a second.
	messageRate, messageBurst = 500, 1000
	// shareRate and shareBurst bound the shares of one client per second, in the
	// same way. A chain finds one in some seconds; only while a young one's
	// difficulty rises can one device find many, of which no more than a few on
	// each tip count.
	shareRate, shareBurst = 200, 400
	// junkRate and junkBurst bound messages that make no sense, refused logins
	// among them; above, the connection ends.
	junkRate, junkBurst = 0.5, 50
	// maxSessionWorkers bounds the usernames authorized on one connection.
	maxSessionWorkers = 64
)

// versionMask holds the version bits that miners may roll (BIP 320).
const versionMask uint32 = 0x1fffe000

// deps is what all sessions of a server share.
type deps struct {
	cfg      *Config
	log      slog.Logger
	names    names
	registry *registry
	// current returns the newest workset, never nil.
	current func() *workset
	// adjusted returns what may change while the server runs, never nil.
	adjusted func() *adjustable
	// nextJob returns a number that no other job of this server has.
	nextJob func() uint64
	// newID returns a session id that nobody can guess.
	newID    func() sessionID
	parking  *parking
	counts   *ladderCounts
	searches *searches // for a cut coinbase
}

// session is the protocol state of one connection. It does no I/O of its own:
// lines go in through handle and flush, work through deliver, time through
// tick, and what is to be sent goes to the outbox.
//
// handle and flush are called from the connection's reader only, deliver and tick
// from the server's goroutines. mu is held for moments, never during a
// call of Source.Submit, and comes before the locks of workset, worker and
// outbox.
type session struct {
	*deps
	out       *outbox
	connected time.Time
	peer      netip.Addr // who is connected

	entered bool    // the client was told the id; the reader's own
	was     *parked // which this session goes on with until it is ready; the reader's own

	mu          sync.Mutex
	id          sessionID
	gone        bool // left to another connection, or ended
	extranonce1 uint32
	userAgent   string
	device      Device // what is known of it
	class       share.Class
	classAsked  bool // by the user
	lowered     bool // because the device does not carry more
	afresh      bool // what the device works on is worthless: the next job is clean
	carrier     carrier
	mask        uint32
	subscribed  bool
	ready       bool   // the handshake's answers are out: jobs may follow
	payee       []byte // that usernames name; nil: the node's own
	workers     []authorized
	user        string // the first of them
	worked      bool   // something was accepted
	ladder      ladder
	excused     bool     // the search for a cut coinbase considers the last submission
	notes       []string // to be shown with the first job
	lastHeard   time.Time
	lastWork    time.Time // good, or when there was none to do, to workNoticeEvery; zero: never
	messages    bucket
	shares      bucket
	junk        bucket

	vardiff    vardiff
	startedBy  rank    // who asked for the difficulty that vardiff began with
	least      float64 // difficulty that client or user want at least
	jobs       jobTable
	prepared   *prepared // the newest job's
	preparedOf *workset
	sentDiff   float64 // what the client knows, 0 at first
	resend     bool    // although it knows it
	lastNotify time.Time
	tip        chainhash.Hash // previous block of the newest job
	idle       bool           // told that there is no work
	told       string         // why
}

func newSession(d *deps, out *outbox, extranonce1 uint32, now time.Time) *session {
	s := &session{
		deps: d, out: out, connected: now,
		id:          d.newID(),
		extranonce1: extranonce1,
		mask:        versionMask,
		lastHeard:   now,
		messages:    newBucket(messageRate, messageBurst, now),
		shares:      newBucket(shareRate, shareBurst, now),
		junk:        newBucket(junkRate, junkBurst, now),
		vardiff:     newVardiff(d.cfg.StartDifficulty, d.cfg.MinDifficulty),
	}
	s.identify()
	return s
}

// authorized is a worker of a connection, with the username as it was sent.
type authorized struct {
	username string
	worker   *worker
}

// deliver sends the job of the newest work, after the difficulty that applies
// to it, unless the client has it. Nothing is sent before the handshake is over.
func (s *session) deliver(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready && !s.served() {
		s.sendJob(now)
		s.out.flush()
	}
}

// served reports whether the client has the job of the newest work: it may have logged in
// after that became known. It MUST be called with the mutex held.
func (s *session) served() bool {
	ws, newest := s.current(), s.jobs.newest()
	if ws.work == nil || newest == nil || s.idle || s.afresh {
		return false
	}
	p, err := s.prepare(ws)
	return err == nil && p.lasting == newest.lasting && s.difficulty(p) == s.sentDiff
}

// sendJob MUST be called with the mutex held.
func (s *session) sendJob(now time.Time) {
	ws := s.current()
	if ws.work == nil {
		s.lastWork = now
		s.out.settle()
		s.sendReason(ws.reason, now)
		return
	}
	p, err := s.prepare(ws)
	if err != nil {
		s.log.Debugf("No job for a connection: %v", err)
		s.sendReason("the node cannot build a job at the moment", now)
		return
	}
	if s.idle || s.vardiff.waiting() {
		s.vardiff.restart(now)
	}
	s.idle = false

	previous := s.jobs.newest()
	newBlock := previous != nil && s.tip != p.job.PrevBlock
	clean := previous == nil || newBlock || s.afresh
	s.afresh = false
	j := liveJob{
		lasting: p.lasting, id: s.nextJob(), diff: s.difficulty(p),
		mask: s.mask, ntime: p.ntime(now), created: secondsOf(now),
	}
	if previous != nil && previous.job == p.job {
		// A client that begins again with extranonce2 zero must not find the same
		// headers once more.
		j.ntime = min(max(j.ntime, previous.ntime+1), p.job.MaxTime)
	}
	s.tip = p.job.PrevBlock
	s.jobs.add(j)
	s.lastNotify = now

	m := newMessage()
	m.text = s.appendDifficultyChange(m.text, j.diff, now)
	m.text = appendNotify(m.text, &j, &p.notify, clean)
	s.out.sendOff(m)
	if newBlock {
		for _, a := range s.workers {
			a.worker.newBlock(now)
		}
	}
}

// prepare returns the session's job of a workset. A workset may have too many jobs to
// remember, but never builds one twice for the same connection.
func (s *session) prepare(ws *workset) (*prepared, error) {
	if ws == s.preparedOf && s.prepared.class == s.class {
		return s.prepared, nil // one session has one payee
	}
	p, err := ws.prepare(s.payee, s.class)
	if err == nil {
		s.prepared, s.preparedOf = p, ws
	}
	return p, err
}

// difficulty is what a job is given out at: what vardiff wants, but never above the
// share's, or shares would be lost. Blocks of other chains would be lost in the same way;
// for them it goes down as far as the device does not submit too often.
func (s *session) difficulty(p *prepared) float64 {
	return roundDifficulty(min(s.vardiff.diff, p.shareDiff, max(p.auxDiff, s.vardiff.forAux())))
}

// appendDifficultyChange appends set_difficulty if the client has another one.
func (s *session) appendDifficultyChange(dst []byte, diff float64, now time.Time) []byte {
	if diff == s.sentDiff && !s.resend {
		return dst
	}
	s.sentDiff, s.resend = diff, false
	s.vardiff.assigned(diff, now)
	s.carrier.assigned(diff)
	for _, a := range s.workers {
		a.worker.assigned(diff)
	}
	return appendSetDifficulty(dst, diff)
}

// sendReason tells the miner why there is no job, once unless it changes, and after
// that repeats the difficulty now and then, for clients that take silence for a dead
// server.
func (s *session) sendReason(reason string, now time.Time) {
	due := now.Sub(s.lastNotify) >= notifyEvery
	switch {
	case !s.idle, due && reason != s.told:
		s.idle, s.told, s.lastNotify = true, reason, now
		s.out.send(appendShowMessage(nil, "no work at the moment: "+reason))
	case due:
		s.lastNotify = now
		s.out.send(appendSetDifficulty(nil, roundDifficulty(cmp.Or(s.sentDiff, s.vardiff.diff))))
	}
}

// tick does what is due by time: it reports whether the session has timed out,
// adapts the difficulty, refreshes the job and frees old ones.
func (s *session) tick(now time.Time) (expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return now.Sub(s.connected) > handshakeTimeout-2*tickEvery // a tick may come late
	}
	began := s.lastWork
	if began.IsZero() {
		began = s.connected
	}
	if now.Sub(s.lastHeard) >= idleTimeout || now.Sub(began) >= workTimeout {
		return true
	}
	s.jobs.retire(secondsOf(now))
	if !s.idle {
		s.vardiff.retune(now)
	}
	if now.Sub(s.lastNotify) >= notifyEvery || s.difficultyChanged() {
		s.sendJob(now)
		s.out.flush()
	}
	return false
}

// difficultyChanged reports whether the device should get another difficulty
// for the work that it has.
func (s *session) difficultyChanged() bool {
	ws := s.current()
	if ws.work == nil || s.idle {
		return false
	}
	p, err := s.prepare(ws)
	return err == nil && s.difficulty(p) != s.sentDiff
}

// close gives the workers back, and parks what another connection may go on with.
func (s *session) close(now time.Time) {
	s.depart(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(now)
	for _, a := range s.workers {
		s.registry.disconnect(a.worker)
	}
	s.workers = nil
	s.ready = false
}

// appendNotify appends mining.notify.
func appendNotify(dst []byte, j *liveJob, p *notifyParts, clean bool) []byte {
	dst = append(dst, `{"id":null,"method":"mining.notify","params":["`...)
	dst = strconv.AppendUint(dst, j.id, 16)
	dst = append(dst, '"')
	dst = append(append(append(dst, p.begin...), p.shared...), p.end...)
	dst = appendUint32(dst, j.ntime)
	if clean {
		return append(dst, `",true]}`+"\n"...)
	}
	return append(dst, `",false]}`+"\n"...)
}
