package stratum

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The first job of newFakeWork(0, …), with the rollable bits of its version
// 3fffe004 cleared.
const firstNotify = `{"id":null,"method":"mining.notify","params":["10",` +
	`"03020100070605040b0a09080f0e0d0c13121110171615141b1a19181f1e1d1c",` +
	`"0200000001","ff0000000000",` +
	`["0102030000000000000000000000000000000000000000000000000000000000",` +
	`"0405060000000000000000000000000000000000000000000000000000000000"],` +
	`"20000004","207fffff","386d4380",true]}`

const subscribeResult = `[[["mining.set_difficulty","5e5510ff00000001"],["mining.notify","5e5510ff00000001"]],"abcd0001",8]`

func TestHandshakes(t *testing.T) {
	tests := []struct {
		name   string
		writes []string // each is one packet
		want   [][]string
	}{{
		name: "cpuminer",
		writes: []string{
			`{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}` + "\n",
			`{"id": 2, "method": "mining.authorize", "params": ["x", "x"]}` + "\n",
			`{"method": "mining.extranonce.subscribe", "id": 3, "params": []}` + "\n",
		},
		want: [][]string{
			{`{"id":1,"result":` + subscribeResult + `,"error":null}`},
			{`{"id":2,"result":true,"error":null}`,
				`{"id":null,"method":"mining.set_difficulty","params":[0.01]}`, firstNotify},
			{`{"id":3,"result":true,"error":null}`},
		},
	}, {
		name: "configure first, as cgminer and bmminer",
		writes: []string{
			`{"id":0,"method":"mining.configure","params":[["version-rolling"],` +
				`{"version-rolling.mask":"ffffffff","version-rolling.min-bit-count":2}]}` + "\n",
			`{"id":1,"method":"mining.subscribe","params":["bmminer/2.0.0","session"]}` + "\n",
			`{"id":2,"method":"mining.authorize","params":["x","d=512"]}` + "\n",
		},
		want: [][]string{
			{`{"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}`},
			{`{"id":1,"result":` + subscribeResult + `,"error":null}`},
			{`{"id":2,"result":true,"error":null}`,
				`{"id":null,"method":"mining.set_difficulty","params":[512]}`, firstNotify},
		},
	}, {
		name: "pipelined, as ESP-Miner",
		writes: []string{
			`{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}` + "\n" +
				`{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.9.0"]}` + "\n" +
				`{"id":3,"method":"mining.authorize","params":["x","x"]}` + "\n" +
				`{"id":4,"method":"mining.suggest_difficulty","params":[1000]}` + "\n" +
				`{"id":5,"method":"mining.extranonce.subscribe","params":[]}` + "\n",
		},
		want: [][]string{{
			`{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}`,
			`{"id":2,"result":` + subscribeResult + `,"error":null}`,
			`{"id":3,"result":true,"error":null}`,
			`{"id":4,"result":true,"error":null}`,
			`{"id":5,"result":true,"error":null}`,
			`{"id":null,"method":"mining.set_difficulty","params":[1000]}`, firstNotify,
		}},
	}, {
		name: "notifications and string ids, as bfgminer",
		writes: []string{
			`{"id":null,"method":"mining.capabilities","params":[{"notify":[]}]}` + "\n" +
				`{"id":null,"method":"mining.suggest_target","params":["00000000003fffc0000000000000000000000000000000000000000000000000"]}` + "\n" +
				`{"id":"sub","method":"mining.subscribe","params":[]}` + "\n",
			`{"id":"auth","method":"mining.authorize","params":["",""]}` + "\r\n",
			`{"id":"txlist10","method":"mining.get_transactions","params":["10"]}` + "\n",
		},
		want: [][]string{
			{`{"id":"sub","result":` + subscribeResult + `,"error":null}`},
			{`{"id":"auth","result":true,"error":null}`,
				`{"id":null,"method":"mining.set_difficulty","params":[1024]}`, firstNotify},
			{`{"id":"txlist10","result":null,"error":[20,"not supported",null]}`},
		},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newFakeWork(0, hard), nil)
				defer h.stop()
				c := h.connect()
				for i, packet := range test.writes {
					if _, err := c.conn.Write([]byte(packet)); err != nil {
						t.Fatal(err)
					}
					c.want(test.want[i]...)
				}
			})
		})
	}
}

