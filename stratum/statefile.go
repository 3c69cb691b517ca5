package stratum

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// The state file keeps the workers' statistics, and sessions that may go on, over a
// restart: a line of JSON that is a stateHeader, then one line for each worker, those that
// have been away longest first, then one for each session.
const (
	// stateVersion is the form of the file.
	stateVersion = 1
	// maxStateLine bounds a line, in bytes. A worker's takes 500, and up to 1,100 with the
	// longest names.
	maxStateLine = 4 << 10
	// maxSavedSessions bounds the sessions of the file; more than any node is known to
	// have connections.
	maxSavedSessions = 1 << 15
	// maxStateFile bounds the file, in bytes: maxWorkers lines of 1,100 and
	// maxSavedSessions of 600 are 31 MB.
	maxStateFile = 32 << 20
)

// maxRate bounds hashrates, in hashes per second: a billion times what all Bitcoin miners
// together had in 2026. Sums of them are finite.
const maxRate = 1e30

// errStateDamaged means that the state file is not as it was written.
var errStateDamaged = errors.New("the file is damaged")

type stateHeader struct {
	Version  int    `json:"version"`
	Saved    int64  `json:"saved"` // Unix time
	Workers  int    `json:"workers"`
	Sessions int    `json:"sessions"`
	CRC32    string `json:"crc32"` // of all that follows the line, IEEE, 8 hex digits
}

// savedWorker is a worker in the state file. Rates are of the time when it was saved.
type savedWorker struct {
	Address     string    `json:"address,omitempty"`
	Worker      string    `json:"worker,omitempty"`
	UserAgent   string    `json:"useragent,omitempty"`
	Class       int       `json:"class"` // outputs
	LastSubmit  int64     `json:"lastsubmit,omitempty"`
	Difficulty  float64   `json:"difficulty"`
	Best        float64   `json:"best"`
	BestSession float64   `json:"bestsession"`
	Accepted    uint64    `json:"accepted"`
	Shares      uint64    `json:"shares"`
	Stale       uint64    `json:"stale"`
	Duplicate   uint64    `json:"duplicate"`
	Low         uint64    `json:"low"`
	Invalid     uint64    `json:"invalid"`
	Since       int64     `json:"since"`
	Rates       Hashrates `json:"rates"`
	Late        float64   `json:"late"`
	LateRates   float64   `json:"laterates"`
	LateBlocks  float64   `json:"lateblocks"`

	Past *savedPast `json:"past,omitempty"`
}

// savedPast is a worker's past in the state file.
type savedPast struct {
	UserAgent  string  `json:"useragent"`
	Difficulty float64 `json:"difficulty"`
	Class      int     `json:"class"`
	Lowered    bool    `json:"lowered"`
	At         int64   `json:"at"`
}

// savedSession is a parked session in the state file, without its jobs, and without its
// extranonce1, which is of no use without what was handed in for them.
type savedSession struct {
	ID         string  `json:"id"`
	Ended      int64   `json:"ended"`
	UserAgent  string  `json:"useragent"`
	User       string  `json:"user"`
	Difficulty float64 `json:"difficulty"`
	Settled    float64 `json:"settled"`
	Fixed      float64 `json:"fixed"`
	Least      float64 `json:"least"`
	Rank       rank    `json:"rank"`
	Class      int     `json:"class"`
	ClassAsked bool    `json:"classasked"`
	Lowered    bool    `json:"lowered"`
}

// savedState is the content of the state file.
type savedState struct {
	at       time.Time
	workers  []savedWorker
	sessions []savedSession // the latest first
}

// encode returns the content of the state file.
func (s *savedState) encode() ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	for i := range s.workers {
		if err := enc.Encode(&s.workers[i]); err != nil {
			return nil, err
		}
	}
	sessions := 0
	for i := range s.sessions {
		if body.Len() > maxStateFile-2*maxStateLine {
			break // user names that take an escape for each byte
		}
		if err := enc.Encode(&s.sessions[i]); err != nil {
			return nil, err
		}
		sessions++
	}
	header, err := json.Marshal(stateHeader{
		Version: stateVersion, Saved: s.at.Unix(), Workers: len(s.workers), Sessions: sessions,
		CRC32: checksum(body.Bytes()),
	})
	if err != nil {
		return nil, err
	}
	return append(append(header, '\n'), body.Bytes()...), nil
}

