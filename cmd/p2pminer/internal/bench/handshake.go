package bench

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ids of the handshake's requests; what follows counts on.
const (
	idConfigure = iota + 1
	idSubscribe
	idSuggest
	idAuthorize
	idFirst
)

// Limits of the extranonce.
const (
	maxExtranonce1 = 64 // bytes
	maxExtranonce2 = 32 // bytes
)

// opened begins the handshake as a device of today does: the version bits first, each
// request after the answer to the one before.
func (l *loop) opened(c *client, now int64) {
	switch c.kind {
	case dropAtOnce:
		l.dropped(c, false)
		return
	case dropInLine:
		l.send(c, []byte(`{"id":1,"method":"mining.sub`), now)
		l.dropped(c, true)
		return
	}
	c.state, c.nextID, c.diff = configuring, idFirst, 1 // until the server says otherwise
	l.send(c, []byte(`{"id":1,"method":"mining.configure","params":[["version-rolling"],`+
		`{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":2}]}`+"\n"), now)
}

// answer takes an answer: of the handshake by its id, else of a submission.
func (l *loop) answer(c *client, m *message, now int64) {
	id, ok := number(m.id)
	switch {
	case !ok:
		return
	case id >= idFirst:
		l.answered(c, id, m, now)
	case id == idConfigure && c.state == configuring:
		c.mask = maskOf(m)
		c.state = subscribing
		l.send(c, fmt.Appendf(nil, `{"id":2,"method":"mining.subscribe","params":["%s"]}`+"\n", l.run.cfg.UserAgent), now)
	case id == idSubscribe && c.state == subscribing:
		l.subscribed(c, m, now)
	case id == idAuthorize && c.state == authorizing:
		if reason := refusal(m); reason != "" {
			l.lose(c, reason, now)
			return
		}
		if c.state = waiting; c.newest.body != nil {
			l.loggedIn(c, now)
		}
	}
}

// maskOf returns the version bits that the answer to configure lets us roll.
func maskOf(m *message) uint32 {
	var result struct {
		Mask string `json:"version-rolling.mask"`
	}
	if json.Unmarshal(m.result, &result) != nil {
		return 0
	}
	mask, _ := strconv.ParseUint(result.Mask, 16, 32)
	return uint32(mask)
}

// subscribed takes the extranonce, suggests a difficulty and authorizes.
func (l *loop) subscribed(c *client, m *message, now int64) {
	var buf [3][]byte
	list, ok := elements(buf[:0], m.result, len(buf))
	switch reason := refusal(m); {
	case reason != "":
		l.lose(c, "subscribe: "+reason, now)
		return
	case !ok || len(list) < 3 || !c.setExtranonce(list[1], list[2]):
		l.lose(c, "an answer to subscribe that cannot be understood", now)
		return
	case c.kind == dropEarly:
		l.dropped(c, false)
		return
	}
	c.state = authorizing
	b := l.scratch[:0]
	if l.run.cfg.Difficulty > 0 {
		b = l.appendSuggest(b, idSuggest)
	}
	b = append(b, `{"id":4,"method":"mining.authorize","params":["`...)
	b = l.appendUser(b, c)
	b = append(b, `","`...)
	b = append(append(b, l.run.cfg.Pass...), "\"]}\n"...)
	l.scratch = b
	l.send(c, b, now)
}

func (l *loop) appendSuggest(b []byte, id uint64) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, `,"method":"mining.suggest_difficulty","params":[`...)
	b = strconv.AppendFloat(b, l.run.cfg.Difficulty, 'f', -1, 64)
	return append(b, "]}\n"...)
}

// appendUser appends the client's user name. Each is a worker of its own unless the
// configuration names one.
func (l *loop) appendUser(b []byte, c *client) []byte {
	b = append(b, l.run.cfg.User...)
	if strings.Contains(l.run.cfg.User, ".") {
		return b
	}
	return strconv.AppendInt(append(b, '.'), int64(c.number), 10)
}

func (c *client) setExtranonce(prefix, size []byte) bool {
	s, ok := text(prefix)
	n, okSize := number(size)
	if !ok || !okSize || len(s) > 2*maxExtranonce1 || n < 1 || n > maxExtranonce2 {
		return false
	}
	e1 := make([]byte, hex.DecodedLen(len(s)))
	if _, err := hex.Decode(e1, s); err != nil {
		return false
	}
	c.extranonce1, c.e2size = slices.Clip(e1), int(n)
	return true
}