func TestMethods(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{"unknown method", `{"id":7,"method":"mining.nonsense","params":[]}`,
			`{"id":7,"result":null,"error":[20,"unknown method",null]}`},
		{"malformed", `{"id":1,`, `{"id":null,"result":null,"error":[20,"malformed message",null]}`},
		{"bad suggestion", `{"id":7,"method":"mining.suggest_difficulty","params":[-1]}`,
			`{"id":7,"result":null,"error":[20,"bad-params",null]}`},
		{"submit before subscribe", `{"id":4,"method":"mining.submit","params":["x","1","0000000000000000","00000000","00000000"]}`,
			rejectedWith("25", "not subscribed")},
		{"configure, no params", `{"id":7,"method":"mining.configure","params":[]}`,
			`{"id":7,"result":null,"error":[20,"bad-params",null]}`},
		{"authorize, address behind a worker's name", `{"id":7,"method":"mining.authorize","params":["rig1.bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080","x"]}`,
			`{"id":7,"result":false,"error":[24,"put the address first: ADDRESS.worker",null]}`},
		{"authorize, other network", `{"id":7,"method":"mining.authorize","params":["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.w","x"]}`,
			`{"id":7,"result":false,"error":[24,"address bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 belongs to Bitcoin's mainnet, this pool runs on regtest",null]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newFakeWork(0, hard), nil)
				defer h.stop()
				c := h.connect()
				// What must not be answered goes first.
				c.send(`{"id":9,"result":"pong","error":null}`, `{"method":"pong","params":[],"id":3}`,
					`{"id":null,"method":"mining.nonsense"}`, "", test.send)
				c.want(test.want)
			})
		})
	}
}

func TestWorkComesAndGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, nil, nil)
		defer h.stop()
		h.source.set(nil, "bitcoind does not answer")
		time.Sleep(2 * tickEvery)
		c := h.connect()
		c.send(`{"id":1,"method":"mining.subscribe","params":[]}`, `{"id":2,"method":"mining.authorize","params":["x"]}`)
		c.line()
		c.want(`{"id":2,"result":true,"error":null}`,
			`{"id":null,"method":"client.show_message","params":["no work at the moment: bitcoind does not answer"]}`)

		// Something comes now and then, but not the same message.
		start := time.Now()
		if got := c.line(); !strings.Contains(got, "mining.set_difficulty") || time.Since(start) > 30*time.Second {
			t.Fatalf("after %v: %s", time.Since(start), got)
		}

		h.source.set(newFakeWork(0, hard), "")
		if j := c.job(); !j.clean || j.difficulty != 1024 {
			t.Fatalf("first job %+v", j)
		}
		// The share tip moves, then Bitcoin's.
		h.source.set(newFakeWork(0, hard*2), "")
		if j := c.job(); j.clean {
			t.Fatal("clean_jobs for a share tip")
		}
		h.source.set(newFakeWork(1, hard), "")
		if j := c.job(); !j.clean {
			t.Fatal("no clean_jobs for a Bitcoin tip")
		}
	})
}

func TestFreshJobs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		j := c.login("x")
		for range 3 {
			start := time.Now()
			next := c.job()
			if age := time.Since(start); age > 30*time.Second {
				t.Errorf("a fresh job after %v", age)
			}
			if next.clean || next.id == j.id || next.ntime <= j.ntime {
				t.Errorf("job %s at %s after %s at %s", next.id, next.ntime, j.id, j.ntime)
			}
			j = next
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		silent, half := h.connect(), h.connect()
		half.send(`{"id":1,"method":"mining.subscribe","params":[]}`)
		half.line()
		time.Sleep(handshakeTimeout - 2*time.Second)
		if n := h.server.Port(0).Counts.Limits.Open; n != 2 || h.server.Connections() != 1 {
			t.Fatalf("%d connections before the timeout", n)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if n := h.server.Port(0).Counts.Limits.Open; n != 0 {
			t.Fatalf("%d connections after the timeout", n)
		}
		if _, err := silent.r.ReadByte(); err == nil {
			t.Fatal("silent connection still open")
		}
	})
}

func TestJunkEndsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		lines := 0
		go func() {
			for {
				if _, err := c.conn.Write([]byte("{nonsense\n")); err != nil {
					return
				}
			}
		}()
		for {
			if _, err := c.r.ReadString('\n'); err != nil {
				break
			}
			lines++
		}
		if lines < junkBurst || lines > junkBurst+2 {
			t.Errorf("connection ended after %d malformed lines", lines)
		}
	})
}

func TestSlowReaderDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		slow, fast := h.connect(), h.connect()
		slow.login("slow")
		fast.login("fast")
		for n := range byte(3) {
			start := time.Now()
			h.source.set(newFakeWork(n+1, hard), "")
			if j := fast.job(); !j.clean || time.Since(start) > 2*broadcastGap {
				t.Fatalf("job after %v", time.Since(start))
			}
		}
		for h.server.Connections() == 2 {
			fast.job()
		}
		if c := h.server.Connections(); c != 1 {
			t.Fatalf("%d connections", c)
		}
	})
}

func TestConnectionLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), func(c *Config) { c.MaxConnections = 1 })
		defer h.stop()
		h.connect().login("x")
		if _, err := h.connect().r.ReadByte(); err == nil {
			t.Fatal("connection above the limit stays open")
		}
	})
}

func TestRateLimitOnlyDelays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		c.login("x") // or so many answers may not wait
		const n = messageBurst + 5*messageRate
		start := time.Now()
		go func() {
			for range n {
				c.send(`{"id":1,"method":"mining.ping"}`)
			}
			for range n { // empty lines count too
				c.send("")
			}
			c.send(`{"id":2,"method":"mining.ping"}`)
		}()
		for range n {
			c.want(`{"id":1,"result":"pong","error":null}`)
		}
		if took := time.Since(start); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("%d messages in %v", n, took)
		}
		start = time.Now()
		for c.line() != `{"id":2,"result":"pong","error":null}` { // vardiff may have something to say
		}
		if took := time.Since(start); took < n/messageRate*time.Second-time.Second {
			t.Errorf("%d empty lines in %v", n, took)
		}
	})
}
