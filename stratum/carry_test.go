package stratum

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// payoutWork makes jobs whose coinbase has as many P2TR payouts as there are payees and the
// class allows, in the form of a share's.
type payoutWork struct {
	*fakeWork
	payees int
}

func newPayoutWork(n byte, payees int) *payoutWork { return &payoutWork{newFakeWork(n, hard), payees} }

func (w *payoutWork) Job(payee []byte, class share.Class) (*mining.Job, error) {
	job, err := w.fakeWork.Job(payee, class)
	job.Head = bytes.Repeat([]byte{0x11}, 4+1+36+1+5+4+1)
	outputs := make([]byte, 0, 50_000)
	for i := range min(w.payees, class.Outputs()) + 1 {
		outputs = append(binary.LittleEndian.AppendUint64(outputs, uint64(i)), 34, 0x51, 0x20)
		outputs = append(outputs, bytes.Repeat([]byte{byte(i)}, 32)...)
	}
	job.Shared = &mining.Shared{Bytes: outputs}
	job.Tail = bytes.Repeat([]byte{0x22}, 48+32)
	job.Coinb2 = []byte{1, 0, 0, 0}
	return job, err
}

// cutDevice is a device that hashes a part of the coinbase.
type cutDevice struct {
	*client
	// cut turns what the device got, coinb1, extranonce and coinb2, into what it hashes.
	cut   func(coinb1, extranonce, coinb2 []byte) []byte
	e1    string
	user  string
	nonce uint32
}

// carryDifficulty is such that a device of the tests finds a hash in a moment, and that
// another hash is far from it.
const carryDifficulty = 1.0 / (1 << 20)

// login connects a device of a user agent and returns its first job.
func (h *harness) cutDevice(agent, user, password string, cut func(a, e, b []byte) []byte) (*cutDevice, testJob) {
	c := h.connect()
	c.send(`{"id":1,"method":"mining.subscribe","params":["`+agent+`"]}`,
		`{"id":2,"method":"mining.authorize","params":["`+user+`","`+password+`"]}`)
	_, e1, _ := strings.Cut(c.line(), `]],"`)
	c.want(`{"id":2,"result":true,"error":null}`)
	j := c.job()
	j.extranonce1 = e1[:8]
	return &cutDevice{client: c, cut: cut, e1: e1[:8], user: user}, j
}

// mine submits something that is good for what the device hashes.
func (d *cutDevice) mine(j *testJob) {
	d.t.Helper()
	hashed := d.cut(unhex(d.t, j.coinb1), unhex(d.t, d.e1+testExtranonce2), unhex(d.t, j.coinb2))
	header := j.header(d.t, j.root(d.t, chainhash.DoubleHashH(hashed)))
	bound := target.FromDifficulty(carryDifficulty)
	for {
		d.nonce++
		binary.LittleEndian.PutUint32(header[76:], d.nonce)
		if hash := chainhash.DoubleHashH(header); target.HashMeets(&hash, &bound) {
			d.send(j.submitLine(d.user, d.nonce))
			return
		}
	}
}

// submitUntilTold mines until a message comes. It returns the message, how many submissions
// it took, all of which must be refused, and the job that came with it, or the old one.
func (d *cutDevice) submitUntilTold(j testJob) (message string, submissions int, next testJob) {
	d.t.Helper()
	for n := 1; n <= 2*maxFarMisses; n++ {
		d.mine(&j)
		d.want(rejectedWith("23", "high-hash"))
		d.send(`{"id":5,"method":"mining.ping"}`)
		line := d.line()
		if line == pong {
			continue
		}
		if _, text, ok := strings.Cut(line, `"client.show_message","params":["`); ok {
			message = strings.TrimSuffix(text, `"]}`)
		} else {
			d.t.Fatalf("instead of a message %s", line)
		}
		if line = d.line(); line != pong {
			next, ok := parseNotify(d.t, line)
			if !ok {
				d.t.Fatalf("instead of a job %s", line)
			}
			next.extranonce1 = d.e1
			d.want(pong)
			return message, n, next
		}
		return message, n, j
	}
	return "", 0, j
}

const pong = `{"id":5,"result":"pong","error":null}`

func whole(a, e, b []byte) []byte { return append(append(a, e...), b...) }

