package bench

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// message is one line from the server: the values of its members, uninterpreted,
// pointing into the line.
type message struct{ id, method, params, result, err []byte }

// scan splits a line into members. It looks no deeper than it must: of what the
// server sends only the values that are used are ever decoded. false: not an object.
func scan(line []byte) (m message, ok bool) {
	i := space(line, 0)
	if i == len(line) || line[i] != '{' {
		return m, false
	}
	if i = space(line, i+1); i < len(line) && line[i] == '}' {
		return m, true
	}
	for {
		start := space(line, i)
		end, ok := skip(line, start)
		if !ok || line[start] != '"' {
			return m, false
		}
		key := line[start:end]
		if i = space(line, end); i == len(line) || line[i] != ':' {
			return m, false
		}
		start = space(line, i+1)
		if end, ok = skip(line, start); !ok {
			return m, false
		}
		m.set(key, line[start:end])
		i = space(line, end)
		switch {
		case i == len(line):
			return m, false
		case line[i] == '}':
			return m, space(line, i+1) == len(line)
		case line[i] != ',':
			return m, false
		}
		i++
	}
}

// set keeps a member that matters. The key has its quotes.
func (m *message) set(key, value []byte) {
	switch string(key) {
	case `"id"`:
		m.id = value
	case `"method"`:
		m.method = value
	case `"params"`:
		m.params = value
	case `"result"`:
		m.result = value
	case `"error"`:
		m.err = value
	}
}

// elements appends the elements of an array to dst, uninterpreted, at most limit.
func elements(dst [][]byte, raw []byte, limit int) ([][]byte, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return dst, false
	}
	i := space(raw, 1)
	if i < len(raw) && raw[i] == ']' {
		return dst, true
	}
	for range limit {
		start := space(raw, i)
		end, ok := skip(raw, start)
		if !ok {
			return dst, false
		}
		dst = append(dst, raw[start:end])
		i = space(raw, end)
		switch {
		case i == len(raw):
			return dst, false
		case raw[i] == ']':
			return dst, true
		case raw[i] != ',':
			return dst, false
		}
		i++
	}
	return dst, true
}

// space returns the first place from i on that is not white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// ends holds what ends a number or a word.
var ends = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, ',': true, ':': true,
	']': true, '}': true, '[': true, '{': true, '"': true}

// skip returns the end of the value that begins at i.
func skip(b []byte, i int) (end int, ok bool) {
	if i == len(b) {
		return i, false
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !ends[b[i]] {
		i++
	}
	return i, i > start
}

func skipString(b []byte, i int) (end int, ok bool) {
	for i++; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b), false
		}
		// An odd number of backslashes before it makes the quote part of the string.
		slashes := 0
		for slashes < n && b[i+n-1-slashes] == '\\' {
			slashes++
		}
		if i += n + 1; slashes%2 == 0 {
			return i, true
		}
	}
}

// skipNested counts brackets, of whichever form, outside of strings.
func skipNested(b []byte, i int) (end int, ok bool) {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i, ok = skipString(b, i); !ok {
				return i, false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	return i, false
}

// text returns the contents of a string.
func text(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// number returns an unsigned whole number.
func number(raw []byte) (n uint64, ok bool) {
	if len(raw) == 0 || len(raw) > 18 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// hex32 reads up to eight hex digits in quotes.
func hex32(raw []byte) (uint32, bool) {
	s, ok := text(raw)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s), 16, 32)
	return uint32(n), err == nil
}

// isNull reports whether a value is absent or null.
func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }
