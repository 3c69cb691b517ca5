package stratum

import (
	"fmt"
	"strings"
	"testing"
)

// What clients ask for, and the answers that they can read.

// configured compares the answers of fresh sessions to mining.configure.
func configured(t *testing.T, want map[string]string) {
	t.Helper()
	for params, want := range want {
		if got := ask(t, newTestSession(t), `{"id":1,"method":"mining.configure","params":`+params+`}`); got != `{"id":1,"result":`+want+`,"error":null}`+"\n" {
			t.Errorf("%s: %s", params, got)
		}
	}
}

// TestBraiinsVersionRolling: Braiins OS stops without as many bits as it asks for, and takes
// a mask for granted that is both sides'. So may others, with other masks.
func TestBraiinsVersionRolling(t *testing.T) {
	const granted, refused = `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`, `{"version-rolling":false}`
	configured(t, map[string]string{
		`[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]`: granted,
		`[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":17}]`: refused,
		`[["version-rolling"],{"version-rolling.mask":"0000e000","version-rolling.min-bit-count":16}]`: refused,
		`[["version-rolling"],{"version-rolling.mask":"00c00000","version-rolling.min-bit-count":2}]`:  `{"version-rolling":true,"version-rolling.mask":"00c00000"}`,
		`[["version-rolling"],{"version-rolling.min-bit-count":-5}]`:                                   granted,
		`[["version-rolling"],{"version-rolling.min-bit-count":1e99}]`:                                 refused,
		`[["version-rolling"],{"version-rolling.mask":"ffffffff"}]`:                                    granted,
		`[["version-rolling"],{"version-rolling.mask":"00000001"}]`:                                    refused,
		`[["version-rolling"],{"version-rolling.mask":"e000"}]`:                                        `{"version-rolling":true,"version-rolling.mask":"0000e000"}`,
		`[["version-rolling"],{"version-rolling.mask":7}]`:                                             refused,
		`[["version-rolling"]]`: granted,
	})
}

// TestBitaxeAsksForBIP323: eight more bits than BIP 320 has are not granted to who asks for
// them, and not taken from who does not ask.
func TestBitaxeAsksForBIP323(t *testing.T) {
	runReplay(t, 1, `
		> {"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffffe0","version-rolling.min-bit-count":24}]}
		< {"id":1,"result":{"version-rolling":false},"error":null}
		> {"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffffe0","version-rolling.min-bit-count":16}]}
		< {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		login bitaxe/BM1370/v2.9.0
		> {"id":4,"method":"mining.submit","params":["rig","$JOB","$E2","$NTIME","00000000","00000020"]}
		rejected 20 bad-version
		`)
}

// TestApolloMinimumDifficultyAlone: one server was seen to answer it with what is no object.
// Each extension is answered once, in the client's order, whatever else it asks for.
func TestApolloMinimumDifficultyAlone(t *testing.T) {
	configured(t, map[string]string{
		`[["minimum-difficulty"],{"minimum-difficulty.value":2048}]`:       `{"minimum-difficulty":false}`,
		`[["minimum-difficulty"]]`:                                         `{"minimum-difficulty":false}`,
		`[["minimum-difficulty"],{"minimum-difficulty.value":1e-12}]`:      `{"minimum-difficulty":true}`, // every target keeps to it
		`[["minimum-difficulty","info"],{"minimum-difficulty.value":"x"}]`: `{"minimum-difficulty":false,"info":true}`,
		`[["version-rolling","version-rolling"],{}]`:                       `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`,
		`[["other","subscribe-extranonce","info","other"],{}]`:             `{"other":false,"subscribe-extranonce":true,"info":true}`,
		`[["a\"b","a\"b","subscribe-extranonce"],{"x":[]}]`:                `{"a\"b":false,"subscribe-extranonce":true}`,
		`[[],{}]`: `{}`,
	})
}

// TestProxyConfiguresLate: a mask that is agreed on at work, as by a proxy for a device behind
// it, holds for later jobs.
func TestProxyConfiguresLate(t *testing.T) {
	runReplay(t, 1, `
		login proxy/1
		> {"id": 3, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "00006000"}]}
		< {"id":3,"result":{"version-rolling":true,"version-rolling.mask":"00006000"},"error":null}
		mine or
		share
		job
		> {"id": 4, "method": "mining.submit", "params": ["rig", "$OLDJOB", "$E2", "$OLDNTIME", "$NONCE", "$VBITS"]}
		accepted
		> {"id": 4, "method": "mining.submit", "params": ["rig", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		rejected 20 bad-version
		`)
}

