package stratum

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// These tests are about single rules of the protocol as it is spoken. Each is named after
// a client that breaks without it.

// TestBfgminerIDs: whatever a client uses for an id comes back as it was.
func TestBfgminerIDs(t *testing.T) {
	var script strings.Builder
	for _, id := range []string{`0`, `-1`, `4`, `1.50`, `1e3`, `18446744073709551616`, `"auth"`, `"\u0061\"\\"`, `""`, `true`, `[ 1 ]`, `{"a": null}`} {
		fmt.Fprintf(&script, "> {\"id\": %s, \"method\": \"mining.ping\"}\n< {\"id\":%s,\"result\":\"pong\",\"error\":null}\n", id, id)
	}
	// No id, no answer.
	script.WriteString("> {\"id\": null, \"method\": \"mining.ping\"}\n> {\"method\": \"mining.nonsense\", \"params\": [1]}\n> {\"id\":1,\"method\":\"mining.ping\"}\n< {\"id\":1,\"result\":\"pong\",\"error\":null}\n")
	runReplay(t, 1, script.String())
}

// TestCpuminerSubscribeAnswerIsNext: cpuminer and NerdMiner take the next line for the answer
// to subscribe, whatever happens meanwhile and in whatever order they come.
func TestCpuminerSubscribeAnswerIsNext(t *testing.T) {
	runReplay(t, 1, `
		> {"id": 2, "method": "mining.authorize", "params": ["rig", "x"]}
		< {"id":2,"result":true,"error":null}
		tip
		wait 55s
		> {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}
		< {"id":1,"result":$SUB,"error":null}
		difficulty 0.00000000372523
		job clean
		`)
	runReplay(t, 1, `
		> {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}
		< {"id":1,"result":$SUB,"error":null}
		tip
		wait 55s
		> {"id": 2, "method": "mining.authorize", "params": ["rig", "x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		`)
}

// TestCgminerConfigureAnswerIsNext: the same for configure. Nothing about the mask follows
// it either, which once crashed a Bitaxe.
func TestCgminerConfigureAnswerIsNext(t *testing.T) {
	runReplay(t, 1, `
		tip
		> {"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		tip
		wait 30s
		> {"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}
		< {"id":1,"result":$SUB,"error":null}
		`)
}

// TestLateConfigure: a mask agreed on in the middle of a session holds for later jobs.
func TestLateConfigure(t *testing.T) {
	runReplay(t, 1, `
		> {"id": 1, "method": "mining.subscribe", "params": []}
		> {"id": 2, "method": "mining.authorize", "params": ["rig", "x"]}
		< {"id":1,"result":$SUB,"error":null}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		> {"id": 3, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "00006000"}]}
		< {"id":3,"result":{"version-rolling":true,"version-rolling.mask":"00006000"},"error":null}
		mine or
		share
		job
		> {"id": 4, "method": "mining.submit", "params": ["rig", "$OLDJOB", "$E2", "$OLDNTIME", "$NONCE", "$VBITS"]}
		< {"id":4,"result":true,"error":null}
		> {"id": 5, "method": "mining.submit", "params": ["rig", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		< {"id":5,"result":false,"error":[20,"bad-version",null]}
		`)
}

// TestAvalonGetsEveryAnswer: an unanswered request keeps Avalons and cgminer waiting for a
// minute. What servers never heard of is refused, and the connection goes on.
func TestAvalonGetsEveryAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		for i, method := range []string{
			"mining.subscribe", "mining.authorize", "mining.configure", "mining.submit", "mining.extranonce.subscribe",
			"mining.suggest_difficulty", "mining.suggest_difficulty(5)", "mining.suggest_target", "mining.capabilities", "mining.get_transactions",
			"mining.get_txnhashes", "mining.ping", "client.ping", "mining.term", "mining.multi_version", "mining.test_pool", "client.get_version",
			"mining.notify", "eth_submitLogin", "login", "", " ", "MINING.SUBSCRIBE",
		} {
			if method == "" {
				continue // is what has no method, which is an answer
			}
			for j, params := range []string{"", `,"params":[]`, `,"params":null`, `,"params":{"a":1}`, `,"params":"x"`, `,"params":[null,null,null,null,null,null,null,null,null]`} {
				id := 100*i + j
				c.send(fmt.Sprintf(`{"id":%d,"method":"%s"%s}`, id, method, params))
				for {
					line := c.line()
					if strings.HasPrefix(line, fmt.Sprintf(`{"id":%d,"result":`, id)) {
						break
					}
					if !strings.Contains(line, "mining.set_difficulty") && !strings.Contains(line, "mining.notify") {
						t.Fatalf("%s%s: %s", method, params, line)
					}
				}
				time.Sleep(2 * time.Second) // what makes no sense is limited
			}
		}
	})
}

