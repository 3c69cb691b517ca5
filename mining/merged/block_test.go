package merged

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

const (
	someHash  = "d8a7c3e01e1e95bcee015e6fcc7583a2ca60b79e5a3aa0a171eddd344ada903d"
	otherHash = "00000000000000b10a9fd5cd46859fe8c9662e8828d8a75ff6da73167ac09a90"
	// easyTarget is a target as nodes print it: the other way round.
	easyTarget = "00000000000000000000000000000000000000000000000069b2000000000000"
)

// namecoin is an answer of Namecoin Core.
const namecoin = `{"hash":"` + someHash + `","chainid":1,"previousblockhash":"` + otherHash + `",
	"coinbasevalue":5000000000,"bits":"1b00b269","height":19200,"_target":"` + easyTarget + `"}`

// seeds are answers that nodes give, good and bad ones.
var seeds = []string{
	namecoin,
	`{"target":"` + easyTarget + `","hash":"` + someHash + `","chainid":1}`, // the first namecoind
	`{"chainid":1224,"height":1,"coinbasevalue":175799086,"bits":"1d36c855","hash":"` + someHash + `","previousblockhash":"` + otherHash + `"}`,
	`null`, `[]`, `"x"`, `{}`, `{"hash":1}`, `{"hash":"` + someHash + `","chainid":1e3,"bits":"1d00ffff"}`,
}

func TestParseTemplate(t *testing.T) {
	for i, answer := range seeds[:3] {
		tmpl, err := parseTemplate(json.RawMessage(answer))
		if err != nil || tmpl.hash.String() != someHash || tmpl.target.IsZero() {
			t.Errorf("%d: %+v, %v", i, tmpl, err)
		}
	}
	tmpl, err := parseTemplate(json.RawMessage(namecoin))
	if err != nil {
		t.Fatal(err)
	}
	want, err := target.FromCompact(0x1b00b269)
	if err != nil {
		t.Fatal(err)
	}
	if tmpl.chainID != 1 || tmpl.height != 19200 || tmpl.prev.String() != otherHash || tmpl.target != want {
		t.Errorf("%+v", tmpl)
	}
	old, err := parseTemplate(json.RawMessage(seeds[1]))
	if err != nil || old.target != want || old.prev != (chainhash.Hash{}) || old.height != 0 {
		t.Errorf("%+v, %v; target %v", old, err, want)
	}
	replace := func(what, with string) string { return strings.Replace(namecoin, what, with, 1) }
	for _, tc := range []struct{ name, answer, want string }{
		{"null", `null`, "no valid hash"},
		{"a list", `[]`, "is not a block"},
		{"no hash", replace(`"hash"`, `"hush"`), "no valid hash"},
		{"short hash", replace(someHash, someHash[1:]), "no valid hash"},
		{"no hex", replace(someHash, "x"+someHash[1:]), "no valid hash"},
		{"zero hash", replace(someHash, strings.Repeat("0", 64)), "no valid hash"},
		{"no chain id", replace(`"chainid"`, `"chain"`), "no valid chain id"},
		{"negative chain id", replace(`"chainid":1`, `"chainid":-1`), "no valid chain id"},
		{"chain id of 32 bits", replace(`"chainid":1`, `"chainid":2147483648`), "no valid chain id"},
		{"broken chain id", replace(`"chainid":1`, `"chainid":1.5`), "is not a block"},
		{"chain id as text", replace(`"chainid":1`, `"chainid":"1"`), "is not a block"},
		{"bad previous", replace(otherHash, "00"), "no valid previous"},
		{"negative height", replace(`19200`, `-1`), "no valid height"},
		{"huge height", replace(`19200`, `99999999999`), "no valid height"},
		{"negative bits", replace("1b00b269", "1b80b269"), "no valid target"},
		{"zero bits", replace("1b00b269", "1b000000"), "no valid target"},
		{"overflow", replace("1b00b269", "ff00b269"), "no valid target"},
		{"long bits", replace("1b00b269", "11b00b269"), "no valid target"},
		{"neither", replace(`"bits"`, `"x"`)[:100] + "}", "is not a block"},
		{"zero target", `{"hash":"` + someHash + `","chainid":1,"target":"` + strings.Repeat("0", 64) + `"}`, "no valid target"},
		{"short target", `{"hash":"` + someHash + `","chainid":1,"target":"ff"}`, "no valid target"},
		{"no target", `{"hash":"` + someHash + `","chainid":1}`, "no valid target"},
	} {
		if tmpl, err := parseTemplate(json.RawMessage(tc.answer)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %+v, %v; want …%s…", tc.name, tmpl, err, tc.want)
		}
	}
}

func FuzzParseTemplate(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tmpl, err := parseTemplate(json.RawMessage(s))
		if err == nil && (tmpl.target.IsZero() || tmpl.hash == (chainhash.Hash{}) || tmpl.chainID > 1<<31-1) {
			t.Errorf("%+v", tmpl)
		}
	})
}

// TestOneProofForABlock: a block is solved once; but not given up for a proof that got
// lost, or for the first that is refused.
func TestOneProofForABlock(t *testing.T) {
	for _, tc := range []struct {
		name string
		ends []verdict
		more bool // wanted after them
	}{
		{"accepted", []verdict{accepted}, false},
		{"stale", []verdict{stale}, false},
		{"lost", []verdict{unsettled, unsettled, unsettled, unsettled}, true},
		{"refused", []verdict{rejected, rejected}, true},
		{"refused too often", []verdict{rejected, rejected, rejected}, false},
	} {
		b := new(block)
		for i, v := range tc.ends {
			if !b.wanted() || !b.take() || b.wanted() || b.take() {
				t.Errorf("%s: proof %d", tc.name, i)
			}
			b.release(v)
		}
		if got := b.wanted(); got != tc.more || b.take() != got {
			t.Errorf("%s: another is taken: %v", tc.name, got)
		}
	}
}

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Unix(1, 0)
	if !l.allow(now, time.Minute) || l.allow(now.Add(59*time.Second), time.Minute) || !l.allow(now.Add(time.Minute), time.Minute) {
		t.Error("not one a minute")
	}
}