// TestEachClientSuggestsItsDifficulty: before the login or after it, as a number of any kind,
// a string, a target, or in the method's name.
func TestEachClientSuggestsItsDifficulty(t *testing.T) {
	const subscribe = `{"id":1,"method":"mining.subscribe","params":[]}`
	const authorize = `{"id":2,"method":"mining.authorize","params":["rig","x"]}`
	// Half of difficulty 1's target.
	const target2 = `000000007fff8000000000000000000000000000000000000000000000000000`
	for name, test := range map[string]struct {
		lines []string
		want  float64
	}{
		"cgminer":       {[]string{subscribe, authorize, `{"id": 3, "method": "mining.suggest_difficulty", "params": [42]}`}, 42},
		"old cgminer":   {[]string{subscribe, authorize, `{"id": 3, "method": "mining.suggest_difficulty(1024)", "params": []}`}, 1024},
		"BFGMiner":      {[]string{`{"id": null, "method": "mining.suggest_target", "params": ["` + target2 + `"]}`, subscribe, authorize}, 2},
		"BFGMiner late": {[]string{subscribe, authorize, `{"id": null, "method": "mining.suggest_difficulty", "params": [7]}`}, 7},
		"Bitaxe":        {[]string{subscribe, authorize, `{"id": 4, "method": "mining.suggest_difficulty", "params": [65535]}`}, 65535},
		"NerdMiner":     {[]string{subscribe, authorize, `{"id": 3, "method": "mining.suggest_difficulty", "params": [0.0001]}`}, 0.0001},
		"cpuminer-opt":  {[]string{subscribe, `{"id": 1, "method": "mining.suggest_difficulty", "params": ["0.002"]}`, authorize}, 0.002},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, newFakeWork(0, hard), easyDevices, func(t *testing.T, h *harness, c *client) {
				c.send(test.lines...)
				for _, line := range test.lines {
					if !strings.HasPrefix(line, `{"id": null`) {
						c.line()
					}
				}
				if j := c.job(); j.difficulty != test.want {
					t.Errorf("difficulty %g, want %g", j.difficulty, test.want)
				}
			})
		})
	}
}

// TestBfgminerSpeaksFirst: what it says before it subscribes has no id, and no answer comes
// before that to subscribe.
func TestBfgminerSpeaksFirst(t *testing.T) {
	runWorkReplay(t, `
		> {"id":null,"method":"mining.capabilities","params":[{"notify":[],"set_difficulty":{},"set_goal":[],"malgo":{"SHA256d":{}}}]}
		> {"id": null, "method": "mining.suggest_target", "params": ["zz"]}
		> {"id": null, "method": "mining.nonsense", "params": []}
		login bfgminer/5.5.0
		ping
		`)
}

// TestBfgminerProbesTransparency: it asks for the transactions of nearly every job. What is
// no list makes it say once that contents are hidden, at once: without an answer it would
// wait for 21 seconds. It never costs the connection.
func TestBfgminerProbesTransparency(t *testing.T) {
	for _, method := range []string{"mining.get_transactions", "mining.get_txnhashes"} {
		for _, params := range []string{`["$JOB"]`, `["ffff"]`, `[]`} {
			probe := fmt.Sprintf("> {\"params\": %s, \"id\": \"txlist$JOB\", \"method\": \"%s\"}\n", params, method) +
				"< {\"id\":\"txlist$JOB\",\"result\":null,\"error\":[20,\"not supported\",null]}\n"
			runReplay(t, 1, probe+"login bfgminer/5.5.0\n"+strings.Repeat(probe, 2*junkBurst)+"mine plain\n> $SUBMIT\naccepted")
		}
	}
}

// TestAntminerNotices: notices of old firmware and of proxies are answered, and change
// nothing.
func TestAntminerNotices(t *testing.T) {
	const notices = `
		> {"id": 7, "method": "mining.multi_version", "params": [1]}
		< {"id":7,"result":true,"error":null}
		> {"id": 8, "method": "mining.term", "params": []}
		< {"id":8,"result":true,"error":null}
		> {"id": 9, "method": "client.ping", "params": []}
		< {"id":9,"result":"pong","error":null}
		`
	runReplay(t, 1, notices+"login bmminer/2.0.0\n"+notices+"mine plain\n> $SUBMIT\naccepted")
}

// TestNiceHashExtranonceStays: it may ask to be told of another extranonce, at any time. There
// is never one.
func TestNiceHashExtranonceStays(t *testing.T) {
	const ask = `
		> {"id":3,"method":"mining.extranonce.subscribe","params":[]}
		< {"id":3,"result":true,"error":null}
		`
	runReplay(t, 1, ask+`
		login NiceHash/1.0.0
		`+ask+`
		tip
		job clean
		share
		job
		mine plain
		> $SUBMIT
		accepted
		ping
		`)
}

// TestNiceHashSubscribes: with the host and port that it connects to, or nothing at all, as
// others do.
func TestNiceHashSubscribes(t *testing.T) {
	for _, params := range []string{`["NiceHash/1.0.0",null,"pool.example",3333]`, `["NiceHash/1.0.0","","pool.example","3333"]`, `[]`, `[null]`, `null`, `{}`} {
		runReplay(t, 1, `
			> {"id":1,"method":"mining.subscribe","params":`+params+`}
			< {"id":1,"result":$SUB,"error":null}
			> {"id":2,"method":"mining.authorize","params":["rig"]}
			< {"id":2,"result":true,"error":null}
			`)
	}
}