// TestCpuminerHearsEveryHalfMinute: cpuminer gives up after two minutes of silence, others
// after one; so something comes every half a minute, with work and without.
func TestCpuminerHearsEveryHalfMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		c.login("rig")
		heard := time.Now()
		for range 30 {
			c.line()
			if silence := time.Since(heard); silence > 30*time.Second {
				t.Fatalf("silence of %v", silence)
			}
			heard = time.Now()
		}
		h.source.set(nil, "bitcoind does not answer")
		for range 30 {
			c.line()
			if silence := time.Since(heard); silence > 30*time.Second {
				t.Fatalf("silence of %v without work", silence)
			}
			heard = time.Now()
		}
	})
}

// TestESPDifficultyBringsAJob: ESP-Miner applies a difficulty to jobs whose id it does not
// know. Some versions begin the same work again unless clean_jobs is set: the new job is of
// another second, so that they find other headers.
func TestESPDifficultyBringsAJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		j := c.login("rig")
		for _, d := range []string{"2000", "100.5", "0.25"} {
			c.send(`{"id":5,"method":"mining.suggest_difficulty","params":[` + d + `]}`)
			c.want(`{"id":5,"result":true,"error":null}`)
			next := c.job()
			if next.difficulty == 0 || next.id == j.id || next.ntime == j.ntime || next.clean {
				t.Errorf("after a suggestion of %s: %+v", d, next)
			}
			j = next
		}
	})
}

// TestESPWorkUsedTwiceIsDuplicate: the same header is a duplicate under whichever job it
// comes.
func TestESPWorkUsedTwiceIsDuplicate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		j := c.login("rig")
		next := c.job()
		next.extranonce1 = j.extranonce1
		nonce := next.solve(t, easy, 0, true)
		c.send(next.submitLine("rig", nonce))
		c.want(accepted)
		rolled := j
		rolled.ntime = next.ntime // the old job with its time rolled
		c.send(rolled.submitLine("rig", nonce))
		c.want(rejectedWith("22", "duplicate"))
		// Another connection's is another header.
		other := h.connect()
		defer other.conn.Close()
		theirs := other.login("rig")
		if theirs.extranonce1 == j.extranonce1 {
			t.Error("two connections with one extranonce")
		}
	})
}

// TestASICsRollTime: from the earliest that Bitcoin allows to 7,000 s ahead.
func TestASICsRollTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		j := c.login("rig")
		for ntime, want := range map[uint32]string{
			fakeTime - 101: rejectedWith("20", "time-too-old"), fakeTime - 100: accepted, fakeTime + 7000: accepted,
			fakeTime + 7001: rejectedWith("20", "time-too-new"), 0: rejectedWith("20", "time-too-old"), 0xffffffff: rejectedWith("20", "time-too-new"),
		} {
			rolled := j
			rolled.ntime = string(appendUint32(nil, ntime))
			c.send(rolled.submitLine("rig", rolled.solve(t, easy, 0, true)))
			if got := c.line(); got != want {
				t.Errorf("%d: %s, want %s", int64(ntime)-int64(fakeTime), got, want)
			}
		}
	})
}

// TestS9ReadsWholeDifficulties: firmware that reads an integer is never given less than one
// with a fraction.
func TestS9ReadsWholeDifficulties(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		c.send(`{"id":1,"method":"mining.subscribe","params":["bmminer/2.0.0"]}`, `{"id":2,"method":"mining.authorize","params":["rig","d=0.5"]}`)
		c.line()
		c.line()
		for range 20 { // it finds nothing for minutes
			line := c.line()
			if strings.Contains(line, "mining.set_difficulty") && !strings.Contains(line, `"params":[256]`) {
				t.Fatal(line)
			}
		}
	})
}

