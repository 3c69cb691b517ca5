package connmgr

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	// eclipseBook is the number of addresses in the books, each of a group of its
	// own: the attacker is taken to have as many groups as he likes, as with a
	// botnet. One with few groups is kept out of the book, see TestOneGroupFlood of
	// addrmgr, and gets one connection for each of them.
	eclipseBook = 240
	// eclipseStarts is the number of starts that each figure is the mean of.
	eclipseStarts = 150
	// eclipseUp is which part of the honest nodes can be reached: the attacker's
	// all can.
	eclipseUp = 0.7
	// eclipseSlots is the number of outbound connections.
	eclipseSlots = DefaultFull + DefaultShareOnly
)

// eclipseSetting is a node that starts with a book of which a part is the
// attacker's.
type eclipseSetting struct {
	poisoned float64
	anchors  bool // honest ones
}

// bad and up say whose an address is, and whether it answers.
func (s eclipseSetting) bad(a netaddr.Addr) bool { return eclipseIndex(a) < s.count() }
func (s eclipseSetting) count() int              { return int(s.poisoned * eclipseBook) }

func eclipseIndex(a netaddr.Addr) int {
	b := a.Bytes()
	return (int(b[0])<<8 | int(b[1])) - 0x1000
}

// file writes the node's book. Half of the addresses were connected to once.
func (s eclipseSetting) file(t *testing.T, now func() time.Time) string {
	book := addrmgr.New(addrmgr.Config{Now: now, Rand: newRand(byte(100 * s.poisoned))})
	for i := range eclipseBook {
		a := ip(i, 1)
		book.Add([]netaddr.Record{{Addr: a, Seen: uint32(now().Unix())}}, a)
		if i%2 == 0 {
			book.Good(a, 0)
		}
	}
	if s.anchors {
		var list []netaddr.Addr
		for i := range addrmgr.MaxAnchors {
			list = append(list, ip(eclipseBook-1-i, 1))
		}
		book.SetAnchors(list)
	}
	path := filepath.Join(t.TempDir(), "peers.dat")
	if err := book.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// eclipsed starts the node once and reports whether all its outbound connections
// are the attacker's.
func (s eclipseSetting) eclipsed(t *testing.T, path string, seed uint64) bool {
	r := rand.New(rand.NewPCG(seed, 7))
	now := time.Unix(1_800_100_000, 0)
	book, err := addrmgr.Load(path, addrmgr.Config{Now: func() time.Time { return now }, Rand: r})
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{Book: book, Full: DefaultFull, ShareOnly: DefaultShareOnly, Rand: r})
	down := make(map[netaddr.Addr]bool)
	for i := s.count(); i < eclipseBook; i++ {
		down[ip(i, 1)] = r.Float64() > eclipseUp
	}
	good := 0
	for len(c.Standing(now)) < eclipseSlots {
		now = now.Add(500 * time.Millisecond)
		d, ok := c.Next(now, nobody)
		switch {
		case !ok:
		case d.Kind == Feeler || down[d.Addr]:
			c.Ended(d.Addr)
		default:
			book.Good(d.Addr, 0)
			c.Ready(now, d.Addr)
			if !s.bad(d.Addr) {
				good++
			}
		}
	}
	return good == 0
}

// TestEclipse prints how likely a node that starts gets the attacker's nodes only
// as its outbound connections.
func TestEclipse(t *testing.T) {
	begin := func() time.Time { return time.Unix(1_800_000_000, 0) }
	t.Logf("all %d outbound connections are the attacker's, %d starts each; %.0f %% of the honest nodes answer, %d honest anchors",
		eclipseSlots, eclipseStarts, 100*eclipseUp, addrmgr.MaxAnchors)
	t.Logf("poisoned   without anchors: seen  computed   with anchors: seen  computed")
	for _, p := range []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8} {
		var seen [2]float64
		for k, anchors := range []bool{false, true} {
			s := eclipseSetting{p, anchors}
			path := s.file(t, begin)
			for i := range eclipseStarts {
				if s.eclipsed(t, path, uint64(i)) {
					seen[k] += 1.0 / eclipseStarts
				}
			}
		}
		// One connection is the attacker's with the chance q, as his nodes all answer;
		// with anchors all of these must have been down.
		q := p / (p + (1-p)*eclipseUp)
		all := math.Pow(q, eclipseSlots)
		anchored := all * math.Pow(1-eclipseUp, addrmgr.MaxAnchors)
		t.Logf("%5.0f %%   %22.1f %%  %6.2g %%   %17.1f %%  %6.2g %%", 100*p, 100*seen[0], 100*all, 100*seen[1], 100*anchored)
		if math.Abs(seen[0]-all) > 0.12 || seen[1] > 0.05 {
			t.Errorf("%.0f %% poisoned: %.3f without anchors, computed %.3f; %.3f with", 100*p, seen[0], all, seen[1])
		}
	}
}
