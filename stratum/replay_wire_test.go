package stratum

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// These tests, in replay_*_test.go, are about single rules of the protocol as it is spoken.
// Each is named after a client that breaks without it. Here: lines, and what may be in them.

// everyRequest calls f with a request for each method that clients call, and for some that
// none should, with right and wrong parameters.
func everyRequest(f func(id int, line string)) {
	id := 100
	for _, method := range []string{
		"mining.subscribe", "mining.authorize", "mining.configure", "mining.submit", "mining.extranonce.subscribe",
		"mining.suggest_difficulty", "mining.suggest_difficulty(5)", "mining.suggest_target", "mining.capabilities", "mining.get_transactions",
		"mining.get_txnhashes", "mining.ping", "client.ping", "mining.term", "mining.multi_version", "mining.test_pool", "client.get_version",
		"mining.notify", "eth_submitLogin", "login", " ", "MINING.SUBSCRIBE", `\"\\`,
	} {
		for _, params := range []string{"", `,"params":[]`, `,"params":null`, `,"params":{"a":1}`, `,"params":"x"`, `,"params":["\u0000\n"]`,
			`,"params":[["info"]]`, `,"params":[null,null,null,null,null,null,null,null,null]`} {
			id++
			f(id, fmt.Sprintf(`{"id":%d,"method":"%s"%s}`, id, method, params))
		}
	}
}

// TestCpuminerReadsOneObjectALine: whatever is said, each line is one object in printable
// ASCII.
func TestCpuminerReadsOneObjectALine(t *testing.T) {
	s := newTestSession(t)
	object := regexp.MustCompile(`^\{[ -~]+\}\n$`)
	check := func(said string) {
		for line := range strings.Lines(said) {
			if !object.MatchString(line) || !json.Valid([]byte(line)) {
				t.Errorf("%q", line)
			}
		}
	}
	everyRequest(func(_ int, line string) { check(ask(t, s, line)) })
	s.note("\"\\\r\n\u00fc")
	s.sendJob(s.lastHeard)
	s.bye()
	check(string(s.out.pending))
}

// TestCgminerFindsResultAndError: cgminer and cpuminer look at both, of which one is null
// or, in a refusal, false.
func TestCgminerFindsResultAndError(t *testing.T) {
	s := newTestSession(t)
	everyRequest(func(_ int, line string) {
		said := strings.TrimSuffix(ask(t, s, line), "\n")
		if !replyForm.MatchString(said) {
			t.Fatalf("%s: %s", line, said)
		}
		var reply struct{ Result, Error json.RawMessage }
		if err := json.Unmarshal([]byte(said), &reply); err != nil {
			t.Fatal(err)
		}
		if failed := isNull(reply.Result) || string(reply.Result) == resultFalse; failed == isNull(reply.Error) {
			t.Errorf("%s: %s", line, said)
		}
	})
}

// TestAvalonGetsEveryAnswer: an unanswered request keeps Avalons and cgminer waiting for a
// minute. What servers never heard of is refused, and the connection goes on.
func TestAvalonGetsEveryAnswer(t *testing.T) {
	s := newTestSession(t)
	everyRequest(func(id int, line string) {
		if said := ask(t, s, line); !strings.HasPrefix(said, fmt.Sprintf(`{"id":%d,"result":`, id)) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: %s", line, said)
		}
	})
}

// TestBfgminerIDs: whatever a client uses for an id comes back as it was.
func TestBfgminerIDs(t *testing.T) {
	var script strings.Builder
	for _, id := range []string{`0`, `-1`, `4`, `1.50`, `1e3`, `18446744073709551616`, `"auth"`, `"\u0061\"\\"`, `""`, `true`, `[ 1 ]`, `{"a": null}`} {
		fmt.Fprintf(&script, "> {\"id\": %s, \"method\": \"mining.ping\"}\n< {\"id\":%s,\"result\":\"pong\",\"error\":null}\n", id, id)
	}
	// No id, no answer.
	script.WriteString("> {\"id\": null, \"method\": \"mining.ping\"}\n> {\"method\": \"mining.nonsense\", \"params\": [1]}\nping")
	runReplay(t, 1, script.String())
}

// TestCpuminerSubmitsWithOneID: all of its submissions have the id 4, also those that it does
// not wait for the answers of; these come in order.
func TestCpuminerSubmitsWithOneID(t *testing.T) {
	runReplay(t, 1, `
		login cpuminer/2.5.1
		mine plain
		> $SUBMIT
		> $SUBMIT
		> {"method": "mining.submit", "params": ["rig", "ffff", "$E2", "$NTIME", "$NONCE"], "id":4}
		accepted
		rejected 22 duplicate
		rejected 21 unknown-work
		mine plain
		> $SUBMIT
		accepted
		`)
}

// TestBfgminerLongLine: its mining.capabilities names all algorithms that it knows. Lines of
// 16 KiB are understood, what is longer ends the connection.
func TestBfgminerLongLine(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		const begin, end = `{"id":1,"method":"mining.capabilities","params":[{"malgo":"`, `"}]}`
		line := func(length int) string { return begin + strings.Repeat("a", length-len(begin+end)) + end }
		for _, length := range []int{250, 1024, 8192, 16 << 10} {
			c.send(line(length))
			c.want(`{"id":1,"result":true,"error":null}`)
		}
		go c.conn.Write([]byte(line(16<<10+1) + "\n"))
		c.want(`{"id":null,"result":null,"error":[20,"line longer than 16384 bytes",null]}`)
		if _, err := c.r.ReadByte(); err == nil {
			t.Error("the connection is still open")
		}
	})
}

// TestNerdMinerHoldsTheLine: it has 4,096 bytes for a message, cgminer twice as many. A job of
// the smallest class fits, be the block as full as it can.
func TestNerdMinerHoldsTheLine(t *testing.T) {
	work := newPayoutWork(0, 2000)
	work.job.Branch = make([]chainhash.Hash, maxBranch)
	scene(t, work, nil, func(t *testing.T, h *harness, c *client) {
		c.send(`{"id":1,"method":"mining.subscribe","params":["NerdMinerV2/1.8.1"]}`, `{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
		longest := 0
		for range 4 {
			longest = max(longest, len(c.line())+1)
		}
		if longest > 4096 || longest < 2*700 { // of hex alone
			t.Errorf("a line of %d bytes", longest)
		}
	})
}

// TestCgminerExtranonceSizes: cgminer and Whatsminers fail above 8 bytes of their own, Avalons
// below 3, NiceHash below 4, and several with none of the server's.
func TestCgminerExtranonceSizes(t *testing.T) {
	s := newTestSession(t)
	var reply struct{ Result []any }
	if err := json.Unmarshal([]byte(ask(t, s, `{"id":1,"method":"mining.subscribe"}`)), &reply); err != nil {
		t.Fatal(err)
	}
	if e1 := reply.Result[1].(string); !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(e1) || reply.Result[2] != 8.0 {
		t.Errorf("%s and %v bytes", e1, reply.Result[2])
	}
}
