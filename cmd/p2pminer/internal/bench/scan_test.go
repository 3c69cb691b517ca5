package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

func TestScan(t *testing.T) {
	for line, want := range map[string]message{
		`{}`: {},
		` { "id" : 1 , "result":true,"error":null } `: {id: []byte("1"), result: []byte("true"), err: []byte("null")},
		`{"id":"a\"b\\","method":"m","params":[1,[2,"]"],{"x":"}"}]}`: {
			id: []byte(`"a\"b\\"`), method: []byte(`"m"`), params: []byte(`[1,[2,"]"],{"x":"}"}]`)},
		`{"other":{"id":3},"id":4}`: {id: []byte("4")},
		`{"id":1,"id":2}`:           {id: []byte("2")},
	} {
		got, ok := scan([]byte(line))
		if !ok || !bytes.Equal(got.id, want.id) || !bytes.Equal(got.method, want.method) ||
			!bytes.Equal(got.params, want.params) || !bytes.Equal(got.result, want.result) || !bytes.Equal(got.err, want.err) {
			t.Errorf("%s: %v %s", line, ok, got)
		}
	}
	for _, line := range []string{
		"", "x", "[]", "{", `{"id"}`, `{"id":}`, `{"id":1`, `{"id":1,`, `{"id":1}x`, `{"id":"a}`, `{"id":"a\"}`,
		`{id:1}`, `{"params":[1,}`, `{"a":1 "b":2}`, `{"":`, `{,}`,
	} {
		if m, ok := scan([]byte(line)); ok {
			t.Errorf("%s: accepted as %s", line, m)
		}
	}
}

// scan agrees with encoding/json on all that encoding/json takes.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":[[["mining.notify","a"]],"01",8],"error":null}`))
	f.Add([]byte(`{"id":null,"method":"mining.set_difficulty","params":[1e-9]}`))
	f.Add([]byte(`{"params":["\\\"",{}],"id":"\u0031"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, ok := scan(line)
		var list [][]byte
		if ok && m.params != nil {
			list, _ = elements(nil, m.params, 100)
		}
		refusal(&m)
		number(m.id)
		text(m.method)
		var want map[string]json.RawMessage
		if json.Unmarshal(line, &want) != nil || want == nil {
			return
		}
		if !ok {
			t.Fatalf("%q is an object", line)
		}
		if bytes.IndexByte(line, '\\') >= 0 {
			return // names may be written in another way
		}
		for name, got := range map[string][]byte{"id": m.id, "method": m.method, "params": m.params, "result": m.result, "error": m.err} {
			if !bytes.Equal(got, want[name]) {
				t.Fatalf("%q: %s is %q, want %q", line, name, got, want[name])
			}
		}
		var elems []json.RawMessage
		if json.Unmarshal(want["params"], &elems) != nil || elems == nil || len(elems) > 100 {
			return
		}
		if len(list) != len(elems) {
			t.Fatalf("%q has %d elements, want %d", m.params, len(list), len(elems))
		}
		for i := range list {
			if !bytes.Equal(list[i], elems[i]) {
				t.Fatalf("%q: element %d is %q, want %q", m.params, i, list[i], elems[i])
			}
		}
	})
}

// notifyParameters is a small job's.
const notifyParameters = `["a1","0011223300112233001122330011223300112233001122330011223300112233","02000000","00000000",` +
	`["abababababababababababababababababababababababababababababababab"],"20000000","207fffff","386d4380",true]`

func FuzzBody(f *testing.F) {
	f.Add([]byte(notifyParameters))
	f.Add([]byte(`["","","zz",null,[1],{},-1,0.5,"true"]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		params, ok := elements(nil, raw, notifyParams)
		if ok && len(params) == notifyParams {
			parseBody(params, pow.NewHasher())
		}
	})
}

func TestBodyRefuses(t *testing.T) {
	h := pow.NewHasher()
	params, ok := elements(nil, []byte(notifyParameters), notifyParams)
	if !ok {
		t.Fatal("not a list")
	}
	if _, err := parseBody(params, h); err != nil {
		t.Fatal(err)
	}
	long := "[" + strings.Repeat(`"`+strings.Repeat("ab", 32)+`",`, maxBranch) + `"` + strings.Repeat("ab", 32) + `"]`
	for i, bad := range map[int][]string{
		paramPrev: {`"00"`, `null`, `"` + strings.Repeat("x", 64) + `"`}, paramCoinb1: {`"0"`, `5`}, paramCoinb2: {`"zz"`, `[]`},
		paramBranch: {`"ab"`, `["ab"]`, `[1]`, long}, paramVersion: {`20000000`, `"200000000"`}, paramBits: {`""`, `{}`},
	} {
		for _, value := range bad {
			broken := append([][]byte(nil), params...)
			broken[i] = []byte(value)
			if _, err := parseBody(broken, h); err == nil {
				t.Errorf("parameter %d as %.40s is accepted", i, value)
			}
		}
	}
}

func TestAnswersInWords(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":5,"result":true,"error":null}`:                      "",
		`{"id":5,"result":true}`:                                   "",
		`{"id":5,"result":false,"error":null}`:                     "refused without a reason",
		`{"id":5,"result":null}`:                                   "refused without a reason",
		`{"id":5,"result":null,"error":[23,"high-hash",null]}`:     "high-hash",
		`{"id":5,"result":null,"error":"bad\u001b[31m"}`:           "bad?[31m",
		`{"id":5,"error":{"code":-1}}`:                             `{"code":-1}`,
		`{"id":5,"error":[20,"` + strings.Repeat("x", 500) + `"]}`: strings.Repeat("x", maxText),
	} {
		m, ok := scan([]byte(line))
		if got := refusal(&m); !ok || got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
