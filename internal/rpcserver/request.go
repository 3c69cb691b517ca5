package rpcserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits on what is parsed.
const (
	// MaxBatch is the number of requests in one batch. A dashboard asks for
	// ten things at a time; each request may be answered with up to about
	// 1 MiB.
	MaxBatch = 100

	// maxIDSize bounds an id, which is echoed. Clients use counters and
	// UUIDs (36 characters).
	maxIDSize = 128

	// maxNameSize bounds a method name; the longest of ours has 16.
	maxNameSize = 64

	// maxRequestKeys bounds the members of a request object: four are
	// defined, unknown ones are ignored.
	maxRequestKeys = 16
)

// request is one parsed call. If err is set the request is invalid and only
// answered.
type request struct {
	v2           bool            // "jsonrpc": "2.0" was given
	id           json.RawMessage // string, number or null; nil when absent
	method       string
	params       json.RawMessage // array or object; nil when absent
	err          *Error
	notification bool // 2.0 without an id: executed, not answered
}

// parseBody parses an HTTP body into its requests. batch tells whether they
// came as an array and must be answered as one. The error is set when the body
// as a whole cannot be used; then there is exactly one answer, with id null.
//
// encoding/json alone would accept keys in any case and let the last of several
// equal keys win, and would turn a 1 MiB "[{},{},…]" into 44 times its size. So
// arrays and objects are walked token by token here.
func parseBody(body []byte) (reqs []request, batch bool, err *Error) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, false, &Error{CodeParse, "the request body is empty; send a JSON-RPC request object"}
	}
	dec := json.NewDecoder(bytes.NewReader(trimmed))
	switch trimmed[0] {
	case '{':
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, false, parseError(err)
		}
		reqs = []request{parseRequest(raw)}
	case '[':
		batch = true
		if reqs, err = parseBatch(dec); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, &Error{CodeParse, "the request body is neither a JSON object nor an array"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false, &Error{CodeParse, "there is something after the end of the JSON-RPC request"}
	}
	return reqs, batch, nil
}

// parseBatch parses the elements of an array, at most MaxBatch.
func parseBatch(dec *json.Decoder) ([]request, *Error) {
	if _, err := dec.Token(); err != nil { // the bracket
		return nil, parseError(err)
	}
	var reqs []request
	for dec.More() {
		if len(reqs) == MaxBatch {
			return nil, &Error{CodeInvalidRequest, fmt.Sprintf("a batch may hold at most %d requests", MaxBatch)}
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, parseError(err)
		}
		reqs = append(reqs, parseRequest(raw))
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return nil, parseError(err)
	}
	if len(reqs) == 0 {
		return nil, &Error{CodeInvalidRequest, "the batch is empty"}
	}
	return reqs, nil
}

// parseRequest parses one request object out of syntactically valid JSON.
func parseRequest(raw json.RawMessage) request {
	var r request
	members, err := objectMembers(raw, maxRequestKeys)
	if err == nil {
		// The id comes first so that the answer to a request that is wrong in
		// another place still carries it.
		err = r.setID(members)
	}
	if err == nil {
		err = r.setVersion(members)
	}
	if err == nil {
		err = r.setCall(members)
	}
	if err != nil {
		// The specification answers invalid requests even without an id.
		r.err = &Error{CodeInvalidRequest, "invalid request: " + err.Error()}
		return r
	}
	r.notification = r.v2 && r.id == nil
	return r
}

// setID takes the id, which must be a short string, number or null.
func (r *request) setID(members map[string]json.RawMessage) error {
	id, ok := members["id"]
	if !ok {
		return nil
	}
	switch {
	case len(id) > maxIDSize:
		return fmt.Errorf("its id is longer than %d bytes", maxIDSize)
	case id[0] == '{' || id[0] == '[' || id[0] == 't' || id[0] == 'f':
		return errors.New("its id must be a string, a number or null")
	}
	r.id = id
	return nil
}

// setVersion takes the protocol version. Absent or "1.0" means 1.0, as old
// clients send it.
func (r *request) setVersion(members map[string]json.RawMessage) error {
	raw, ok := members["jsonrpc"]
	if !ok {
		return nil
	}
	var version string
	if err := json.Unmarshal(raw, &version); err != nil {
		return errors.New(`"jsonrpc" must be a string`)
	}
	switch version {
	case "2.0":
		r.v2 = true
	case "1.0", "1.1":
	default:
		return errors.New(`"jsonrpc" must be "2.0" or "1.0"`)
	}
	return nil
}

// setCall takes the method and its parameters.
func (r *request) setCall(members map[string]json.RawMessage) error {
	raw, ok := members["method"]
	if !ok {
		return errors.New("it has no method")
	}
	if err := json.Unmarshal(raw, &r.method); err != nil || raw[0] != '"' {
		return errors.New("its method must be a string")
	}
	if r.method == "" || len(r.method) > maxNameSize {
		return fmt.Errorf("its method must have 1 to %d characters", maxNameSize)
	}
	params, ok := members["params"]
	if !ok || params[0] == 'n' { // null
		return nil
	}
	if params[0] != '[' && params[0] != '{' {
		return errors.New("its params must be an array or an object")
	}
	r.params = params
	return nil
}

// objectMembers splits a JSON object into its members: keys compared exactly,
// none twice, at most limit of them.
func objectMembers(raw json.RawMessage, limit int) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('{') {
		return nil, errors.New("it is not an object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, errors.New("a key is not a string")
		}
		if _, ok := members[key]; ok {
			return nil, fmt.Errorf("it has %s twice", quoteShort(key))
		}
		if len(members) == limit {
			return nil, fmt.Errorf("it has more than %d members", limit)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		members[key] = value
	}
	return members, nil
}

// arrayElements splits a JSON array into at most limit elements.
func arrayElements(raw json.RawMessage, limit int) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil { // the bracket
		return nil, err
	}
	var elements []json.RawMessage
	for dec.More() {
		if len(elements) == limit {
			return nil, fmt.Errorf("more than %d", limit)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		elements = append(elements, value)
	}
	return elements, nil
}

// parseError says where the JSON is broken.
func parseError(err error) *Error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{CodeParse, "the request is not valid JSON: it ends too early"}
	}
	return &Error{CodeParse, "the request is not valid JSON: " + err.Error()}
}

// quoteShort quotes text from a client for an error message.
func quoteShort(s string) string {
	if len(s) > maxNameSize {
		s = s[:maxNameSize] + "…"
	}
	return fmt.Sprintf("%q", s)
}
