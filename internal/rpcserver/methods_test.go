package rpcserver

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/decred/slog"
)

// answerTo executes one request body against a backend, without HTTP.
func answerTo(b Backend, body string) string {
	s := &Server{cfg: Config{Backend: b}, log: slog.Disabled}
	return string(s.answer(context.Background(), []byte(body)))
}

// resultOf calls a method and returns the result, or "code: message".
func resultOf(t *testing.T, b Backend, method, params string) string {
	t.Helper()
	answer := answerTo(b, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
	var r responseV2
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		t.Fatalf("%s: %v in %s", method, err, answer)
	}
	if r.Error != nil {
		return fmt.Sprintf("%d: %s", r.Error.Code, r.Error.Message)
	}
	return string(r.Result)
}

const (
	zeroHash = "0000000000000000000000000000000000000000000000000000000000000000"
	someHash = "00000000000000000000000000000000000000000000000000000000000000ff"
)

func TestMethods(t *testing.T) {
	b := new(fakeBackend)
	for _, tc := range []struct{ method, params, want string }{
		{"getinfo", `[]`, `"version":"test"`},
		{"getinfo", `[1]`, "-32602: getinfo: too many parameters; usage: getinfo"},
		{"uptime", `[]`, `90`},
		{"debuglevel", `[]`, `{"spec":""}`},
		{"debuglevel", `["info"]`, `{"spec":"info"}`},
		{"debuglevel", `{"spec":"info"}`, `{"spec":"info"}`},
		{"debuglevel", `["bad"]`, `-32602: no level "bad"`},
		{"debuglevel", `[1]`, `-32602: debuglevel: spec must be a string; usage: debuglevel [SPEC]`},
		{"debuglevel", `["` + strings.Repeat("x", 2000) + `"]`, `-32602: debuglevel: spec must not be longer`},
		{"stop", `[]`, `"p2poold is stopping"`},
		{"restart", `[]`, `"p2poold is restarting"`},
		{"reload", `[]`, `{"changed":["fee"],"restart":[]}`},
		{"getsharechaininfo", `[]`, `"height":7`},
		{"gettip", `[]`, `"hash":"best"`},
		{"getbestsharehash", `[]`, `"best"`},
		{"getsharehash", `[5]`, `"` + zeroHash[:63] + `5"`},
		{"getsharehash", `{"height":0}`, `"` + zeroHash + `"`},
		{"getsharehash", `[8]`, `-5: no share at height 8: not found`},
		{"getsharehash", `[]`, `-32602: getsharehash: the parameter height is missing; usage: getsharehash HEIGHT`},
		{"getsharehash", `[null]`, `-32602: getsharehash: the parameter height is missing`},
		{"getsharehash", `["5"]`, `-32602: getsharehash: height must be a whole number from 0 to 4294967295`},
		{"getsharehash", `[-1]`, `-32602: getsharehash: height must be a whole number`},
		{"getsharehash", `[4294967296]`, `-32602: getsharehash: height must be a whole number`},
		{"getsharehash", `[1.5]`, `-32602: getsharehash: height must be a whole number`},
		{"getsharehash", `[1e400]`, `-32602: getsharehash: height must be a whole number`},
		{"getsharehash", `{"hash":1}`, `-32602: getsharehash: there is no parameter "hash"`},
		{"getsharehash", `{"height":1,"height":2}`, `-32602: getsharehash: params: it has "height" twice`},
		{"getshare", `["` + someHash + `"]`, `"hash":"` + someHash + `"`},
		{"getshare", `["` + someHash + `",0]`, `"abcd"`},
		{"getshare", `["` + someHash + `",2]`, `"hex":"abcd"`},
		{"getshare", `["` + someHash + `",3]`, `-32602: getshare: verbosity must be a whole number from 0 to 2`},
		{"getshare", `["` + zeroHash + `"]`, `-5: share ` + zeroHash + `: not found`},
		{"getshare", `["abc"]`, `-32602: getshare: hash must have 64 hex digits, this has 3 characters`},
		{"getshare", `["` + strings.Repeat("g", 64) + `"]`, `-32602: getshare: hash: `},
		{"getshares", `[2]`, `[{"hash":""`},
		{"getshares", `[1001]`, `-32602: getshares: count must be a whole number from 1 to 1000`},
		{"getshares", `[0]`, `-32602: getshares: count must be`},
		{"getpayouts", `[]`, `"class":0`},
		{"getpayouts", `[144]`, `"class":144`},
		{"getpayouts", `[13]`, `-32602: getpayouts: unknown output class "13"`},
		{"getpayouts", `[12]`, `-28: no template: not ready yet`},
		{"getpayouts", `[0]`, `"class":0`},
		{"getpayouts", `[144,"bc1q"]`, `"address":"bc1q"`},
		{"getpayouts", `[null,"",1,7]`, `"skipped":7`},
		{"getpayouts", `{"address":"bc1q"}`, `"skipped":0,"payouts":[{`},
		{"getpayouts", `{"count":2,"skip":5,"class":36}`, `"class":36`},
		{"getpayouts", `[12.5]`, `-32602: getpayouts: class must be a whole number from 0 to 1152; usage: getpayouts [CLASS] [ADDRESS] [COUNT] [SKIP]`},
		{"getpayouts", `[0,7]`, `-32602: getpayouts: address must be a string`},
		{"getpayouts", `{"count":0}`, `-32602: getpayouts: count must be a whole number from 1 to 10000`},
		{"getpayouts", `{"count":10001}`, `-32602: getpayouts: count must be a whole number from 1 to 10000`},
		{"getpayouts", `{"skip":-1}`, `-32602: getpayouts: skip must be a whole number from 0 to 1000000`},
		{"getpayouts", `{"address":"bc1q","skip":1}`, `-32602: getpayouts: skip goes through the list of all payees`},
		{"getpayouts", `[0,"",1,0,1]`, `-32602: getpayouts: too many parameters`},
		{"getpayoutaddresses", `[]`, `[]`},
		{"getblocksfound", `[]`, `[]`},
		{"getblocks", `[5]`, `[]`},
		{"getpeerinfo", `[]`, `[]`},
		{"getminers", `[]`, `[]`},
		{"getmineraddresses", `[]`, `[]`},
		{"getworkers", `[]`, `[]`},
		{"addnode", `["host:1"]`, `null`},
		{"addnode", `[" "]`, `-32602: addnode: the address is empty`},
		{"gettemplate", `[]`, `"bitcoinheight":9`},
		{"help", `["stop"]`, `"stop\n\nStops the node`},
		{"help", `["nope"]`, `-32601: there is no method "nope"; help lists all methods`},
		{"nope", `[]`, `-32601: there is no method "nope"`},
		{"GETINFO", `[]`, `-32601: there is no method "GETINFO"`},
	} {
		if got := resultOf(t, b, tc.method, tc.params); !strings.Contains(got, tc.want) {
			t.Errorf("%s %s:\ngot  %s\nwant …%s…", tc.method, tc.params, got, tc.want)
		}
	}
	if !b.stopped.Load() || b.added != "host:1" {
		t.Errorf("stopped %v, added %q", b.stopped.Load(), b.added)
	}
	if got := resultOf(t, b, "getshare", `["`+someHash+`"]`); strings.Contains(got, `"hex"`) {
		t.Errorf("verbosity 1 has the encoding: %s", got)
	}
}

