package stratum

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// regtestAddr is an address that can be paid.
const regtestAddr = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

func TestParsePassword(t *testing.T) {
	for text, want := range map[string]password{
		"":                      {},
		"x":                     {},
		"d=1024":                {start: 1024},
		"x, diff=0.5":           {start: 0.5},
		"D=1e6;md=5":            {start: 1e6, least: 5},
		"md=500000":             {least: 500000},
		"class=36,d=2":          {start: 2, class: share.Class36, classGiven: true},
		"class=13":              {wrong: "class=13 is not understood"},
		"d=":                    {wrong: "d= is not understood"},
		"d=-1,md=7":             {least: 7, wrong: "d=-1 is not understood"},
		"d=NaN":                 {wrong: "d=NaN is not understood"},
		"md=1e999":              {wrong: "md=1e999 is not understood"},
		"add=5,class,difficult": {wrong: "class is not understood"},
		"c=BTC,mc=x,stratum":    {},
	} {
		if got := parsePassword(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func FuzzParsePassword(f *testing.F) {
	for _, s := range []string{"x", "d=1,md=2;class=12", "class=\"", "d=1e400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := parsePassword(text)
		if p.start < 0 || p.least < 0 || p.start > maxSuggested || p.least > maxSuggested || !p.class.Valid() {
			t.Fatalf("%q: %+v", text, p)
		}
		for _, c := range []byte(p.wrong) {
			if c < ' ' || c > '~' || c == '"' {
				t.Fatalf("%q: says %q", text, p.wrong)
			}
		}
	})
}

// TestWhoDecidesTheDifficulty: the user before the client, the client before the worker's
// previous session, that before what is known of the device.
func TestWhoDecidesTheDifficulty(t *testing.T) {
	const suggest = `{"id":9,"method":"mining.suggest_difficulty","params":[77]}`
	subscribe := func(agent string) string { return `{"id":1,"method":"mining.subscribe","params":["` + agent + `"]}` }
	authorize := func(user, password string) string {
		return `{"id":2,"method":"mining.authorize","params":["` + user + `","` + password + `"]}`
	}
	tests := []struct {
		name  string
		lines []string
		want  float64
	}{
		{"server", []string{subscribe("new/1"), authorize("x", "x")}, 1024},
		{"device", []string{subscribe("bitaxe/1"), authorize("x", "x")}, 512},
		{"past", []string{subscribe("bitaxe/1"), authorize("known", "x")}, 300},
		{"past of another device", []string{subscribe("bitaxe/2"), authorize("known", "x")}, 512},
		{"client", []string{subscribe("bitaxe/1"), suggest, authorize("known", "x")}, 77},
		{"client, first of all", []string{suggest, subscribe("bitaxe/1"), authorize("known", "x")}, 77},
		{"client, last of all", []string{subscribe("bitaxe/1"), authorize("known", "x"), suggest}, 77},
		{"user", []string{subscribe("bitaxe/1"), authorize("known", "d=55"), suggest}, 55},
		{"user, by name", []string{suggest, authorize(regtestAddr+"+44", "x"), subscribe("bitaxe/1")}, 44},
		{"user, by password rather than name", []string{suggest, subscribe("bitaxe/1"), authorize(regtestAddr+"+44", "d=33")}, 33},
		{"rental service's least", []string{subscribe("NiceHash/1.0.0"), authorize("known", "d=55"), suggest}, 524288},
		{"user's least", []string{subscribe("bitaxe/1"), authorize("x", "md=5000"), suggest}, 5000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newFakeWork(0, hard), nil)
				defer h.stop()
				worker := h.server.deps.registry.connect(identity{worker: "known"}, "", 0, time.Now())
				worker.past = past{userAgent: "bitaxe/1", difficulty: 300, at: time.Now()}
				c := h.connect()
				c.send(test.lines...)
				for range test.lines {
					c.line()
				}
				if j := c.job(); j.difficulty != test.want {
					t.Errorf("difficulty %g, want %g", j.difficulty, test.want)
				}
				// A suggestion does not move what the user wanted later either.
				c.send(suggest)
				c.line()
				if j := c.job(); j.difficulty == 77 && test.want < 77 {
					t.Errorf("then %g", j.difficulty)
				}
				c.conn.Close()
			})
		})
	}
}

// TestPastIsForgotten: after a day, a machine is sought anew.
func TestPastIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		c.login("rig")
		synctest.Wait()
		for _, s := range h.server.sessions() {
			s.mu.Lock()
			s.vardiff.settled = 4321
			s.mu.Unlock()
		}
		c.conn.Close()
		synctest.Wait()
		c = h.connect()
		if j := c.login("rig"); j.difficulty != 4321 {
			t.Errorf("difficulty %g, want that of the previous session", j.difficulty)
		}
		c.conn.Close()
		time.Sleep(pastAge + time.Minute)
		c = h.connect()
		if j := c.login("rig"); j.difficulty != 1024 {
			t.Errorf("difficulty %g after a day", j.difficulty)
		}
		c.conn.Close()
	})
}

