package bitcoind

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/btcsuite/btcd/btcjson"
)

// errNoReply says that what the node sent is no answer in JSON-RPC.
var errNoReply = errors.New("no JSON-RPC reply")

// reply is an answer in JSON-RPC, version 1.0 or 2.0. Result and id are parts of the
// text it was read from; nil where they are absent.
type reply struct {
	result json.RawMessage
	err    *btcjson.RPCError // nil if absent or null
	id     json.RawMessage
}

// parseReply splits an answer into its members. It looks at brackets and quotes only and
// copies nothing: a template has megabytes, whoever parses the result goes through it
// again, and a miner's work waits for that.
func parseReply(b []byte) (reply, error) {
	var r reply
	s := scanner{b: b}
	if !s.eat('{') {
		return r, errNoReply
	}
	for first := true; !s.eat('}'); first = false {
		if !first && !s.eat(',') {
			return r, errNoReply
		}
		key := s.value()
		if len(key) == 0 || key[0] != '"' || !s.eat(':') {
			return r, errNoReply
		}
		value := s.value()
		if value == nil {
			return r, errNoReply
		}
		if err := r.set(key, value); err != nil {
			return r, err
		}
	}
	if s.space(); s.at != len(b) {
		return r, errNoReply
	}
	return r, nil
}

// set takes a member. Of several with one name the last counts.
func (r *reply) set(key, value []byte) (err error) {
	switch string(key) {
	case `"result"`:
		r.result = value
	case `"id"`:
		r.id = value
	case `"error"`:
		r.err = nil
		if string(value) != "null" {
			r.err, err = rpcError(value)
		}
	}
	return err
}

// scanner goes through JSON.
type scanner struct {
	b  []byte
	at int
}

// space skips white space.
func (s *scanner) space() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// eat skips white space and then the character, if that is next.
func (s *scanner) eat(c byte) bool {
	s.space()
	if s.at == len(s.b) || s.b[s.at] != c {
		return false
	}
	s.at++
	return true
}

// value returns the next value, or nil if there is none. Its brackets are balanced, and
// its strings end; nothing else of it is checked.
func (s *scanner) value() []byte {
	s.space()
	start, depth := s.at, 0
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case '"':
			if !s.str() {
				return nil
			}
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			if depth--; depth < 0 {
				return nil
			}
			s.at++
		case ',', ':':
			if depth == 0 {
				return nil
			}
			s.at++
			continue
		case ' ', '\t', '\r', '\n':
			s.at++
			continue
		default:
			s.word()
		}
		if depth == 0 {
			return s.b[start:s.at]
		}
	}
	return nil
}

// str skips a string, at whose first quote the scanner stands.
func (s *scanner) str() bool {
	for s.at++; ; {
		i := bytes.IndexByte(s.b[s.at:], '"')
		if i < 0 {
			s.at = len(s.b)
			return false
		}
		// The quote is part of the string after an odd number of backslashes.
		end, slashes := s.at+i, 0
		for k := end - 1; k >= s.at && s.b[k] == '\\'; k-- {
			slashes++
		}
		s.at = end + 1
		if slashes%2 == 0 {
			return true
		}
	}
}

// word skips a number, true, false or null.
func (s *scanner) word() {
	for s.at < len(s.b) && strings.IndexByte("{}[]\",: \t\r\n", s.b[s.at]) < 0 {
		s.at++
	}
}
