package nodes

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// scene is some nodes in imagined time.
type scene struct {
	*testing.T
	members []member
	current int
	now     time.Time
}

func newScene(t *testing.T, nodes int) *scene {
	return &scene{T: t, members: make([]member, nodes), now: time.Unix(1e9, 0)}
}

// newPair is two nodes at height 100, of which the first is mined on.
func newPair(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, 2)
	s.at(0, 100)
	s.at(1, 100)
	s.want(0, true)
	return s
}

// at makes a node healthy with a template for a height; 0 makes it unhealthy.
func (s *scene) at(node int, height uint32) {
	m := &s.members[node]
	if m.health.OK = height > 0; m.health.OK {
		m.template, m.announced = &mining.Template{Height: height}, time.Time{}
	}
}

// announce makes a node tell of a block without a template on it.
func (s *scene) announce(node int, height uint32) {
	m := &s.members[node]
	m.tip, m.announced = bitcoind.Tip{Height: height, Hash: chainhash.Hash{byte(height)}}, s.now
}

// pass lets time pass, in steps as Run's.
func (s *scene) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(lookInterval) {
		s.current, _ = choose(s.members, s.current, s.now)
	}
}

// want checks the choice.
func (s *scene) want(node int, ready bool) {
	s.Helper()
	var got bool
	if s.current, got = choose(s.members, s.current, s.now); s.current != node || got != ready {
		s.Errorf("mining on %d (ready %v), want %d (%v)", s.current, got, node, ready)
	}
}

// TestPreference: the first of the healthy ones, from the first moment.
func TestPreference(t *testing.T) {
	s := newScene(t, 3)
	s.want(0, false)
	s.at(2, 100)
	s.want(2, true)
	s.at(1, 100)
	s.want(1, true)
	s.at(0, 100)
	s.want(0, true) // it has never failed
}

// TestFailover: a node that failed is preferred again only when it has stayed well.
func TestFailover(t *testing.T) {
	s := newPair(t)
	s.at(0, 0)
	s.want(1, true)
	s.at(0, 100)
	s.want(1, true)
	s.pass(backAfter - time.Second)
	s.want(1, true)
	s.at(0, 0) // once more: the time begins anew
	s.want(1, true)
	s.at(0, 100)
	s.pass(backAfter - time.Second)
	s.want(1, true)
	s.at(1, 0) // but it is better than nothing
	s.want(0, true)
	s.at(1, 100)
	s.pass(backAfter)
	s.want(0, true)
	s.at(0, 0)
	s.at(1, 0)
	s.want(0, false)
}

// TestNewBlock: whoever has it first gives the work, the preferred one when it has it.
func TestNewBlock(t *testing.T) {
	s := newPair(t)
	for height := uint32(101); height < 120; height++ {
		s.at(1, height)
		s.want(1, true)
		s.pass(behindGrace - time.Second)
		s.at(0, height)
		s.want(0, true)
		s.pass(time.Minute)
	}
}

// TestStuck: one that stays on an old block isn't mined on, and counts as unwell.
func TestStuck(t *testing.T) {
	s := newPair(t)
	s.at(1, 101)
	s.want(1, true)
	s.pass(behindGrace + time.Second)
	s.at(0, 100) // a new template for the old block
	s.want(1, true)
	s.at(0, 101)
	s.want(1, true)
	s.pass(backAfter)
	s.want(0, true)

	s.at(0, 99) // it went back
	s.want(1, true)
	s.at(1, 99) // and so does the other
	s.want(0, true)
}

// TestAnnounced: templates on the old block don't count while a new one is due, but not
// for ever.
func TestAnnounced(t *testing.T) {
	s := newPair(t)
	s.announce(1, 100)
	s.want(0, false)
	s.at(0, 100)
	s.want(0, false)
	s.at(1, 101)
	s.want(1, true)

	s.announce(0, 101)
	s.want(1, false)
	s.pass(oweTime)
	s.want(1, true) // it never came
	s.announce(1, 101)
	s.at(1, 101) // it has changed its mind
	s.want(1, true)
}

// TestVeto: a node under a veto isn't mined on while it is ahead, unless it is alone.
func TestVeto(t *testing.T) {
	s := newScene(t, 3)
	s.at(0, 100)
	s.at(1, 101)
	s.want(1, true)
	s.members[1].vetoed = true
	s.want(0, true)
	s.at(1, 102) // further on that branch
	s.want(0, true)
	s.at(0, 101)
	s.want(0, true)
	s.at(0, 0)
	s.want(1, true)
	s.at(0, 101)
	s.at(1, 102)
	s.members[1].vetoed = true
	s.want(0, true)
	s.at(0, 102)
	s.want(0, true)
	if s.members[1].vetoed {
		t.Error("the veto is not lifted")
	}
}

// TestChoiceIsSound: whatever happens, a node that is chosen as ready is healthy and no
// other healthy one is higher.
func TestChoiceIsSound(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newScene(t, rapid.IntRange(1, 4).Draw(r, "nodes"))
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			node := rapid.IntRange(0, len(s.members)-1).Draw(r, "node")
			height := uint32(rapid.IntRange(0, 4).Draw(r, "height"))
			switch rapid.IntRange(0, 2).Draw(r, "what") {
			case 0:
				s.at(node, height)
			case 1:
				s.announce(node, height)
			case 2:
				s.pass(time.Duration(height*height) * time.Second)
			}
			var ready bool
			s.current, ready = choose(s.members, s.current, s.now)
			var top uint32
			healthy := false
			for i := range s.members {
				if h, own := s.members[i].height(s.now); h > 0 {
					top, healthy = max(top, h), healthy || own
				}
			}
			m := &s.members[s.current]
			if h, own := m.height(s.now); ready && (!m.health.OK || !own || h != top) {
				r.Fatalf("chose %d: %+v, top %d", s.current, m, top)
			}
			if len(s.members) == 1 && healthy && !ready {
				r.Fatal("the only node isn't good enough")
			}
		}
	})
}
