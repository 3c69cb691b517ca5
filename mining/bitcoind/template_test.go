package bitcoind

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining"
)

// hexString keeps the tests' tables short.
func hexString(b []byte) string { return hex.EncodeToString(b) }

// parser returns a client that is only used to parse.
func parser(tb testing.TB) *Client {
	tb.Helper()
	c, err := New(Config{URL: "http://u:p@127.0.0.1:1", Params: &chaincfg.RegressionNetParams})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// recorded returns the recorded replies of real nodes to getblocktemplate, by file name.
func recorded(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/template_*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no recorded templates: %v", err)
	}
	replies := make(map[string][]byte)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		replies[filepath.Base(file)] = b
	}
	return replies
}

// TestParseRecorded parses the replies of real nodes: two transactions, the second
// spends the first, both with witnesses.
func TestParseRecorded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, raw := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			tmpl, err := parser(t).parseTemplate(raw, now)
			if err != nil {
				t.Fatal(err)
			}
			if len(tmpl.Txs) != 2 || len(tmpl.Txs[1].Depends) != 1 || tmpl.Txs[1].Depends[0] != 0 {
				t.Fatalf("transactions %+v", tmpl.Txs)
			}
			if !tmpl.HasWitness() || tmpl.Fees() != 30_000 || tmpl.Height != 103 || tmpl.Subsidy() != 50e8 {
				t.Errorf("fees %d, height %d, subsidy %d", tmpl.Fees(), tmpl.Height, tmpl.Subsidy())
			}
			if tmpl.Received != now || tmpl.LongPollID == "" || tmpl.Bits != 0x207fffff {
				t.Errorf("got %+v", tmpl)
			}

			// What the node says of the witness commitment must be what we compute. Core
			// gives the whole output script, btcd the hash in it.
			var reply struct {
				Commitment string `json:"default_witness_commitment"`
			}
			if err := json.Unmarshal(raw, &reply); err != nil {
				t.Fatal(err)
			}
			commitment := tmpl.WitnessCommitment()
			if want := hexString(commitment[:]); strings.TrimPrefix(reply.Commitment, "6a24aa21a9ed") != want {
				t.Errorf("commitment %s, want %s", reply.Commitment, want)
			}
		})
	}
}

// TestParseTemplateErrors checks that replies with a fault are refused, and which kind
// of error says so.
func TestParseTemplateErrors(t *testing.T) {
	set := func(key string, value any) func(map[string]any) {
		return func(m map[string]any) { m[key] = value }
	}
	setTx := func(key string, value any) func(map[string]any) {
		return func(m map[string]any) { m["transactions"].([]any)[1].(map[string]any)[key] = value }
	}
	many := func(n int, v any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = v
		}
		return list
	}
	tests := []struct {
		name   string
		change func(map[string]any)
		kind   ErrorKind // "" if the template stays good
	}{
		{"as it is", func(map[string]any) {}, ""},
		{"unknown fields", set("extra", map[string]any{"a": []int{1}}), ""},
		{"null rules", set("rules", nil), ""},
		{"limits above Bitcoin's", func(m map[string]any) { m["weightlimit"], m["sigoplimit"] = 8_000_000, 1<<40 }, ""},
		{"no sigop limit", func(m map[string]any) { delete(m, "sigoplimit") }, ""},
		{"mandatory rule", set("rules", []string{"!x"}), ErrUnknownRule},
		{"mandatory empty rule", set("rules", []string{"!"}), ErrUnknownRule},
		{"too many rules", set("rules", many(maxRules+1, "a")), ErrBadReply},
		{"long rule", set("rules", []string{strings.Repeat("a", maxRule+1)}), ErrBadReply},
		{"rules no list", set("rules", "segwit"), ErrBadReply},
		{"required bits that all blocks have", set("vbrequired", mining.SignalledBits), ""},
		{"required bits", set("vbrequired", 1), ErrUnknownRule},
		{"required bits that the template has", func(m map[string]any) { m["version"], m["vbrequired"] = 0x20000004, 4 }, ErrUnknownRule},
		{"required bits that devices roll", func(m map[string]any) { m["version"], m["vbrequired"] = 0x20002000, 0x2000 }, ErrUnknownRule},
		{"version", set("version", 1<<40), ErrBadReply},
		{"bits", set("bits", "zz"), ErrBadReply},
		{"bits too long", set("bits", "1207fffff"), ErrBadReply},
		{"short parent", set("previousblockhash", "ab"), ErrBadReply},
		{"negative height", set("height", -1), ErrBadReply},
		{"negative limit", set("weightlimit", -1), ErrBadReply},
		{"negative value", set("coinbasevalue", -1), ErrBadReply},
		{"no weight limit", func(m map[string]any) { delete(m, "weightlimit") }, ErrTooOld},
		{"too many transactions", set("transactions", many(mining.MaxTemplateTxs+1, map[string]any{})), ErrBadReply},
		{"transactions no list", set("transactions", map[string]any{}), ErrBadReply},
		{"data not hex", setTx("data", "zz"), ErrBadReply},
		{"no fee", setTx("fee", nil), ErrBadReply},
		{"fee of a fraction", setTx("fee", 1.5), ErrBadReply},
		{"wrong txid", setTx("txid", strings.Repeat("0", 64)), ErrBadReply},
		{"no hash", setTx("hash", nil), ErrBadReply},
		{"depends on itself", setTx("depends", []int{2}), ErrBadReply},
		{"depends on the coinbase", setTx("depends", []int{0}), ErrBadReply},
		{"depends on many", setTx("depends", many(maxDepends+1, 1)), ErrBadReply},
	}
	for name, raw := range recorded(t) {
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				var m map[string]any
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				test.change(m)
				changed, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				_, err = parser(t).parseTemplate(changed, time.Now())
				if (test.kind == "" && err != nil) || (test.kind != "" && !errors.Is(err, test.kind)) {
					t.Errorf("got %v, want %q", err, test.kind)
				}
			})
		}
	}
}

// FuzzParseTemplate checks that no reply makes the parser panic, and that what it
// accepts passes the template's own check.
func FuzzParseTemplate(f *testing.F) {
	for _, raw := range recorded(f) {
		f.Add(raw)
	}
	f.Add([]byte(`null`))
	f.Add([]byte(`{"weightlimit":1,"transactions":[{},{}],"rules":null}`))
	f.Add([]byte(`{"rules":["!segwit","x"],"coinbasevalue":1,"bits":"1d00ffff"}`))
	c := parser(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		tmpl, err := c.parseTemplate(raw, time.Time{})
		if err != nil {
			if kindOf(err) == "" {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if err := tmpl.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzParseReplies checks that no reply makes the other parsers panic.
func FuzzParseReplies(f *testing.F) {
	f.Add([]byte(`"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"`))
	f.Add([]byte(`"00"`))
	f.Add([]byte(`[{"hash":"00","status":"invalid"}]`))
	f.Add([]byte(`{"confirmations":-1,"height":1,"bits":"207fffff","merkleroot":""}`))
	f.Add([]byte(`null`))
	c := parser(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		hash, err := parseHash(raw)
		var text string
		if err == nil && (json.Unmarshal(raw, &text) != nil || !strings.EqualFold(text, hash.String())) {
			t.Fatalf("%s read as %v", raw, hash)
		}
		_, _ = parseRawHeader(raw, &hash)
		_, _ = parseBlock(raw)
		_ = c.submitResult(raw)
		_, _ = unmarshalList[chainTip](raw, 10)
		var header headerJSON
		if json.Unmarshal(raw, &header) == nil {
			_, _ = header.header()
		}
	})
}