// cutFirst is a device that has room for n bytes of the first part, cutWhole one with room
// for n bytes of all.
func cutFirst(n int) func(a, e, b []byte) []byte {
	return func(a, e, b []byte) []byte { return whole(a[:min(n, len(a))], e, b) }
}

func cutWhole(n int) func(a, e, b []byte) []byte {
	return func(a, e, b []byte) []byte { all := whole(a, e, b); return all[:min(n, len(all))] }
}

// garbled is a device whose buffer overflows into what is not known.
func garbled(n int) func(a, e, b []byte) []byte {
	return func(a, e, b []byte) []byte {
		all := whole(a, e, b)
		for i := n; i < len(all); i++ {
			all[i] = 0xa5
		}
		return all
	}
}

func carryConfig(c *Config) {
	c.StartDifficulty, c.MinDifficulty = carryDifficulty, carryDifficulty
	var err error
	if c.Devices, err = (Devices{}).WithClasses([]string{"old/:12", ":288"}); err != nil {
		panic(err)
	}
}

// size is the length of the coinbase that a device has to hash, in bytes.
func (j *testJob) size() int { return len(j.coinb1)/2 + 12 + len(j.coinb2)/2 }

// TestClassIsLowered: a device that does not hash the whole coinbase gets a class that it
// can hash, and is told. Where the cut is found out the first submissions suffice.
func TestClassIsLowered(t *testing.T) {
	// With 200 payees the coinbases of classes 288, 144, 36 and 12 have 8.8 kB, 6.4 kB,
	// 1.7 kB and 710 bytes.
	tests := []struct {
		name  string
		cut   func(a, e, b []byte) []byte
		want  []share.Class // one after the other
		after int           // submissions until the first change
		says  string
	}{
		{"first part cut at 2048", cutFirst(2048), []share.Class{share.Class36}, 2, "hashes only 2064 bytes of a coinbase of"},
		{"cut at 2048", cutWhole(2048), []share.Class{share.Class36}, 2, "hashes only 2048 bytes of a coinbase of"},
		{"digits cut at 2048", cutFirst(1023), []share.Class{share.Class12}, 2, "hashes only 1039 bytes of a coinbase of"},
		{"cut where nobody knows", cutWhole(7777), []share.Class{share.Class144}, 5, "5 submissions in a row do not fit their jobs"},
		{"overwritten", garbled(1900), []share.Class{share.Class144, share.Class36}, 5, "5 submissions in a row do not fit their jobs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newPayoutWork(0, 200), carryConfig)
				defer h.stop()
				d, j := h.cutDevice("new/1", "rig", "x", test.cut)
				defer d.conn.Close()
				class := share.Class288
				for i, want := range test.want {
					message, n, next := d.submitUntilTold(j)
					if i == 0 && (n != test.after || !strings.Contains(message, test.says)) {
						t.Errorf("after %d submissions: %s", n, message)
					}
					if prefix := "output class lowered from " + class.String() + " to " + want.String() + ": "; !strings.HasPrefix(message, prefix) {
						t.Fatalf("told %q, want %q", message, prefix)
					}
					if !next.clean || next.size() >= j.size() || h.server.Workers()[0].Class != want {
						t.Fatalf("class %v, clean %v, %d bytes after %d", h.server.Workers()[0].Class, next.clean, next.size(), j.size())
					}
					j, class = next, want
				}
				d.mine(&j)
				d.want(accepted)
			})
		})
	}
}

// TestClassIsRemembered: a device that connects again gets what it can hash at once, another
// one of the same name does not.
func TestClassIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newPayoutWork(0, 200), carryConfig)
		defer h.stop()
		d, j := h.cutDevice("new/1", "rig", "x", cutWhole(2048))
		_, _, short := d.submitUntilTold(j)
		d.conn.Close()
		synctest.Wait()
		for _, test := range []struct {
			agent, password string
			size            int
		}{{"new/1", "x", short.size()}, {"new/2", "x", j.size()}, {"new/1", "class=288", j.size()}} {
			d, j := h.cutDevice(test.agent, "rig", test.password, whole)
			if j.size() != test.size {
				t.Errorf("%s with password %s: coinbase of %d bytes, want %d", test.agent, test.password, j.size(), test.size)
			}
			d.conn.Close()
			synctest.Wait()
		}
	})
}