// TestBackendErrors lets the backend fail in every method.
func TestBackendErrors(t *testing.T) {
	required := map[string]string{"getsharehash": `[1]`, "getshare": `["` + someHash + `"]`, "addnode": `["x"]`,
		"setban": `["x","add"]`, "disconnectnode": `["x"]`}
	for _, name := range MethodNames() {
		params := required[name]
		if params == "" {
			params = "[]"
		}
		got := resultOf(t, &fakeBackend{err: errBackend}, name, params)
		if want := "-32603: the disk is on fire"; got != want && name != "help" {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestResponseForms(t *testing.T) {
	b := new(fakeBackend)
	for _, tc := range []struct{ name, body, want string }{
		{"2.0 result", `{"jsonrpc":"2.0","id":"x","method":"uptime"}`, `{"jsonrpc":"2.0","result":90,"id":"x"}`},
		{"2.0 null result", `{"jsonrpc":"2.0","id":1,"method":"addnode","params":["x"]}`, `{"jsonrpc":"2.0","result":null,"id":1}`},
		{"2.0 error", `{"jsonrpc":"2.0","id":1,"method":"x"}`,
			`{"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no method \"x\"; help lists all methods"},"id":1}`},
		{"1.0 result", `{"id":1,"method":"uptime"}`, `{"result":90,"error":null,"id":1}`},
		{"1.0 error", `{"id":1,"method":"x"}`,
			`{"result":null,"error":{"code":-32601,"message":"there is no method \"x\"; help lists all methods"},"id":1}`},
		{"1.0 without id", `{"method":"uptime"}`, `{"result":90,"error":null,"id":null}`},
		{"notification", `{"jsonrpc":"2.0","method":"uptime"}`, ``},
		{"failing notification", `{"jsonrpc":"2.0","method":"x"}`, ``},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"uptime"},{"jsonrpc":"2.0","method":"uptime"},{"id":2,"method":"uptime"}]`,
			`[{"jsonrpc":"2.0","result":90,"id":1},{"result":90,"error":null,"id":2}]`},
		{"batch of one", `[{"jsonrpc":"2.0","id":1,"method":"uptime"}]`, `[{"jsonrpc":"2.0","result":90,"id":1}]`},
		{"batch of notifications", `[{"jsonrpc":"2.0","method":"uptime"}]`, ``},
		{"invalid in batch", `[1]`,
			`[{"result":null,"error":{"code":-32600,"message":"invalid request: it is not an object"},"id":null}]`},
		{"not JSON", `x`,
			`{"jsonrpc":"2.0","error":{"code":-32700,"message":"the request body is neither a JSON object nor an array"},"id":null}`},
	} {
		if got := answerTo(b, tc.body); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

// TestBatchAnswerIsBounded asks for the largest answer a hundred times.
func TestBatchAnswerIsBounded(t *testing.T) {
	one := `{"jsonrpc":"2.0","id":1,"method":"getshares","params":[1000]}`
	body := "[" + strings.Repeat(one+",", MaxBatch-1) + one + "]"
	got := answerTo(new(fakeBackend), body)
	size := len(answerTo(new(fakeBackend), one))
	if !json.Valid([]byte(got)) || len(got) > maxBatchAnswer+size+100*MaxBatch {
		t.Errorf("an answer of %d bytes, one alone has %d", len(got), size)
	}
	if size*MaxBatch > maxBatchAnswer && !strings.Contains(got, "use smaller batches") {
		t.Error("nothing was refused")
	}
}

// TestPayoutsAreBounded: the largest list of payees there can be stays below the
// bound of a batch, and without a count it has a tenth.
func TestPayoutsAreBounded(t *testing.T) {
	b := new(fakeBackend)
	most := resultOf(t, b, "getpayouts", fmt.Sprintf(`{"count":%d}`, MaxPayouts))
	usual := resultOf(t, b, "getpayouts", `[]`)
	for _, tc := range []struct {
		name, answer string
		rows         int
	}{{"most", most, MaxPayouts}, {"usual", usual, defaultPayouts}} {
		if rows := strings.Count(tc.answer, `"script"`); rows != tc.rows || len(tc.answer) > maxBatchAnswer {
			t.Errorf("%s: %d payees in %d bytes", tc.name, rows, len(tc.answer))
		}
	}
}

func TestUnencodableAnswer(t *testing.T) {
	got := resultOf(t, nanBackend{new(fakeBackend)}, "getinfo", "[]")
	if !strings.HasPrefix(got, "-32603: the answer cannot be encoded") {
		t.Errorf("got %s", got)
	}
}

// nanBackend has a bug: it answers with a number that JSON doesn't have.
type nanBackend struct{ *fakeBackend }

func (b nanBackend) Info(context.Context) (*Info, error) {
	zero := 0.0
	return &Info{HashRate: 1 / zero}, nil
}

func TestHelpTexts(t *testing.T) {
	all, err := Help("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range methods {
		m := &methods[i]
		if !strings.Contains(all, m.usage()) {
			t.Errorf("help lacks %s", m.name)
		}
		if m.summary == "" || m.result == "" || m.area == "" || m.handle == nil {
			t.Errorf("%s is not described completely", m.name)
		}
		if m.name != strings.ToLower(m.name) || len(m.name) > maxNameSize || len(m.params) > maxParams {
			t.Errorf("%s: name or number of parameters is beyond what the parser accepts", m.name)
		}
		text, err := Help(m.name)
		if err != nil {
			t.Error(err)
		}
		optional := false
		for _, p := range m.params {
			if !strings.Contains(text, p.name) || p.help == "" {
				t.Errorf("%s: parameter %s is not described", m.name, p.name)
			}
			if optional && !p.optional {
				t.Errorf("%s: parameter %s is required but follows an optional one", m.name, p.name)
			}
			optional = p.optional
		}
	}
	if !slices.IsSorted(MethodNames()) || len(slices.Compact(MethodNames())) != len(methods) {
		t.Error("method names are not sorted or not unique")
	}
}

func TestEncodeParams(t *testing.T) {
	for _, tc := range []struct {
		method string
		words  []string
		want   []any
		err    string
	}{
		{"getinfo", nil, []any{}, ""},
		{"getshare", []string{someHash, "2"}, []any{someHash, int64(2)}, ""},
		{"getshare", []string{someHash}, []any{someHash}, ""},
		{"addnode", []string{"127"}, []any{"127"}, ""},
		{"unknown", []string{"1", "x"}, []any{"1", "x"}, ""},
		{"getshare", nil, nil, "getshare: the parameter hash is missing; usage: getshare HASH [VERBOSITY]"},
		{"getshare", []string{"x", "y"}, nil, "getshare: verbosity must be a whole number from 0 to 2"},
		{"getshare", []string{"x", "9"}, nil, "getshare: verbosity must be a whole number from 0 to 2"},
		{"stop", []string{"now"}, nil, "stop: too many parameters; usage: stop"},
	} {
		got, err := EncodeParams(tc.method, tc.words)
		if tc.err == "" {
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s %q: got %v, %v; want %v", tc.method, tc.words, got, err, tc.want)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), tc.err) {
			t.Errorf("%s %q: got error %v, want %s", tc.method, tc.words, err, tc.err)
		}
	}
}

// TestJSONNames checks the convention of all answers: lower-case words without
// separators, and no list that could become null.
func TestJSONNames(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
				t.Errorf("%v.%s has the JSON name %q", typ, field.Name, name)
			}
			check(field.Type)
		}
	}
	for _, v := range []any{Info{}, ChainInfo{}, Share{}, ShareSummary{}, PeerInfo{}, Payouts{}, FoundBlock{}, MinerInfo{}, MinerAddress{}, Reload{}, TemplateInfo{}, BanInfo{}, MergedChain{}} {
		check(reflect.TypeOf(v))
	}
}
