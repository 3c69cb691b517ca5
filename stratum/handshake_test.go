package stratum

import (
	"strings"
	"testing"
)

// TestLongExtension: what is not an extension's name is not repeated.
func TestLongExtension(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		longest, longer := strings.Repeat("x", maxExtension-2), strings.Repeat("y", maxExtension-1)
		c.send(`{"id":1,"method":"mining.configure","params":[["` + longer + `","info","` + longer + `","` + longest + `"],{}]}`)
		c.want(`{"id":1,"result":{"info":true,"` + longest + `":false},"error":null}`)
		c.send(`{"id":2,"method":"mining.configure","params":[["` + longer + `"],{}]}`)
		c.want(`{"id":2,"result":{},"error":null}`)
	})
}

// TestMinimumDifficulty: what BIP 310's extension asks for is kept to, but not
// above the share's difficulty, for which reason it is never promised.
func TestMinimumDifficulty(t *testing.T) {
	for shareDifficulty, want := range map[float64]float64{hard: 5000, 3000: 2999} {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, shareDifficulty), nil)
			defer h.stop()
			c := h.connect()
			c.send(`{"id":1,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":5000}]}`)
			c.want(`{"id":1,"result":{"minimum-difficulty":false},"error":null}`)
			if j := c.login("x"); j.difficulty < want || j.difficulty > want+1 {
				t.Errorf("difficulty %g where shares have %g", j.difficulty, shareDifficulty)
			}
		})
	}
}

// TestOldP2PoolUserNames: a difficulty behind the address is the one to start
// from; the password's comes before it.
func TestOldP2PoolUserNames(t *testing.T) {
	const addr = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	for login, want := range map[string]string{
		`"` + addr + `+512","x"`: "512", `"` + addr + `/2048"`: "2048", `"` + addr + `+512","d=64"`: "64",
	} {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, hard), nil)
			defer h.stop()
			c := h.connect()
			c.send(`{"id":1,"method":"mining.subscribe"}`, `{"id":2,"method":"mining.authorize","params":[`+login+`]}`)
			c.line()
			c.want(`{"id":2,"result":true,"error":null}`, `{"id":null,"method":"mining.set_difficulty","params":[`+want+`]}`)
			if name := h.server.Workers()[0].Name; name != addr {
				t.Errorf("%s: worker %q", login, name)
			}
		})
	}
}
