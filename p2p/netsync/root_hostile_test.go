package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// junkRooter names a chain on an invented root in every session, and delivers it.
type junkRooter struct {
	*simNode
	length int  // of each chain
	pushes bool // shares far ahead between the sessions
	chains int
	raw    map[chainhash.Hash][]byte
}

func (j *junkRooter) receive(from PeerID, m message.Message) {
	switch r := m.(type) {
	case *message.GetLocator:
		j.chains++
		inv := new(message.Inv)
		parent := chainhash.Hash{7, byte(j.chains), byte(j.chains >> 8)}
		for h := range uint32(j.length) {
			sh := fakechain.New(parent, 1000+h, uint32(j.chains))
			parent = sh.ID()
			j.raw[parent] = sh.Encode()
			inv.IDs = append(inv.IDs, parent)
		}
		j.send(from, inv)
	case *message.GetShares:
		for _, id := range r.IDs {
			if raw := j.raw[id]; raw != nil {
				j.send(from, &message.Shares{Raw: [][]byte{raw}})
			} else {
				j.send(from, &message.NotFound{IDs: []chainhash.Hash{id}})
			}
		}
	}
}

// push sends a share that lies above anything known.
func (j *junkRooter) push(salt uint32) {
	orphan := fakechain.New(chainhash.Hash{8}, 1_000_000, salt)
	for id, l := range j.links {
		if l.up {
			j.send(id, &message.Shares{Raw: [][]byte{orphan.Encode()}})
		}
	}
}

// TestJunkRoots: a peer that claims all work of the world names another root in
// each session, which the chain takes or not. It gets a few sessions an hour, costs
// a bounded number of shares each, and keeps nobody from following the pool.
func TestJunkRoots(t *testing.T) {
	for _, test := range []struct {
		name     string
		taken    bool // by the chain
		inbound  bool
		pushes   bool
		length   int
		sessions int // at most, in an hour
	}{
		{"refused", false, true, false, message.MaxInv, 7},
		{"refused, with pushes", false, true, true, message.MaxInv, 7},
		{"refused, dialed", false, false, true, message.MaxInv, 12},
		// The second round shows that there is nothing more on such a chain.
		{"taken", true, true, true, 2, 2 * 12},
		{"taken, long", true, false, true, 200, 2 * 12},
	} {
		s := newSim(t)
		a, liar, honest := s.node("a", message.LowLatency), s.node("liar", message.LowLatency), s.node("honest", message.LowLatency)
		a.chain.Extend(300, 1)
		copyChain(t, a, honest)
		if !test.taken {
			a.judge = func(sh *share.Share) error { return a.chain.Accept(sh) }
		}
		j := &junkRooter{simNode: liar, length: test.length, pushes: test.pushes, raw: make(map[chainhash.Hash][]byte)}
		liar.answer = j.receive
		s.connect(a, honest)
		if test.inbound {
			s.connect(liar, a)
		} else {
			s.connect(a, liar)
		}
		s.run(time.Second)
		for i := range uint32(6 * 60) {
			if test.pushes {
				j.push(i)
			}
			honest.mine(1)
			s.run(10 * time.Second)
			if pr := a.m.Progress(s.now); pr.Height != 300+i {
				t.Fatalf("%s: height %d after %d shares", test.name, pr.Height, i+1)
			}
		}
		if j.chains > test.sessions || len(a.roots) > j.chains {
			t.Errorf("%s: %d chains, %d roots in an hour, want at most %d", test.name, j.chains, len(a.roots), test.sessions)
		}
		fetched := int(a.m.Stats().Undecided+a.m.Stats().Valid) - 360
		if most := test.sessions*(MaxSyncRequests+1)*MaxBatch + 360; fetched > most {
			t.Errorf("%s: %d shares were fetched, want at most %d", test.name, fetched, most)
		}
		if p := a.m.order[1]; !p.claim.IsZero() {
			t.Errorf("%s: the claim stays", test.name)
		}
		t.Logf("%s: %d locators, %d shares", test.name, j.chains, fetched)
	}
}

// TestLyingRoot: a new node takes the root of a liar who is the first to connect,
// states immense work and adds to its chain all the time. The claims of honest
// peers are nothing next to that; the node finds their chain by their new shares.
func TestLyingRoot(t *testing.T) {
	const immense = 1 << 60
	for _, height := range []uint32{100, 5000, 1_000_000} {
		for _, mode := range []message.RelayMode{message.LowBandwidth, message.LowLatency} {
			s := newSim(t)
			fresh, liar, honest := s.node("fresh", mode), s.node("liar", mode), s.node("honest", mode)
			honest.chain.Extend(5000, 1)
			honest.chain.Prune(1000)
			root := fakechain.NewStating(immense, chainhash.Hash{7}, height, 1)
			top := fakechain.NewStating(immense+1, root.ID(), height+1, 1)
			shares := map[chainhash.Hash][]byte{root.ID(): root.Encode(), top.ID(): top.Encode()}
			liar.answer = func(from PeerID, m message.Message) {
				switch r := m.(type) {
				case *message.GetLocator:
					liar.send(from, &message.Inv{IDs: []chainhash.Hash{root.ID(), top.ID()}})
				case *message.GetShares:
					for _, id := range r.IDs {
						if raw := shares[id]; raw != nil {
							liar.send(from, &message.Shares{Raw: [][]byte{raw}})
						}
					}
				}
			}
			s.connect(liar, fresh)
			s.run(time.Second)
			if id, _, _ := fresh.chain.Tip(); id != top.ID() {
				t.Fatal("the lie was not believed at first")
			}
			s.connect(fresh, honest)
			for i := range 30 {
				honest.mine(1)
				top = fakechain.NewStating(immense+2+uint64(i), top.ID(), top.Data.Height+1, 1)
				liar.send(1, &message.Shares{Raw: [][]byte{top.Encode()}})
				s.run(10 * time.Second)
			}
			want, _, _ := honest.chain.Tip()
			if id, h, _ := fresh.chain.Tip(); id != want {
				t.Errorf("root at %d, %v: still at height %d after five minutes", height, mode, h)
			}
		}
	}
}