// TestConfigureAnswersAreObjects: an answer has each extension once, whatever was asked for.
func TestConfigureAnswersAreObjects(t *testing.T) {
	for params, want := range map[string]string{
		`[["version-rolling","version-rolling"],{}]`: `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`,
		`[["version-rolling"]]`:                      `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`,
		`[[],{}]`:                                    `{}`,
		`[["minimum-difficulty"],{"minimum-difficulty.value":2048}]`:                                   `{"minimum-difficulty":false}`,
		`[["minimum-difficulty","info"],{"minimum-difficulty.value":"x"}]`:                             `{"minimum-difficulty":false,"info":true}`,
		`[["version-rolling"],{"version-rolling.mask":"00000001"}]`:                                    `{"version-rolling":false}`,
		`[["version-rolling"],{"version-rolling.mask":"e000"}]`:                                        `{"version-rolling":true,"version-rolling.mask":"0000e000"}`,
		`[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]`: `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`,
		`[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":17}]`: `{"version-rolling":false}`,
		`[["version-rolling"],{"version-rolling.min-bit-count":-5}]`:                                   `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`,
		`[["version-rolling"],{"version-rolling.min-bit-count":1e99}]`:                                 `{"version-rolling":false}`,
		`[["version-rolling"],{"version-rolling.mask":7}]`:                                             `{"version-rolling":false}`,
		`[["a\"b","a\"b","subscribe-extranonce"],{"x":[]}]`:                                            `{"a\"b":false,"subscribe-extranonce":true}`,
	} {
		s := newTestSession(t)
		if _, err := s.handle(t.Context(), []byte(`{"id":1,"method":"mining.configure","params":`+params+`}`), time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(s.out.pending)); got != `{"id":1,"result":`+want+`,"error":null}` {
			t.Errorf("%s: %s", params, got)
		}
	}
}

// TestGarbageEndsNothing: lines that are malformed, of the wrong types, or hold impossible
// numbers, are answered or ignored, and the session goes on.
func TestGarbageEndsNothing(t *testing.T) {
	s := newTestSession(t)
	deep := strings.Repeat("[", 8000) + strings.Repeat("]", 8000)
	huge := "1" + strings.Repeat("0", 10_000)
	for _, line := range []string{
		`{`, `}`, `[]`, `null`, `"x"`, `1`, `{]`, `{"id":1,}`, `{"id":1 "method":"a"}`, `{"method":{}}`, `{"id":1,"method":1}`, `{"id":1,"method":["a"]}`,
		`{"params":[` + deep + `]}`, `{"id":` + deep + `,"method":"mining.ping"}`, `{"id":1,"method":"mining.submit","params":` + deep + `}`,
		`{"id":1,"method":"mining.submit","params":[[],{},1,true,null,-1]}`, `{"id":1,"method":"mining.submit","params":["x","10",5,6,7]}`,
		`{"id":1,"method":"mining.submit","params":["x","-10","0000000000000001","00000000","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","99999999999999999999","0000000000000001","00000000","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","000000000000000g","386d4380","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d43800","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380",""]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","-1"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","00000000","fffffffff"]}`,
		`{"id":1,"method":"mining.suggest_difficulty","params":[` + huge + `]}`, `{"id":1,"method":"mining.suggest_difficulty","params":[-` + huge + `]}`,
		`{"id":1,"method":"mining.suggest_difficulty","params":[1e-400]}`, `{"id":1,"method":"mining.suggest_difficulty","params":[[]]}`,
		`{"id":1,"method":"mining.suggest_difficulty(1e999)","params":[]}`, `{"id":1,"method":"mining.suggest_difficulty(","params":[]}`,
		`{"id":1,"method":"mining.suggest_target","params":["` + strings.Repeat("0", 64) + `"]}`, `{"id":1,"method":"mining.suggest_target","params":[0]}`,
		`{"id":1,"method":"mining.configure","params":[{},[]]}`, `{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"` + huge + `"}]}`,
		`{"id":1,"method":"mining.authorize","params":[{"a":1},[]]}`, `{"id":1,"method":"mining.authorize","params":["` + huge + `"]}`,
		`{"id":1,"method":"mining.subscribe","params":[["x"],-1]}`, `{"id":` + huge + `,"method":"mining.ping"}`,
		"{\"id\":1,\"method\":\"mining.ping\xff\xfe\"}", "\x00\x01\x02\x16\x03\x01", "\xff\xff\xff\xff", "{\"id\":\"\x7f\xc3\x28\",\"method\":\"mining.ping\"}",
		`{"id":1,"method":"mining.ping","id":2}`, `{"\u0069d":1,"method":"mining.ping"}`, "GET / HTTP/1.1", "\r", " \t ",
	} {
		s.messages.tokens, s.junk.tokens = messageBurst, junkBurst
		if _, err := s.handle(t.Context(), []byte(line), time.Now()); err != nil {
			t.Errorf("%.60q: %v", line, err)
		}
		checkLines(t, s)
	}
	// It still mines.
	j := s.jobs.newest()
	for nonce := uint32(0); ; nonce++ {
		line := fmt.Sprintf(`{"id":4,"method":"mining.submit","params":["x","%x","0000000000000001","%08x","%08x"]}`, j.id, j.ntime, nonce)
		if _, err := s.handle(t.Context(), []byte(line), time.Now()); err != nil {
			t.Fatal(err)
		}
		got := string(s.out.pending)
		s.out.pending = s.out.pending[:0]
		s.messages.tokens = messageBurst
		if got == accepted+"\n" {
			break
		}
		if !strings.Contains(got, "high-hash") {
			t.Fatal(got)
		}
	}
}

