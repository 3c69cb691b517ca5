package rpcserver

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseBody(t *testing.T) {
	for _, tc := range []struct {
		name, body   string
		v2           bool
		id, method   string
		params       string
		notification bool
	}{
		{"2.0", `{"jsonrpc":"2.0","id":1,"method":"help","params":["x"]}`, true, "1", "help", `["x"]`, false},
		{"1.0", `{"id":"a","method":"help","params":[]}`, false, `"a"`, "help", `[]`, false},
		{"1.0 by name", `{"jsonrpc":"1.0","id":null,"method":"m"}`, false, "null", "m", "", false},
		{"1.1", `{"jsonrpc":"1.1","method":"m"}`, false, "", "m", "", false},
		{"notification", `{"jsonrpc":"2.0","method":"m"}`, true, "", "m", "", true},
		{"null id is no notification", `{"jsonrpc":"2.0","id":null,"method":"m"}`, true, "null", "m", "", false},
		{"named params", `{"jsonrpc":"2.0","id":1.5,"method":"m","params":{"a":1}}`, true, "1.5", "m", `{"a":1}`, false},
		{"null params", `{"jsonrpc":"2.0","id":1,"method":"m","params":null}`, true, "1", "m", "", false},
		{"white space", " \r\n\t{ \"id\" : 1 , \"method\" : \"m\" } \n", false, "1", "m", "", false},
		{"unknown members", `{"id":1,"method":"m","extra":{"a":[1]}}`, false, "1", "m", "", false},
		{"other case is another key", `{"id":1,"method":"m","METHOD":"stop","Id":2}`, false, "1", "m", "", false},
	} {
		reqs, batch, err := parseBody([]byte(tc.body))
		if err != nil || batch || len(reqs) != 1 || reqs[0].err != nil {
			t.Errorf("%s: %v, batch %v, %+v", tc.name, err, batch, reqs)
			continue
		}
		r := reqs[0]
		if r.v2 != tc.v2 || string(r.id) != tc.id || r.method != tc.method || string(r.params) != tc.params || r.notification != tc.notification {
			t.Errorf("%s: got v2 %v, id %s, method %s, params %s, notification %v", tc.name, r.v2, r.id, r.method, r.params, r.notification)
		}
	}
}

func TestParseBodyErrors(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	for name, tc := range map[string]struct {
		body string
		code int
		text string
	}{
		"empty":          {"", CodeParse, "is empty"},
		"only space":     {"  \n", CodeParse, "is empty"},
		"text":           {"hello", CodeParse, "neither a JSON object nor an array"},
		"number":         {"1", CodeParse, "neither"},
		"cut off":        {`{"id":1`, CodeParse, "ends too early"},
		"cut off batch":  {`[{"id":1,"method":"m"}`, CodeParse, "ends too early"},
		"broken":         {`{"id":1,}`, CodeParse, "not valid JSON"},
		"trailing":       {`{"id":1,"method":"m"} x`, CodeParse, "after the end"},
		"two objects":    {`{"id":1,"method":"m"}{"id":2,"method":"m"}`, CodeParse, "after the end"},
		"empty batch":    {`[]`, CodeInvalidRequest, "batch is empty"},
		"large batch":    {"[" + strings.Repeat("{},", MaxBatch) + "{}]", CodeInvalidRequest, "at most 100"},
		"1 MiB of {}":    {"[" + strings.Repeat("{},", MaxBodySize/3-1) + "{}]", CodeInvalidRequest, "at most 100"},
		"deeply nested":  {deep, CodeParse, "not valid JSON"},
		"nested in call": {`{"id":1,"method":"m","params":` + deep, CodeParse, "not valid JSON"},
		"broken in list": {`[{"id":1,"method":"m"},]`, CodeParse, "not valid JSON"},
	} {
		_, _, err := parseBody([]byte(tc.body))
		if err == nil || err.Code != tc.code || !strings.Contains(err.Message, tc.text) {
			t.Errorf("%s: got %+v, want code %d, …%s…", name, err, tc.code, tc.text)
		}
	}
}

func TestParseRequestErrors(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for body, want := range map[string]string{
		`{}`:                                    "has no method",
		`{"id":1,"method":1}`:                   "method must be a string",
		`{"id":1,"method":null}`:                "method must be a string",
		`{"id":1,"method":""}`:                  "1 to 64 characters",
		`{"id":1,"method":"` + long + `"}`:      "1 to 64 characters",
		`{"id":{},"method":"m"}`:                "id must be a string, a number or null",
		`{"id":[1],"method":"m"}`:               "id must be a string, a number or null",
		`{"id":true,"method":"m"}`:              "id must be a string, a number or null",
		`{"id":"` + long + `","method":"m"}`:    "id is longer than 128 bytes",
		`{"id":1,"jsonrpc":2,"method":"m"}`:     `"jsonrpc" must be a string`,
		`{"id":1,"jsonrpc":null,"method":"m"}`:  `"jsonrpc" must be "2.0" or "1.0"`,
		`{"id":1,"jsonrpc":"3.0","method":"m"}`: `"jsonrpc" must be "2.0" or "1.0"`,
		`{"id":1,"method":"m","params":"x"}`:    "params must be an array or an object",
		`{"id":1,"method":"m","method":"stop"}`: `has "method" twice`,
		`{"id":1,"method":"m","params":1}`:      "params must be an array or an object",
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`: "more than 16 members",
	} {
		reqs, _, err := parseBody([]byte(body))
		if err != nil {
			t.Errorf("%.80s: %v", body, err)
			continue
		}
		if r := reqs[0]; r.err == nil || r.err.Code != CodeInvalidRequest || !strings.Contains(r.err.Message, want) || r.notification {
			t.Errorf("%.80s: got %+v, want …%s…", body, r.err, want)
		}
	}
	reqs, _, _ := parseBody([]byte(`[1]`))
	if reqs[0].err == nil || !strings.Contains(reqs[0].err.Message, "not an object") {
		t.Errorf("a number in a batch: %+v", reqs[0].err)
	}
	reqs, _, _ = parseBody([]byte(`{"id":7,"method":1}`))
	if string(reqs[0].id) != "7" {
		t.Error("the answer to an invalid request lost its id")
	}
}

func FuzzParseBody(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"getshare","params":["00",1]}`,
		`[{"id":1,"method":"help"},{"jsonrpc":"2.0","method":"stop"}]`,
		`{"id":null,"method":"m","params":{"a":[{}]}}`,
		`[]`, `{`, `"x"`, "\x00", `[[[]]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reqs, batch, err := parseBody(body)
		if err != nil {
			return
		}
		if len(reqs) == 0 || len(reqs) > MaxBatch || !batch && len(reqs) != 1 {
			t.Fatalf("%d requests, batch %v", len(reqs), batch)
		}
		for i := range reqs {
			r := &reqs[i]
			if !json.Valid(encodeResponse(r, nil, &Error{1, "x"})) {
				t.Fatalf("the answer to id %s is not valid JSON", r.id)
			}
			if m := findMethod(r.method); m != nil && r.err == nil {
				args, err := m.arguments(r.params)
				if err == nil && len(args) != len(m.params) {
					t.Fatalf("%d arguments for %d parameters", len(args), len(m.params))
				}
			}
		}
	})
}
