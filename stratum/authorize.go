package stratum

import (
	"bytes"
	"strings"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// authorize adds a worker to the connection. The first one decides whom the
// connection's jobs pay.
func (s *session) authorize(params [][]byte, now time.Time) (string, *stratumError) {
	text, _ := stringValue(arg(params, 0)) // absent, null: the node's own
	if s.authorized(text) != nil {
		return resultTrue, nil
	}
	username := string(text)
	id, err := s.names.resolve(username)
	if err != nil {
		return resultFalse, &stratumError{codeUnauthorized, err.Error()}
	}
	if len(s.workers) >= maxSessionWorkers {
		return resultFalse, &stratumError{codeUnauthorized, "too many workers on one connection"}
	}
	if len(s.workers) > 0 && !bytes.Equal(s.payee, id.payee) {
		return resultFalse, &stratumError{codeUnauthorized,
			"this connection already mines for another address; open one connection for each"}
	}
	s.payee = id.payee
	if id.note != "" {
		s.note(id.note)
	}
	goesOn := s.resumed(username, now)
	if !s.ready && !goesOn {
		password, _ := stringValue(arg(params, 1))
		s.apply(id, parsePassword(string(password)))
	}
	w := s.registry.connect(id, s.userAgent, s.class, now)
	if !goesOn {
		w.begins()
		if !s.ready {
			s.goOn(w, now)
		}
	}
	w.assigned(s.sentDiff)
	if len(s.workers) == 0 {
		s.user = username
	}
	s.workers = append(s.workers, authorized{username, w})
	return resultTrue, nil
}

// apply does what user name and password ask for.
func (s *session) apply(id identity, p password) {
	if p.least > 0 {
		s.atLeast(p.least)
	}
	switch {
	case p.start > 0:
		s.begin(byUser, p.start, time.Time{})
	case id.fixed:
		s.begin(byUser, id.difficulty, time.Time{})
		s.vardiff.fix(id.difficulty, time.Time{})
	case id.difficulty > 0:
		s.begin(byUser, id.difficulty, time.Time{})
	}
	if p.classGiven {
		s.class, s.classAsked = p.class, true
	}
	if p.wrong != "" {
		s.note("in the password, " + p.wrong)
	}
}

// rank says who asked for a difficulty; a higher one prevails.
type rank int

const (
	byServer rank = iota
	byDevice      // devices.txt
	byPast        // the worker's previous session
	byClient      // mining.suggest_difficulty and the like
	byUser        // user name or password
)

// begin starts vardiff over at a difficulty that somebody asks for, unless somebody of a
// higher rank did. The zero time stands for when the first job is sent.
func (s *session) begin(by rank, diff float64, now time.Time) {
	if s.was != nil && s.subscribed {
		return // it goes on with what it had
	}
	if by >= s.startedBy {
		s.startedBy = by
		s.vardiff.set(diff, now)
	}
}

// atLeast makes vardiff keep to what client or user ask for, too.
func (s *session) atLeast(diff float64) {
	s.least = max(s.least, diff)
	s.vardiff.atLeast(max(s.cfg.MinDifficulty, s.device.Least, s.least))
}

// showNotes shows what is waiting for it.
func (s *session) showNotes() {
	for _, text := range s.notes {
		s.out.send(appendShowMessage(nil, text))
	}
	s.notes = nil
}

// note is shown to the miner with its first job, or now if it has that. The limit is
// against clients that authorize one name after the other.
func (s *session) note(text string) {
	switch {
	case s.ready:
		s.out.send(appendShowMessage(nil, text))
	case len(s.notes) < maxNotes:
		s.notes = append(s.notes, text)
	}
}

// maxNotes bounds what is waiting to be shown.
const maxNotes = 8

// worker finds a worker by the name in a submission, which firmware clips at 63 bytes
// (Avalon) or 127 (Whatsminer). That all of a connection's workers have one payee makes
// it safe to take the one it is the beginning of.
func (s *session) worker(name []byte) *worker {
	if w := s.authorized(name); w != nil {
		return w
	}
	if len(name) == 63 || len(name) == 127 {
		for _, a := range s.workers {
			if strings.HasPrefix(a.username, string(name)) {
				return a.worker
			}
		}
	}
	return nil
}

// authorized returns the worker with that username, or nil.
func (s *session) authorized(username []byte) *worker {
	for _, a := range s.workers { // one, nearly always
		if a.username == string(username) {
			return a.worker
		}
	}
	return nil
}

// password is what a miner's password asks for.
type password struct {
	start      float64 // difficulty; 0: none
	least      float64 // the same
	class      share.Class
	classGiven bool
	wrong      string // what was not understood, for the miner
}

// parsePassword reads "d=" or "diff=", the difficulty to start from, "md=", the least
// one, and "class=", the output class, among the options that miners put into the
// password, separated by commas, semicolons or spaces. Others are ignored.
func parsePassword(text string) password {
	var p password
	for option := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		key, value, _ := strings.Cut(option, "=")
		ok := true
		switch strings.ToLower(key) {
		case "d", "diff":
			p.start, ok = parseDifficulty([]byte(value))
		case "md":
			p.least, ok = parseDifficulty([]byte(value))
		case "class":
			var err error
			p.class, err = share.ParseClass(value)
			p.classGiven = err == nil
			ok = p.classGiven
		}
		if !ok {
			p.wrong = printable(option, maxWorkerName) + " is not understood"
		}
	}
	return p
}
