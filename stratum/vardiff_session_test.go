package stratum

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// virtualDevice submits on virtual time as a device of some hashrate would, at the
// difficulty that it was sent last. Its hashes are not computed: they count as accepted.
type virtualDevice struct {
	mu         sync.Mutex
	difficulty float64
	log        []float64 // difficulties sent so far
	noJob      bool      // a difficulty came without a job behind it
	changed    chan struct{}
}

// listen reads what the server sends.
func (d *virtualDevice) listen(c *client) {
	pending := false
	for {
		line, err := c.r.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			Method string
			Params []any
		}
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		d.mu.Lock()
		switch m.Method {
		case "mining.set_difficulty":
			d.difficulty = m.Params[0].(float64)
			d.log = append(d.log, d.difficulty)
			d.noJob = d.noJob || pending
			pending = true
		case "mining.notify":
			pending = false
		}
		d.mu.Unlock()
		select {
		case d.changed <- struct{}{}:
		default:
		}
	}
}

// mine credits submissions until the time is over.
func (d *virtualDevice) mine(s *session, w *worker, rng *rand.Rand, hashrate float64, until time.Time) {
	for time.Now().Before(until) {
		d.mu.Lock()
		difficulty := d.difficulty
		d.mu.Unlock()
		if difficulty == 0 {
			<-d.changed
			continue
		}
		// The search for a hash has no memory: it may begin anew at each change. No
		// more than what is read of one client.
		wait := rng.ExpFloat64() * difficulty * hashesPerDifficulty / hashrate
		next := time.NewTimer(max(time.Second/messageRate, time.Duration(min(wait, 3600)*float64(time.Second))))
		select {
		case <-next.C:
			if wait < 3600 {
				s.mu.Lock()
				s.lastHeard = time.Now()
				s.mu.Unlock()
				s.credit(w, credit{difficulty: difficulty})
			}
		case <-d.changed:
		}
		next.Stop()
	}
}

// TestVardiffOnTheWire: what devices from 1 kH/s to 1 PH/s are sent is right to a factor of 2
// two minutes after they connect, and from then on varies by less; each difficulty is
// followed by a job.
func TestVardiffOnTheWire(t *testing.T) {
	for exponent := 3; exponent <= 15; exponent++ {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, hard), nil)
			defer h.stop()
			c := h.connect()
			d := &virtualDevice{changed: make(chan struct{}, 1)}
			hashrate := math.Pow(10, float64(exponent))
			suits := suitable(hashrate)
			c.send(`{"id":1,"method":"mining.subscribe"}`, `{"id":2,"method":"mining.authorize","params":["rig"]}`)
			go d.listen(c)
			synctest.Wait()
			var s *session
			for _, s = range h.server.sessions() {
			}
			start := time.Now()
			rng := rand.New(rand.NewPCG(uint64(exponent), 11))
			d.mine(s, s.worker([]byte("rig")), rng, hashrate, start.Add(2*time.Minute))
			d.mu.Lock()
			if d.difficulty > 2*suits || d.difficulty < suits/2 {
				t.Errorf("10^%d H/s: difficulty %g after two minutes, %g suits", exponent, d.difficulty, suits)
			}
			d.log = []float64{d.difficulty}
			d.mu.Unlock()
			d.mine(s, s.worker([]byte("rig")), rng, hashrate, start.Add(time.Hour))
			c.conn.Close()
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			low, top := math.Inf(1), 0.0
			for _, sent := range d.log {
				low, top = min(low, sent), max(top, sent)
			}
			if top > 2*low || top > 2*suits || low < suits/2 || len(d.log) > 4 {
				t.Errorf("10^%d H/s: %v, %g suits", exponent, d.log, suits)
			}
			if d.noJob {
				t.Errorf("10^%d H/s: a difficulty without a job", exponent)
			}
		})
	}
}

// TestDifficultyNeverCostsAShare: whatever server, device, client and user ask for, a device
// never works above the share's difficulty.
func TestDifficultyNeverCostsAShare(t *testing.T) {
	for _, login := range []string{`"x","d=1e9"`, `"x","md=1e9"`, `"` + regtestAddr + `+1000000000"`, `"x","x"`} {
		bubble(t, func(t *testing.T) {
			h := newHarness(t, newFakeWork(0, 5000.5), nil)
			defer h.stop()
			c := h.connect()
			defer c.conn.Close()
			c.send(`{"id":0,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":1e9}]}`,
				`{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0"]}`, `{"id":2,"method":"mining.authorize","params":[`+login+`]}`,
				`{"id":3,"method":"mining.suggest_difficulty","params":[1e9]}`)
			for range 4 {
				c.line()
			}
			if j := c.job(); j.difficulty != 5000 {
				t.Errorf("%s: difficulty %g", login, j.difficulty)
			}
			h.source.set(newFakeWork(0, 300), "")
			if j := c.job(); j.difficulty < 299 || j.difficulty > 300 {
				t.Errorf("%s: difficulty %g once shares are easier", login, j.difficulty)
			}
		})
	}
}
