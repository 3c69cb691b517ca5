package stratum

import (
	"bytes"
	"encoding/json"
	"errors"
)

// maxID bounds the id that a client may make us echo; real ones are a few
// digits, bfgminer's are words.
const maxID = 128 // bytes

// maxParams bounds how many parameters of a message are looked at; submit has
// the most, six. Further ones are ignored, as other servers do.
const maxParams = 8

// Errors of parseRequest.
var (
	errNotJSON   = errors.New("not a JSON object")
	errDuplicate = errors.New("duplicate key")
	errIDSize    = errors.New("id too long")
	errMethod    = errors.New("method is not a string")
)

// request is one message of a client. Its slices point into the line.
type request struct {
	id     []byte // raw JSON, echoed verbatim; nil if absent or null
	method []byte // empty in replies, which need no answer
	params []byte // raw JSON; nil if absent
}

// parseRequest takes a line apart without decoding more than it needs. The
// keys are matched exactly and may appear once: encoding/json would match them
// in any case and let the last one win.
func parseRequest(line []byte) (request, error) {
	var req request
	line = bytes.Trim(line, " \t\r\n")
	if len(line) < 2 || line[0] != '{' || !json.Valid(line) {
		return req, errNotJSON
	}
	var rawMethod []byte
	// From here on the line is one well-formed object.
	for i := 1; ; {
		i = skipSpace(line, i)
		if line[i] == '}' {
			break
		}
		if line[i] == ',' {
			i++
			continue
		}
		keyEnd := skipValue(line, i)
		key := line[i:keyEnd]
		start := skipSpace(line, skipSpace(line, keyEnd)+1) // over the colon
		i = skipValue(line, start)
		value := line[start:i]

		var field *[]byte
		switch string(key) {
		case `"id"`:
			field = &req.id
		case `"method"`:
			field = &rawMethod
		case `"params"`:
			field = &req.params
		default:
			continue
		}
		if *field != nil {
			return request{}, errDuplicate
		}
		*field = value
	}
	if len(req.id) > maxID {
		req.id = nil
		return req, errIDSize
	}
	if isNull(req.id) {
		req.id = nil
	}
	if rawMethod == nil || isNull(rawMethod) {
		return req, nil
	}
	method, ok := stringValue(rawMethod)
	if !ok {
		return req, errMethod
	}
	req.method = method
	return req, nil
}

// args splits an array of parameters into its raw elements. Anything but an
// array gives none: the methods then report what they miss.
func args(params []byte, dst *[maxParams][]byte) [][]byte {
	if len(params) == 0 || params[0] != '[' {
		return nil
	}
	n := 0
	for i := 1; n < maxParams; {
		i = skipSpace(params, i)
		if i >= len(params) || params[i] == ']' {
			break
		}
		if params[i] == ',' {
			i++
			continue
		}
		end := skipValue(params, i)
		dst[n] = params[i:end]
		n++
		i = end
	}
	return dst[:n]
}

// arg returns the i-th element, or nil.
func arg(list [][]byte, i int) []byte {
	if i >= len(list) {
		return nil
	}
	return list[i]
}

// stringValue returns the contents of a raw JSON string; the common case, one
// without escapes, costs nothing.
func stringValue(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

func isNull(raw []byte) bool { return string(raw) == "null" }

// skipSpace returns the index of the first byte at or after i that is not
// white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipValue returns the index after the value that begins at i. The input is
// known to be well-formed; on any other it still ends within the slice.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // end of the surrounding object after a bare value
			}
			depth--
			if depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(b)
}

// skipString returns the index after the string whose opening quote is at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
