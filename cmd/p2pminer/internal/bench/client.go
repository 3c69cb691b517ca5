package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// state is how far a client has come.
type state uint8

const (
	connecting state = iota
	configuring
	subscribing
	authorizing
	waiting // for its first job
	ready
	gone
)

// kind is what a client is for.
type kind uint8

const (
	whole      kind = iota // the normal life
	mute                   // logs in and then never reads
	dropAtOnce             // closes as soon as it is connected
	dropInLine             // resets the connection in the middle of its first line
	dropEarly              // closes after subscribing
)

// Limits of a client.
const (
	// maxLine bounds what the server may send in one line: the largest coinbase in
	// hex, and the rest.
	maxLine = 2<<20 + 64<<10
	// keptRest is the largest buffer for unfinished lines that a client keeps.
	keptRest = 4 << 10
	// maxText is where texts of the server are cut, in bytes.
	maxText = 120
)

// client is one connection, which speaks as a miner. Only its loop touches it.
type client struct {
	number int // from 0, unique in the run
	kind   kind
	state  state
	link   link
	place  int   // in the loop's list of ready ones
	begun  int64 // when the connection was begun
	ready  int64 // when the first job came; 0: not yet
	rest   []byte
	nextID uint64

	// What the server has set.
	extranonce1 []byte
	e2size      int
	mask        uint32
	diff        float64
	granted     float64 // the first difficulty
	suggested   int64   // when one was last asked for

	newest job
	work   work
	// pending are the submissions without answer, oldest first.
	pending []submission
}

// job is one mining.notify.
type job struct {
	body  *body
	id    []byte
	ntime uint32
	diff  float64
	n     int   // counts the client's jobs
	clean int   // n of the newest clean job
	at    int64 // when it came
}

// work is the job that a client works on, which need not be the newest.
type work struct {
	job
	built    bool // what follows is of this job
	header   pow.Header
	goal     pow.Goal
	nonce    uint32   // to go on from
	round    uint64   // counts the headers; it is extranonce2
	prepared []uint32 // nonces that meet the goal, to be submitted from the end
}

// submission waits for its answer. Times are in nanoseconds since the run's epoch.
type submission struct {
	id           uint64
	due, written int64
}

// received takes what the server has sent.
func (l *loop) received(c *client, data []byte, now int64) {
	l.stats.bytesIn += uint64(len(data))
	for len(data) > 0 && c.state != gone {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			if len(c.rest)+len(data) > maxLine {
				l.lose(c, "the server sends a line without end", now)
				return
			}
			c.rest = append(c.rest, data...)
			return
		}
		line := data[:i]
		data = data[i+1:]
		if len(c.rest) > 0 {
			line = append(c.rest, line...)
			c.rest = line[:0]
		}
		l.line(c, line, now)
		if cap(c.rest) > keptRest {
			c.rest = nil
		}
	}
}

// line does what one message says.
func (l *loop) line(c *client, line []byte, now int64) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	m, ok := scan(line)
	switch {
	case !ok:
		l.lose(c, "the server does not speak Stratum", now)
	case isNull(m.method):
		l.answer(c, &m, now)
	default:
		l.notification(c, &m, now)
	}
}

// notification handles what the server says by itself.
func (l *loop) notification(c *client, m *message, now int64) {
	var buf [notifyParams][]byte
	params, ok := elements(buf[:0], m.params, notifyParams)
	if !ok && !isNull(m.params) {
		l.lose(c, "a message with parameters that are not a list", now)
		return
	}
	switch string(m.method) {
	case `"mining.notify"`:
		l.notify(c, params, now)
	case `"mining.set_difficulty"`:
		l.setDifficulty(c, params, now)
	case `"mining.set_extranonce"`:
		if len(params) < 2 || !c.setExtranonce(params[0], params[1]) {
			l.lose(c, "an extranonce of no use", now)
		}
	case `"mining.set_version_mask"`:
		if len(params) > 0 {
			c.mask, _ = hex32(params[0])
		}
	case `"client.show_message"`:
		if len(params) > 0 {
			l.stats.messages.add(describe(params[0]))
		}
	case `"client.reconnect"`:
		l.lose(c, "the server asked to reconnect", now)
	case `"client.get_version"`, `"mining.ping"`, `"client.ping"`:
		if !isNull(m.id) {
			l.send(c, fmt.Appendf(nil, `{"id":%s,"result":"pong","error":null}`+"\n", m.id), now)
		}
	}
}

// setDifficulty takes the difficulty of the jobs to come.
func (l *loop) setDifficulty(c *client, params [][]byte, now int64) {
	var d float64
	if len(params) > 0 {
		d, _ = strconv.ParseFloat(string(params[0]), 64)
	}
	if !(d > 0) {
		l.lose(c, "a difficulty that is not a positive number", now)
		return
	}
	if c.diff = d; c.granted == 0 {
		c.granted = d
	}
}

// notify takes a job.
func (l *loop) notify(c *client, params [][]byte, now int64) {
	if len(params) < notifyParams || c.extranonce1 == nil {
		l.lose(c, errNotify.Error(), now)
		return
	}
	b, err := l.body(params, now)
	id, ok1 := text(params[paramID])
	ntime, ok2 := hex32(params[paramTime])
	if err != nil || !ok1 || !ok2 || len(id) > maxJobID {
		l.lose(c, errNotify.Error(), now)
		return
	}
	if old := c.newest.body; old != b {
		l.spread(c, old, b, now)
	}
	j := &c.newest
	j.body, j.ntime, j.diff, j.at = b, ntime, c.diff, now
	j.id = append(j.id[:0], id...)
	if j.n++; string(params[paramClean]) == "true" {
		j.clean = j.n
	}
	l.stats.jobs++
	if c.state == waiting {
		l.loggedIn(c, now)
	}
}

// spread notes that new work, and perhaps a new block, has reached a client.
func (l *loop) spread(c *client, old, b *body, now int64) {
	if c.kind != whole {
		return
	}
	if d, ok := b.work.arrived(c.ready, now); ok && l.run.measuring(b.work.first) {
		l.stats.workSpread.add(d)
	}
	if old != nil && old.prev == b.prev {
		return
	}
	if d, ok := b.block.arrived(c.ready, now); ok && l.run.measuring(b.block.first) {
		l.stats.blockSpread.add(d)
	}
}

// body returns the body of a notify's parameters.
func (l *loop) body(params [][]byte, now int64) (*body, error) {
	// They stand in one piece: all are slices of the same line.
	first, last := params[paramPrev], params[paramBits]
	raw := first[:cap(first)-cap(last)+len(last)]
	for _, b := range l.recent {
		if b != nil && bytes.Equal(b.raw, raw) {
			return b, nil
		}
	}
	b, err := l.run.board.find(raw, params, l.hasher, now)
	if err == nil {
		l.recent[l.nextRecent%len(l.recent)] = b
		l.nextRecent++
	}
	return b, err
}

// refusal returns the text of a negative answer, "" for a positive one.
func refusal(m *message) string {
	if !isNull(m.err) {
		var buf [3][]byte
		if list, ok := elements(buf[:0], m.err, len(buf)); ok && len(list) > 1 {
			return describe(list[1])
		}
		return describe(m.err)
	}
	if r := string(m.result); r == "false" || r == "null" || r == "" {
		return "refused without a reason"
	}
	return ""
}

// describe makes a value of the server's fit for a terminal.
func describe(raw []byte) string {
	s, ok := text(raw)
	if !ok {
		s = raw
	}
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(s))
}

// since is the time between two readings of the run's clock.
func since(from, to int64) time.Duration { return time.Duration(to - from) }
