package bitcoind

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestBatchReplies: answers of a batch belong to their calls by their ids.
func TestBatchReplies(t *testing.T) {
	tests := []struct{ body, want string }{
		{`[{"result":"a","id":0},{"result":"b","id":1}]`, `"a""b"`},
		{`[{"id":1,"result":"b","error":null},{"id":0,"result":"a"}]`, `"a""b"`},
		{`[{"result":"a","id":0},{"result":"b","id":0}]`, ""},
		{`[{"result":"a","id":0},{"result":"b","id":2}]`, ""},
		{`[{"result":"a","id":0},{"result":"b"}]`, ""},
		{`[{"result":"a","id":0},{"id":1}]`, ""},
		{`[{"result":"a","id":0}]`, ""},
		{`[{"result":"a","id":0},{"result":"b","id":1},{"result":"c","id":2}]`, ""},
		{`[{"result":"a","id":0},{"error":{"code":-5,"message":"no"},"id":1}]`, ""},
		{`{"error":{"code":-32600,"message":"no batch"}}`, ""},
		{`7`, ""}, {``, ""}, {`[`, ""}, {`null`, ""},
	}
	for _, test := range tests {
		results, err := parseBatch([]byte(test.body), 2)
		var got string
		for _, r := range results {
			got += string(r)
		}
		if (err == nil) != (test.want != "") || err == nil && got != test.want {
			t.Errorf("%s: %s, %v", test.body, got, err)
		}
	}
}

// FuzzReply compares the splitting of replies with encoding/json's.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"result":null,"error":null,"id":1}`, `{"jsonrpc":"2.0","result":{"a":[1,"x\"]}"]},"id":"7"}`,
		`{"error":{"code":-28,"message":"Loading…"},"id":1}`, ` { "result" : "\\" , "id" : 0 } `, `{}`, `{"result":[[[`,
		`{"result":1}x`, `[]`, `{"a":1,}`, `{"result":[}]}`, `{"result":1,"result":2}`, "{\"\\u0069d\":1}", `{"error":7}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseReply(b)
		var want map[string]json.RawMessage
		if jsonErr := json.Unmarshal(b, &want); jsonErr != nil || want == nil {
			return // neither crashes
		}
		if bytes.Contains(b, []byte(`\u`)) {
			return // names may be written otherwise
		}
		if err != nil {
			if _, rpcErr := rpcError(want["error"]); rpcErr == nil && !strings.Contains(string(b), `"error"`) {
				t.Fatalf("%s: %v", b, err)
			}
			return
		}
		if !bytes.Equal(got.result, want["result"]) || !bytes.Equal(got.id, want["id"]) {
			t.Fatalf("%s: result %s, id %s", b, got.result, got.id)
		}
		if e := want["error"]; (got.err != nil) != (e != nil && string(e) != "null") {
			t.Fatalf("%s: error %v", b, got.err)
		}
	})
}
