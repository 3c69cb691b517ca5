package stratum

import (
	"io"
	"strings"
	"testing"
	"time"
)

// What comes when: answers, difficulties and jobs.

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

// TestCpuminerHearsEveryHalfMinute: cpuminer gives up after two minutes of silence, others
// after one; so something comes every half a minute, with work and without.
func TestCpuminerHearsEveryHalfMinute(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		c.login("rig")
		heard := time.Now()
		listen := func(what string) {
			for range 30 {
				c.line()
				if silence := time.Since(heard); silence > 30*time.Second {
					t.Fatalf("silence of %v %s", silence, what)
				}
				heard = time.Now()
			}
		}
		listen("with work")
		h.source.set(nil, "bitcoind does not answer")
		listen("without work")
	})
}

// TestCgminerFirstJobIsClean: it drops what it has of a former connection, be the first job
// there at once or later.
func TestCgminerFirstJobIsClean(t *testing.T) {
	for _, later := range []bool{false, true} {
		scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
			if later {
				h.source.set(nil, "bitcoind does not answer")
				time.Sleep(2 * tickEvery)
			}
			c.send(`{"id":1,"method":"mining.subscribe","params":["cgminer/4.11.1"]}`, `{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
			c.line()
			c.want(`{"id":2,"result":true,"error":null}`)
			if later {
				c.want(`{"id":null,"method":"client.show_message","params":["no work at the moment: bitcoind does not answer"]}`)
				h.source.set(newFakeWork(0, hard), "")
			}
			if j := c.job(); !j.clean || j.difficulty == 0 {
				t.Errorf("later %v: %+v", later, j)
			}
		})
	}
}

// TestCgminerDifficultyComesBeforeItsJob: it applies a difficulty to the job behind it.
func TestCgminerDifficultyComesBeforeItsJob(t *testing.T) {
	runWorkReplay(t, `
		login cgminer/4.11.1
		suggest 1024
		suggest 512
		ping
		tip
		job clean
		`)
}

// TestESPDifficultyBringsAJob: ESP-Miner applies a difficulty to jobs whose id it does not
// know. Some versions begin the same work again unless clean_jobs is set: the new job is of
// another second, so that they find other headers.
func TestESPDifficultyBringsAJob(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
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

// TestESPOldWorkKeepsItsDifficulty: what it is still working on when the difficulty rises is
// good at the old one, and only that.
func TestESPOldWorkKeepsItsDifficulty(t *testing.T) {
	runWorkReplay(t, `
		login bitaxe/BM1370/v2.9.0
		suggest 1000
		mine old
		> $OLDSUBMIT
		accepted
		mine plain
		> $SUBMIT
		rejected 23 high-hash
		# Some apply a lower one to what they have.
		suggest 0.00000001
		suggest 0.00000000372523
		mine old
		> $OLDSUBMIT
		accepted
		`)
}

// TestCgminerPong: its answer to a ping has no method, and gets no answer.
func TestCgminerPong(t *testing.T) {
	testPong(t, "cgminer/4.11.1", `{"id": 7, "result": "pong", "error": null}`)
}

// TestESPPong: that of a Bitaxe is a method with an id, and gets none either.
func TestESPPong(t *testing.T) {
	testPong(t, "bitaxe/BM1370/v2.9.0", `{"id": 7, "method": "pong", "params": []}`)
}

// testPong sends pongs before and after the login, more than what makes no sense is let pass.
func testPong(t *testing.T, agent, answer string) {
	t.Helper()
	runReplay(t, 1, "> "+answer+"\nlogin "+agent+"\n"+strings.Repeat("> "+answer+"\n", 2*junkBurst)+"ping")
}

// TestCgminerReconnects: when the server stops, clients that honour it are asked to come
// back. No host is named: cgminer follows to hosts of the same domain only.
func TestCgminerReconnects(t *testing.T) {
	for agent, honours := range map[string]bool{
		"cgminer/4.11.1": true, "bitaxe/BM1370/v2.9.0": true, "cpuminer/2.5.1": false, "NerdMinerV2/1.8.1": false,
	} {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, hard), nil)
			v := h.visit(agent, "", "rig")
			said := make(chan string)
			go func() {
				rest, _ := io.ReadAll(v.r)
				said <- string(rest)
			}()
			h.stop()
			if got := <-said; got != strings.Repeat(`{"id":null,"method":"client.reconnect","params":[]}`+"\n", map[bool]int{true: 1}[honours]) {
				t.Errorf("%s: %q", agent, got)
			}
		})
	}
}