// TestHopelessDeviceIsTold: one that cannot hash the shortest coinbase is told once and
// left in peace.
func TestHopelessDeviceIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		cut  func(a, e, b []byte) []byte
		says string
	}{
		"NerdMiner":    {cutFirst(255), "the device hashes only 271 bytes of a coinbase of"},
		"broken":       {garbled(0), "5 submissions in a row do not fit their jobs, and there is no shorter one"},
		"384 of all":   {cutWhole(384), "the device hashes only 384 bytes of a coinbase of"},
		"digits of it": {cutFirst(383), "the device hashes only 399 bytes of a coinbase of"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newPayoutWork(0, 200), carryConfig)
				defer h.stop()
				d, j := h.cutDevice("old/1", "rig", "x", test.cut)
				defer d.conn.Close()
				message, _, same := d.submitUntilTold(j)
				if !strings.HasPrefix(message, test.says) || !strings.HasSuffix(message, "the device cannot mine here") || same.id != j.id {
					t.Errorf("told %q", message)
				}
				if message, _, _ := d.submitUntilTold(j); message != "" {
					t.Errorf("told again: %q", message)
				}
			})
		})
	}
}

// TestGoodDeviceKeepsItsClass: a few bad submissions among good ones, ones that miss the
// difficulty only just, and a pool whose jobs are equally long in all classes.
func TestGoodDeviceKeepsItsClass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newPayoutWork(0, 200), carryConfig)
		defer h.stop()
		d, j := h.cutDevice("new/1", "rig", "x", whole)
		for range 4 * maxFarMisses { // before the first good one, but not far from it
			d.send(j.submitLine("rig", j.solve(t, carryDifficulty/farMiss, d.nonce+1, true)))
			d.nonce++
			if line := d.line(); line != rejectedWith("23", "high-hash") && line != accepted && line != rejectedWith("22", "duplicate") {
				t.Fatal(line)
			}
		}
		d.mine(&j)
		d.want(accepted)
		d.cut = garbled(0) // as long as a coinbase that it has hashed
		if message, _, _ := d.submitUntilTold(j); message != "" {
			t.Errorf("told %q", message)
		}
		d.conn.Close()
	})
}

// TestClassIsLoweredLater: what the device carried when the pool was small says nothing of
// longer coinbases.
func TestClassIsLoweredLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newPayoutWork(0, 10), carryConfig)
		defer h.stop()
		d, j := h.cutDevice("new/1", "rig", "x", cutWhole(2000))
		defer d.conn.Close()
		d.mine(&j)
		d.want(accepted)
		h.source.set(newPayoutWork(1, 200), "")
		j = d.job()
		j.extranonce1 = d.e1
		if message, _, next := d.submitUntilTold(j); !strings.HasPrefix(message, "output class lowered from 288 to 36: ") || next.size() > 2000 {
			t.Errorf("told %q, now %d bytes", message, next.size())
		}
	})
}

// TestSearchesAreLimited: while too many are searched for, a cut coinbase is as one of which
// nobody knows where it was cut.
func TestSearchesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newPayoutWork(0, 200), carryConfig)
		defer h.stop()
		for range searchBurst {
			if !h.server.deps.searches.take(time.Now()) {
				t.Fatal("the burst is not allowed")
			}
		}
		first, j := h.cutDevice("new/1", "rig", "x", cutWhole(2048))
		message, n, _ := first.submitUntilTold(j)
		if n != maxFarMisses || !strings.HasPrefix(message, "output class lowered from 288 to 144: 5 submissions in a row do not fit") {
			t.Errorf("without a search, after %d: %s", n, message)
		}
		first.conn.Close()
		time.Sleep(time.Second) // of the bubble's clock
		second, j := h.cutDevice("new/2", "other", "x", cutWhole(2048))
		if message, n, _ := second.submitUntilTold(j); n != 2 || !strings.Contains(message, "hashes only 2048 bytes") {
			t.Errorf("a second later, after %d: %s", n, message)
		}
		second.conn.Close()
	})
}

// BenchmarkFindCut searches the longest coinbase in vain.
func BenchmarkFindCut(b *testing.B) {
	work := newPayoutWork(0, 1152)
	job, err := work.Job(nil, share.Class1152)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		findCut(job, mining.Solution{Nonce: 1}, func(*chainhash.Hash) bool { return false })
	}
}
