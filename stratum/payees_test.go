package stratum

import (
	"bytes"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// payeeWork makes jobs whose coinbase begins with the payee's script, and counts them.
type payeeWork struct {
	*fakeWork
	mu   sync.Mutex
	made map[string]int // by script
}

func newPayeeWork(tip byte) *payeeWork {
	w := &payeeWork{fakeWork: newFakeWork(tip, easy), made: make(map[string]int)}
	w.tip.ID = chainhash.Hash{tip}
	return w
}

func (w *payeeWork) Job(payee []byte, class share.Class) (*mining.Job, error) {
	w.mu.Lock()
	w.made[string(payee)]++
	w.mu.Unlock()
	job, err := w.fakeWork.Job(payee, class)
	job.Head = payee
	return job, err
}

// payScript returns a P2WPKH script.
func payScript(i byte) []byte { return append([]byte{0, 20, i}, make([]byte, 19)...) }

// fakePayees takes a fee on odd tips, and changes its own address with the tip.
type fakePayees struct {
	mu    sync.Mutex
	calls int
}

func (f *fakePayees) Turn(tip chainhash.Hash) (own, all []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if tip[0]%2 == 1 {
		return payScript(tip[0]), payScript(0xfe)
	}
	return payScript(tip[0]), nil
}

// TestPayees: jobs pay whom the turn of their tip says, connections of one payee share
// them, and who connects again finds the same.
func TestPayees(t *testing.T) {
	bubble(t, func(t *testing.T) {
		payees := new(fakePayees)
		works := []*payeeWork{newPayeeWork(2), newPayeeWork(3), newPayeeWork(4)}
		h := newHarness(t, works[0], func(c *Config) { c.Payees, c.Notice = payees, "this node keeps a part" })
		defer h.stop()
		address := regtestAddresses(t)[2]
		named := append([]byte{0, 20}, address.ScriptAddress()...)
		pays := func(what string, j testJob, want []byte) {
			t.Helper()
			if j.coinb1 != hex.EncodeToString(want) {
				t.Errorf("%s: %s is paid, want %x", what, j.coinb1, want)
			}
		}
		var own, his []*client
		for range 3 {
			c := h.connect()
			pays("own", c.login("rig"), payScript(2))
			own = append(own, c)
			c = h.connect()
			pays("named", c.login(address.EncodeAddress()+".rig"), named)
			c.want(`{"id":null,"method":"client.show_message","params":["this node keeps a part"]}`)
			his = append(his, c)
		}
		h.source.set(works[1], "")
		for i := range own {
			pays("own, fee", own[i].job(), payScript(0xfe))
			pays("named, fee", his[i].job(), payScript(0xfe))
		}
		again := h.connect()
		pays("who comes back", again.login(address.EncodeAddress()), payScript(0xfe))
		again.want(`{"id":null,"method":"client.show_message","params":["this node keeps a part"]}`)
		time.Sleep(2 * broadcastGap)
		h.source.set(works[2], "")
		pays("own address of another tip", own[0].job(), payScript(4))
		pays("named, after the fee", his[0].job(), named)
		for _, c := range append(own[1:], append(his[1:], again)...) {
			c.job()
		}
		if payees.calls > 6 { // 3 works, New's two, and the start's none
			t.Errorf("%d turns", payees.calls)
		}
		for i, want := range []int{2, 1, 2} {
			if w := works[i]; len(w.made) != want {
				t.Errorf("work %d: jobs for %d payees, want %d", i, len(w.made), want)
			}
			for script, n := range works[i].made {
				if n != 1 {
					t.Errorf("work %d: %d jobs for %x", i, n, script)
				}
			}
		}
		for _, w := range h.server.Workers() {
			if named := w.Address != ""; named == (w.Payee == nil) {
				t.Errorf("%+v", w)
			}
		}
	})
}

// TestOneConnectionOnePayee: a connection cannot mine for the node and for an address.
func TestOneConnectionOnePayee(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		address := regtestAddresses(t)[2].EncodeAddress()
		for _, users := range [][2]string{{"rig", address}, {address, "rig"}} {
			c := h.connect()
			c.login(users[0])
			c.send(`{"id":9,"method":"mining.authorize","params":["` + users[1] + `","x"]}`)
			if line := c.line(); !strings.Contains(line, "already mines for another address") {
				t.Errorf("%v: %s", users, line)
			}
		}
	})
}

// TestReasonChanges: a miner without work is told a new reason, though not more often
// than jobs would come.
func TestReasonChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		c.login("rig")
		begin := time.Now()
		h.source.set(nil, "first")
		c.want(`{"id":null,"method":"client.show_message","params":["no work at the moment: first"]}`)
		h.source.set(nil, "second")
		time.Sleep(time.Second)
		h.source.set(nil, "third")
		c.want(`{"id":null,"method":"client.show_message","params":["no work at the moment: third"]}`)
		if waited := time.Since(begin); waited < notifyEvery || waited > notifyEvery+2*tickEvery {
			t.Errorf("after %v", waited)
		}
		if line := c.line(); !strings.Contains(line, "mining.set_difficulty") {
			t.Errorf("the same reason again: %s", line)
		}
	})
}

// TestFixedPayee is for the adapter.
func TestFixedPayee(t *testing.T) {
	own, all := FixedPayee(testPayee).Turn(chainhash.Hash{})
	if !bytes.Equal(own, testPayee) || all != nil {
		t.Errorf("%x, %x", own, all)
	}
	if own, _ := FixedPayee(nil).Turn(chainhash.Hash{}); own != nil {
		t.Errorf("%x", own)
	}
}
