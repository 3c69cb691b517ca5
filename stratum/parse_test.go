package stratum

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/btcsuite/btcd/chaincfg/v2"
)

func TestParseRequest(t *testing.T) {
	tests := []struct {
		line, id, method, params string
		err                      error
	}{
		{line: `{"id":1,"method":"a","params":[1]}`, id: `1`, method: "a", params: `[1]`},
		{line: ` { "params" : { "x" : [ "}" ] } , "method" : "a" , "id" : "b\"c" } `, id: `"b\"c"`, method: "a", params: `{ "x" : [ "}" ] }`},
		{line: `{"id":null,"method":"\u0061"}`, method: "a"},
		{line: `{"ID":1,"Method":"a"}`},
		{line: `{"id":1,"result":true,"error":null}`, id: `1`},
		{line: `{"id":1,"id":2}`, err: errDuplicate},
		{line: `{"method":1}`, err: errMethod},
		{line: `{"id":"` + strings.Repeat("a", maxID) + `"}`, err: errIDSize},
		{line: ``, err: errNotJSON},
		{line: `[]`, err: errNotJSON},
		{line: `{"id":1}{"id":2}`, err: errNotJSON},
		{line: `{"id":1`, err: errNotJSON},
	}
	for _, test := range tests {
		req, err := parseRequest([]byte(test.line))
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.line, err, test.err)
			continue
		}
		if err == nil && (string(req.id) != test.id || string(req.method) != test.method || string(req.params) != test.params) {
			t.Errorf("%s: got id %s method %s params %s", test.line, req.id, req.method, req.params)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"mining.subscribe","params":["ua",null]}`))
	f.Add([]byte(`{"id":"\\\"","params":[[],{},"]",1e5,-0.1,true],"method":"\u006d"}`))
	f.Add([]byte(`{"a":{"id":2},"id" : 3 }`))
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := parseRequest(line)
		if err != nil {
			return
		}
		// Ours does not look through escapes in keys and leaves bad UTF-8 alone.
		if bytes.IndexByte(line, '\\') >= 0 || !utf8.Valid(line) {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("accepted what encoding/json does not: %v", err)
		}
		if id := want["id"]; !bytes.Equal(id, req.id) && string(id) != "null" {
			t.Fatalf("id %s, want %s", req.id, id)
		}
		if !bytes.Equal(want["params"], req.params) {
			t.Fatalf("params %s, want %s", req.params, want["params"])
		}
		var method string
		if json.Unmarshal(want["method"], &method) == nil && method != string(req.method) {
			t.Fatalf("method %q, want %q", req.method, method)
		}
		var list []json.RawMessage
		var buf [maxParams][]byte
		got := args(req.params, &buf)
		if json.Unmarshal(req.params, &list) == nil {
			if len(got) != min(len(list), maxParams) {
				t.Fatalf("%d params of %s", len(got), req.params)
			}
			for i := range got {
				if !bytes.Equal(got[i], list[i]) {
					t.Fatalf("param %s, want %s", got[i], list[i])
				}
			}
		}
	})
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	input := "a\r\n\nbb\n" + long + "\n" + long[1:] + "\r\nc\n" + "unfinished"
	want := []string{"a", "", "bb", long, long[1:], "c"}
	for name, r := range map[string]io.Reader{
		"whole":   strings.NewReader(input),
		"bytes":   iotest.OneByteReader(strings.NewReader(input)),
		"halves":  iotest.HalfReader(strings.NewReader(input)),
		"dataErr": iotest.DataErrReader(strings.NewReader(input)),
	} {
		l := newLineReader(r)
		for i, line := range want {
			got, err := l.next()
			if err != nil || string(got) != line {
				t.Fatalf("%s: line %d has %d bytes, error %v", name, i, len(got), err)
			}
			if len(l.buf) > MaxLine+1 {
				t.Fatalf("%s: buffer of %d bytes", name, len(l.buf))
			}
		}
		if _, err := l.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %v at the end", name, err)
		}
	}
	l := newLineReader(strings.NewReader(long + "x\n"))
	if _, err := l.next(); !errors.Is(err, errLineTooLong) {
		t.Fatalf("too long a line: %v", err)
	}
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"), uint16(3))
	f.Fuzz(func(t *testing.T, data []byte, n uint16) {
		data = bytes.Repeat(data, int(n%64)+1)
		l := newLineReader(bytes.NewReader(data))
		for rest := data; ; {
			line, err := l.next()
			if len(l.buf) > MaxLine+1 {
				t.Fatalf("buffer of %d bytes", len(l.buf))
			}
			i := bytes.IndexByte(rest, '\n')
			if err != nil {
				if i >= 0 && i <= MaxLine {
					t.Fatalf("lost a line of %d bytes: %v", i, err)
				}
				return
			}
			if want := bytes.TrimSuffix(rest[:i], []byte{'\r'}); !bytes.Equal(line, want) {
				t.Fatalf("got %q, want %q", line, want)
			}
			rest = rest[i+1:]
		}
	})
}

// newTestSession returns an authorized session that writes into the void.
func newTestSession(t testing.TB) *session {
	server, err := New(Config{
		Source: &fakeSource{}, Params: &chaincfg.RegressionNetParams, Payees: FixedPayee(testPayee),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.jobNumber.Store(0x0f)
	server.work.Store(newWorkset(newFakeWork(0, easy), FixedPayee(testPayee), ""))
	conn, _ := net.Pipe()
	out := newOutbox(conn, server.queues)
	out.writing = true // so that all stays in the queue
	s := newSession(&server.deps, out, 1, time.Now())
	for _, line := range []string{`{"id":1,"method":"mining.subscribe"}`, `{"id":2,"method":"mining.authorize","params":["x"]}`} {
		if _, err := s.handle(t.Context(), []byte(line), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s.flush(time.Now())
	checkLines(t, s)
	return s
}

// ask hands a line to the session and returns what it says, line feed included. Limits do
// not apply.
func ask(t testing.TB, s *session, line string) string {
	t.Helper()
	s.messages.tokens, s.junk.tokens = messageBurst, junkBurst
	if _, err := s.handle(t.Context(), []byte(line), time.Now()); err != nil {
		t.Errorf("%.60q: %v", line, err)
	}
	said := string(s.out.pending)
	checkLines(t, s)
	return said
}

// checkLines empties the outbox and checks that it held whole JSON objects.
func checkLines(t testing.TB, s *session) {
	t.Helper()
	for line := range bytes.Lines(s.out.pending) {
		if !json.Valid(line) || !bytes.HasSuffix(line, []byte("}\n")) {
			t.Fatalf("sent %q", line)
		}
	}
	s.out.pending = s.out.pending[:0]
}
