package netsync

import (
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// Of the tests of this file.
const (
	crowdShares = 5_000   // heights; a third has an uncle
	crowdRate   = 400_000 // bytes a second that each peer sends, some 500 shares
)

// crowd is a newcomer and peers that all have the same chain.
type crowd struct {
	*sim
	fresh *simNode
	peers []*simNode
	ids   []PeerID // at the newcomer
}

func newCrowd(t *testing.T, k, shares int) *crowd {
	chain := crowdChains[shares]
	if chain == nil {
		chain = new(fakechain.Chain)
		withUncles(chain, shares)
		crowdChains[shares] = chain
	}
	return newCrowdOn(t, k, chain)
}

// crowdChains holds chains by their heights; nobody extends or prunes them.
var crowdChains = make(map[int]*fakechain.Chain)

func newCrowdOn(t *testing.T, k int, chain *fakechain.Chain) *crowd {
	s := newSim(t)
	c := &crowd{sim: s, fresh: s.node("fresh", message.LowLatency)}
	for i := range k {
		p := s.node(fmt.Sprint(i), message.LowLatency)
		p.rate = crowdRate
		p.chain, p.m = chain, New(Config{Chain: chain, Mode: message.LowLatency}) // they only read it
		c.peers = append(c.peers, p)
		c.ids = append(c.ids, s.connect(c.fresh, p))
	}
	return c
}

// sync waits for the end of the sync.
func (c *crowd) sync() time.Duration {
	c.t.Helper()
	return c.runUntil(10*time.Minute, "sync", c.synced)
}

func (c *crowd) synced() bool {
	want, _, _ := c.peers[0].chain.Tip()
	got, _, _ := c.fresh.chain.Tip()
	return got == want
}

// until waits until so many shares have come.
func (c *crowd) until(shares int) time.Duration {
	c.t.Helper()
	return c.runUntil(time.Minute, "a part of the sync", func() bool { return c.fresh.chain.Len() >= shares })
}

// honest checks that nobody but those named has lost the connection, and that what
// is left is in order.
func (c *crowd) honest(bad ...int) {
	c.t.Helper()
	hostile := make(map[int]bool)
	for _, i := range bad {
		hostile[i] = true
	}
	for i, id := range c.ids {
		if !hostile[i] && !c.fresh.links[id].up {
			c.t.Errorf("honest peer %d has lost the connection", i)
		}
	}
	checkLimits(c.t, c.fresh.m)
}

// source returns the place of the session's peer among the peers.
func (c *crowd) source() int {
	c.t.Helper()
	if s := c.fresh.m.session; s != nil {
		for i, id := range c.ids {
			if id == s.peer.id {
				return i
			}
		}
	}
	c.t.Fatal("there is no session")
	return 0
}

// TestParallelRate: with k peers that send at a limited rate each the sync is about k
// times as fast, as long as the window is large enough.
func TestParallelRate(t *testing.T) {
	var alone float64
	for _, k := range []int{1, 2, 4, 8} {
		c := newCrowd(t, k, 5*crowdShares)
		took := c.sync()
		rate := float64(c.fresh.chain.Len()) / took.Seconds()
		if k == 1 {
			alone = rate
		}
		m := c.fresh.m
		t.Logf("%d peers: %d shares in %v, %.0f/s, %.2f × alone, %d replaced", k, c.fresh.chain.Len(), took, rate, rate/alone, m.Stats().Replaced)
		if rate < 0.75*float64(k)*alone {
			t.Errorf("%d peers: %.0f shares/s, one brings %.0f", k, rate, alone)
		}
		if st := m.Stats(); st.Undecided+st.Invalid+st.Stalls > 0 || c.fresh.chain.Accepts() > c.fresh.chain.Len()+MaxBatch {
			t.Errorf("%d peers: %+v, %d judged", k, st, c.fresh.chain.Accepts())
		}
		c.honest()
	}
}

// spoil makes a peer hostile from now on.
func (c *crowd) spoil(i int, how string) {
	n := c.peers[i]
	if how == "vanishes" {
		c.fresh.cut(c.ids[i])
		return
	}
	salt := uint32(0)
	reply := func(from PeerID, id chainhash.Hash) message.Message {
		raw, err := n.chain.Share(id)
		if err != nil {
			return &message.NotFound{IDs: []chainhash.Hash{id}}
		}
		sh, err := share.Decode(raw)
		if err != nil {
			c.t.Fatal(err)
		}
		switch how {
		case "denies":
			return &message.NotFound{IDs: []chainhash.Hash{id}}
		case "forges":
			raw = fakechain.Forge(sh).Encode()
		case "garbage":
			raw = make([]byte, len(raw))
		case "others":
			salt++
			raw = fakechain.New(chainhash.Hash{9}, sh.Data.Height, 1000+salt).Encode()
		}
		return &message.Shares{Raw: [][]byte{raw}}
	}
	slow := 0 * time.Second
	n.answer = func(from PeerID, m message.Message) {
		r, ok := m.(*message.GetShares)
		switch {
		case how == "stalls":
		case !ok:
			Answer(n.chain, m, func(m message.Message) bool { n.send(from, m); return true })
		case how == "slow": // a batch in 20 s
			slow += 20 * time.Second
			c.after(slow, func() { Answer(n.chain, m, func(m message.Message) bool { n.send(from, m); return true }) })
		case how == "one by one": // some shares a second
			for i, id := range r.IDs {
				c.after(time.Duration(i)*300*time.Millisecond, func() { n.send(from, reply(from, id)) })
			}
		default:
			for _, id := range r.IDs {
				n.send(from, reply(from, id))
			}
		}
	}
}

// hindrances are what a hostile peer may do with requests.
var hindrances = []string{"stalls", "vanishes", "denies", "forges", "garbage", "others", "slow", "one by one"}

// TestOneHinders: one of eight peers does something bad, from the start or from the
// middle of the sync on, be it the session's own peer or another. It costs a few
// seconds, and nobody else is blamed.
func TestOneHinders(t *testing.T) {
	c := newCrowd(t, 7, crowdShares)
	seven := c.sync()
	for _, how := range hindrances {
		for _, own := range []bool{false, true} {
			for _, from := range []int{1, crowdShares / 8} {
				if from > 1 && (how == "garbage" || how == "denies") {
					continue // no other than from the start
				}
				c := newCrowd(t, 8, crowdShares)
				took := c.until(from)
				bad := c.source()
				if !own {
					bad = (bad + 3) % 8
				}
				c.spoil(bad, how)
				took += c.sync()
				c.honest(bad)
				t.Logf("%s, session's own %v, after %d: %v, seven honest ones alone take %v, %+v", how, own, from, took, seven, c.fresh.m.Stats())
				if took > seven+6*time.Second {
					t.Errorf("%s, session's own %v, after %d: it took %v, seven honest ones alone take %v", how, own, from, took, seven)
				}
			}
		}
	}
}

// TestAllButOneHinder: seven of eight peers do something bad. What one honest peer
// would bring alone comes not much later.
func TestAllButOneHinder(t *testing.T) {
	c := newCrowd(t, 1, crowdShares)
	alone := c.sync()
	for _, how := range hindrances {
		for _, own := range []bool{false, true} {
			c := newCrowd(t, 8, crowdShares)
			took := c.until(1)
			good := c.source()
			if own {
				good = (good + 3) % 8
			}
			var bad []int
			for i := range c.peers {
				if i != good {
					bad = append(bad, i)
					c.spoil(i, how)
				}
			}
			took += c.sync()
			c.honest(bad...)
			t.Logf("%s, session's own too %v: %v, alone it takes %v, %+v", how, own, took, alone, c.fresh.m.Stats())
			if took > alone+30*time.Second {
				t.Errorf("%s, session's own too %v: it took %v, alone it takes %v", how, own, took, alone)
			}
		}
	}
}

// TestStrangersHinder: a newcomer has dialed two honest peers, and a hundred strangers
// have dialed it, who claim to be as high as they and answer no request.
func TestStrangersHinder(t *testing.T) {
	two := newCrowd(t, 2, crowdShares).sync()
	c := newCrowd(t, 2, crowdShares)
	asked := 0
	for i := range 100 {
		n := c.node(fmt.Sprint("stranger ", i), message.LowLatency)
		n.chain, n.m = c.peers[0].chain, New(Config{Chain: c.peers[0].chain, Mode: message.LowLatency})
		c.connect(n, c.fresh)
		n.answer = func(_ PeerID, m message.Message) {
			if m.Command() == message.CmdGetShares {
				asked++
			}
		}
	}
	took := c.sync()
	c.honest()
	t.Logf("%v, without strangers %v; they were asked %d times", took, two, asked)
	if asked > 2*maxFailures || took > two+maxFailures*minPatience {
		t.Errorf("%v, without strangers %v; they were asked %d times", took, two, asked)
	}
}

// TestAttemptEnds: strangers that claim to have more, one after the other, and leave
// before their session fails, can't put off the end of the first attempt.
func TestAttemptEnds(t *testing.T) {
	s := newSim(t)
	fresh := s.node("fresh", message.LowLatency)
	begun := s.now
	for i := 0; !fresh.m.Progress(s.now).Attempted; i++ {
		if s.now.Sub(begun) > FirstSyncLimit+5*time.Second {
			t.Fatalf("not after %v", s.now.Sub(begun))
		}
		n := s.node(fmt.Sprint("stranger ", i), message.LowLatency)
		n.answer = func(PeerID, message.Message) {}
		at := s.connect(n, fresh)
		s.after(25*time.Second, func() { n.cut(at) })
		s.run(10 * time.Second)
	}
	t.Logf("after %v", s.now.Sub(begun))
}