// TestPasswordClass: the user's class prevails; a wrong one is said with the first job.
func TestPasswordClass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		for i, lines := range [][]string{
			{`{"id":1,"method":"mining.subscribe","params":["cpuminer/2"]}`, `{"id":2,"method":"mining.authorize","params":["a","class=36"]}`},
			{`{"id":2,"method":"mining.authorize","params":["b","class=144"]}`, `{"id":1,"method":"mining.subscribe","params":["cpuminer/2"]}`},
			{`{"id":1,"method":"mining.subscribe","params":["cpuminer/2"]}`, `{"id":2,"method":"mining.authorize","params":["c","class=37"]}`},
		} {
			c := h.connect()
			c.send(lines...)
			c.line()
			c.line()
			c.job()
			if i == 2 {
				c.want(`{"id":null,"method":"client.show_message","params":["in the password, class=37 is not understood"]}`)
			}
			class := share.Class(0)
			for _, s := range h.server.sessions() {
				s.mu.Lock()
				class = s.class
				s.mu.Unlock()
			}
			if want := []share.Class{share.Class36, share.Class144, share.Class288}[i]; class != want {
				t.Errorf("%s: class %v, want %v", lines[1], class, want)
			}
			c.conn.Close()
			synctest.Wait()
		}
	})
}

// TestProxyAuthorizesManyWorkers: a proxy authorizes all its workers on one connection, as long as they
// have one payee; each has its own statistics.
func TestProxyAuthorizesManyWorkers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		j := c.login(regtestAddr + ".a")
		c.send(`{"id":3,"method":"mining.authorize","params":["`+regtestAddr+`.b","x"]}`,
			`{"id":3,"method":"mining.authorize","params":["`+regtestAddr+`.b","x"]}`,
			`{"id":4,"method":"mining.authorize","params":["another","x"]}`)
		c.want(`{"id":3,"result":true,"error":null}`, `{"id":3,"result":true,"error":null}`,
			rejectedWith("24", "this connection already mines for another address; open one connection for each"))
		nonce := uint32(0)
		for user, want := range map[string]string{
			regtestAddr + ".a": accepted, regtestAddr + ".b": accepted, "another": rejectedWith("24", "unauthorized worker"),
		} {
			nonce = j.solve(t, easy, nonce+1, true)
			c.send(j.submitLine(user, nonce))
			c.want(want)
		}
		for _, w := range h.server.Workers() {
			if w.Accepted != 1 || w.Connections != 1 {
				t.Errorf("%+v", w)
			}
		}
		c.conn.Close()
	})
}

// TestCkpoolWorkerMismatch: a name that was not authorized is refused, with the same address,
// too.
func TestCkpoolWorkerMismatch(t *testing.T) {
	runReplay(t, 1, `
		> {"id":1,"method":"mining.subscribe","params":[]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id":2,"method":"mining.authorize","params":["$ADDR.a","x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		mine plain
		> {"id":4,"method":"mining.submit","params":["$ADDR.b","$JOB","$E2","$NTIME","$NONCE"]}
		rejected 24 unauthorized worker
		> {"id":4,"method":"mining.submit","params":["$ADDR","$JOB","$E2","$NTIME","$NONCE"]}
		rejected 24 unauthorized worker
		> {"id":4,"method":"mining.submit","params":["$ADDR.a","$JOB","$E2","$NTIME","$NONCE"]}
		accepted
		`)
}

// TestAvalonAndWhatsminerClipNames: firmware that clips long user names in submissions is understood.
func TestAvalonAndWhatsminerClipNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		user := regtestAddr + "." + strings.Repeat("worker", 20)
		j := c.login(user)
		nonce := uint32(0)
		for length, want := range map[int]string{
			63: accepted, 127: accepted, len(user): accepted, 64: rejectedWith("24", "unauthorized worker"), 44: rejectedWith("24", "unauthorized worker"),
		} {
			nonce = j.solve(t, easy, nonce+1, true)
			c.send(j.submitLine(user[:length], nonce))
			if got := c.line(); got != want {
				t.Errorf("%d bytes of the name: %s, want %s", length, got, want)
			}
		}
		c.conn.Close()
	})
}

// TestInvalidAddressPolicy: with NodeForInvalid who types an address that cannot be paid
// mines for the node, and is told; one that can be is never passed over.
func TestInvalidAddressPolicy(t *testing.T) {
	const mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	const first, number = "put the address first: ADDRESS.worker", "what follows + or / behind the address must be a difficulty; for a worker's name use ADDRESS.worker"
	for user, want := range map[string]string{
		mainnet + ".rig":                     "address " + mainnet + " belongs to Bitcoin's mainnet, this pool runs on regtest; you mine for the node's owner",
		"rig." + mainnet:                     first + "; you mine for the node's owner",
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb looks like an address but is not a valid one of Bitcoin's regtest; check it for typing errors; you mine for the node's owner",
		"rig." + regtestAddr:                 first,
		regtestAddr + "+rig":                 number,
		mainnet + "." + regtestAddr:          "address " + mainnet + " belongs to Bitcoin's mainnet, this pool runs on regtest",
	} {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, hard), func(c *Config) { c.NodeForInvalid = true })
			defer h.stop()
			c := h.connect()
			defer c.conn.Close()
			c.send(`{"id":1,"method":"mining.subscribe"}`, `{"id":4,"method":"mining.authorize","params":["`+user+`","x"]}`)
			c.line()
			if !strings.HasSuffix(want, "owner") {
				c.want(rejectedWith("24", want))
				return
			}
			c.want(`{"id":4,"result":true,"error":null}`)
			c.job()
			c.want(`{"id":null,"method":"client.show_message","params":["` + want + `"]}`)
			if w := h.server.Workers()[0]; w.Payee != nil || w.Address != "" || w.Worker != user {
				t.Errorf("%+v", w)
			}
		})
	}
	cfg := testConfig("127.0.0.1:0")
	cfg.NodeForInvalid, cfg.Payees = true, nil
	if _, err := New(cfg); err == nil {
		t.Error("without an address of the node's own the policy is accepted")
	}
}