// decodeState reads the content of a state file. What it returns holds only values that
// a worker or session can have.
func decodeState(b []byte) (*savedState, error) {
	line, body, _ := bytes.Cut(b, []byte{'\n'})
	var h stateHeader
	if len(line) > maxStateLine || json.Unmarshal(line, &h) != nil {
		return nil, errStateDamaged
	}
	if h.Version != stateVersion {
		return nil, fmt.Errorf("the file is of version %d, which this program does not know", h.Version)
	}
	if h.CRC32 != checksum(body) || !validTime(h.Saved) ||
		h.Workers < 0 || h.Workers > maxWorkers || h.Sessions < 0 || h.Sessions > maxSavedSessions {
		return nil, errStateDamaged
	}
	s := &savedState{at: time.Unix(h.Saved, 0)}
	n := 0
	for line := range bytes.Lines(body) {
		ok := len(line) <= maxStateLine
		if n++; ok && n <= h.Workers {
			var w savedWorker
			ok = json.Unmarshal(line, &w) == nil && w.valid()
			s.workers = append(s.workers, w)
		} else if ok {
			var e savedSession
			ok = n <= h.Workers+h.Sessions && json.Unmarshal(line, &e) == nil && e.valid()
			s.sessions = append(s.sessions, e)
		}
		if !ok {
			return nil, errStateDamaged
		}
	}
	if n != h.Workers+h.Sessions {
		return nil, errStateDamaged
	}
	return s, nil
}

func checksum(b []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(b)) }

// valid reports whether a worker can be as the file says.
func (w *savedWorker) valid() bool {
	text := len(w.Address) <= maxUsername && len(w.Worker) <= maxUsername && len(w.UserAgent) <= maxUserAgent &&
		printable(w.UserAgent, maxUserAgent) == w.UserAgent && printable(w.Worker, maxWorkerName) == w.Worker
	return text && validClass(w.Class) && validTime(w.LastSubmit) && validTime(w.Since) &&
		validNumbers(w.Difficulty, w.Best, w.BestSession, w.Late, w.LateRates, w.LateBlocks) && validNumbers(w.Rates[:]...) && slices.Max(w.Rates[:]) <= maxRate &&
		(w.Past == nil || w.Past.valid())
}

func (p *savedPast) valid() bool {
	return len(p.UserAgent) <= maxUserAgent && validNumbers(p.Difficulty) && p.Difficulty <= maxSuggested &&
		validClass(p.Class) && validTime(p.At)
}

func (e *savedSession) valid() bool {
	_, ok := parseSessionID([]byte(e.ID))
	return ok && len(e.UserAgent) <= maxUserAgent && len(e.User) <= maxUsername && validTime(e.Ended) && validClass(e.Class) &&
		validNumbers(e.Difficulty, e.Settled, e.Fixed, e.Least) && e.Difficulty > 0 &&
		max(e.Difficulty, e.Settled, e.Fixed, e.Least) <= maxSuggested && e.Rank >= byServer && e.Rank <= byUser
}

// validNumbers reports whether quantities can be what they are.
func validNumbers(values ...float64) bool {
	for _, v := range values {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return false
		}
	}
	return true
}

// validTime reports whether a Unix time is of this millennium, or zero for none.
func validTime(t int64) bool { return t >= 0 && t < 32503680000 }

func validClass(outputs int) bool {
	_, ok := classOf(outputs)
	return ok
}

// classOf returns the class of that many outputs.
func classOf(outputs int) (share.Class, bool) {
	for _, c := range share.Classes() {
		if c.Outputs() == outputs {
			return c, true
		}
	}
	return 0, false
}

// sessionID names a session to who had it. It is drawn at random: 64 bits are beyond
// guessing, as each attempt takes a connection, and short enough for the buffers of
// small devices.
type sessionID [8]byte

// parseSessionID reads what a client names in mining.subscribe.
func parseSessionID(text []byte) (id sessionID, ok bool) {
	if len(text) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], text)
	return id, err == nil
}

// unix returns a Unix time, 0 for none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.Unix(), 0)
}

// fromUnix is the inverse, but nothing is later than now.
func fromUnix(t int64, now time.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	if at := time.Unix(t, 0); at.Before(now) {
		return at
	}
	return now
}

// finite makes a number fit for JSON.
func finite(v float64) float64 { return min(v, math.MaxFloat64) }