// TestGigabyteLine: a line without an end is read no further than the limit.
func TestGigabyteLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		written := make(chan int)
		go func() {
			sum, chunk := 0, bytes.Repeat([]byte("{"), 4096)
			for sum < 1<<30 {
				n, err := c.conn.Write(chunk)
				sum += n
				if err != nil {
					break
				}
			}
			written <- sum
		}()
		c.want(`{"id":null,"result":null,"error":[20,"line longer than 16384 bytes",null]}`)
		if n := <-written; n > MaxLine+4096 {
			t.Errorf("%d bytes were read", n)
		}
		synctest.Wait()
		if n := h.server.Connections(); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// FuzzSession: whatever lines come in whatever packets, what goes out are whole objects, and
// each request with an id is answered once, in order.
func FuzzSession(f *testing.F) {
	f.Add([]byte("{\"id\":1,\"method\":\"mining.subscribe\"}\n{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"x\",\"d=5,class=36\"]}\n"), uint16(7))
	f.Add([]byte("{\"id\":0,\"method\":\"mining.configure\",\"params\":[[\"version-rolling\",\"minimum-difficulty\"],{\"minimum-difficulty.value\":1}]}\r\n"), uint16(0))
	f.Add([]byte("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\""+regtestAddr+"+5\",\"md=7\"]}\n{\"id\":3,\"method\":\"mining.subscribe\",\"params\":[\"NiceHash/1\"]}\n{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"x\",\"10\",\"0000000000000001\",\"386d4380\",\"00000000\"]}\n"), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, packet uint16) {
		server := newTestSession(t)
		s := newSession(server.deps, server.out, 2, time.Now())
		lines := newLineReader(&packets{data, int(packet%512) + 1})
		var ids []string
		for {
			line, err := lines.next()
			if err != nil {
				break
			}
			if req, err := parseRequest(line); len(bytes.TrimSpace(line)) > 0 && err == nil && req.id != nil && len(req.method) > 0 {
				ids = append(ids, string(req.id))
			}
			s.messages.tokens, s.junk.tokens = messageBurst, junkBurst
			if _, err := s.handle(t.Context(), line, time.Now()); err != nil {
				t.Fatal(err)
			}
			if !lines.buffered() {
				s.flush(time.Now())
			}
			s.tick(time.Now())
			answered(t, s, &ids)
		}
		if len(ids) > 0 && !strings.Contains(string(data), "pong") {
			t.Fatalf("unanswered: %q", ids)
		}
	})
}

// packets reads data in pieces.
type packets struct {
	data []byte
	size int
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, fmt.Errorf("end")
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

// answered takes the ids that were answered off the list.
func answered(t *testing.T, s *session, ids *[]string) {
	for line := range bytes.Lines(s.out.pending) {
		if !json.Valid(line) {
			t.Fatalf("sent %q", line)
		}
		if rest, ok := bytes.CutPrefix(line, []byte(`{"id":`)); ok && len(*ids) > 0 && bytes.HasPrefix(rest, []byte((*ids)[0]+`,"result":`)) {
			*ids = (*ids)[1:]
		}
	}
	s.out.pending = s.out.pending[:0]
}
