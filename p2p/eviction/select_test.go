package eviction

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

var start = time.Unix(1_800_000_000, 0)

// at returns a time so many seconds after the start.
func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// plain returns n candidates without merits, each in a group of its own, that
// connected one second after another. The groups' hashes descend, and are over 100.
func plain(n int) []Candidate {
	list := make([]Candidate, n)
	for i := range list {
		list[i] = Candidate{Group: uint64(100 + n - i), Network: netaddr.IPv4, Connected: at(i)}
	}
	return list
}

// evictAll lets go until nobody is to spare and returns who went, in order, and who
// stays.
func evictAll(list []Candidate) (gone, stay []int) {
	for i := range list {
		stay = append(stay, i)
	}
	for {
		var now []Candidate
		for _, i := range stay {
			now = append(now, list[i])
		}
		k, ok := Select(now)
		if !ok {
			return gone, stay
		}
		gone = append(gone, stay[k])
		stay = slices.Delete(stay, k, k+1)
	}
}

func TestSelect(t *testing.T) {
	tests := []struct {
		name   string
		n      int
		change func([]Candidate)
		want   int // index; -1: nobody
	}{
		{"none", 0, nil, -1},
		{"one of each group", Groups, nil, -1},
		{"youngest of equals", 20, nil, 19},
		{"all protected", 20, func(l []Candidate) {
			for i := range l {
				l[i].Protected = true
			}
		}, -1},
		{"protected", 20, func(l []Candidate) { l[19].Protected = true }, 18},
		{"ping", 20, func(l []Candidate) { l[19].Ping = time.Hour }, 18},
		{"share", 20, func(l []Candidate) { l[19].Share = at(1) }, 18},
		{"group's hash", 20, func(l []Candidate) { l[19].Group = 1000 }, 18},
		{"discouraged", 20, func(l []Candidate) { l[0].Discouraged, l[13].Discouraged, l[19].Group = true, true, 1 }, 13},
		{"largest group", 20, func(l []Candidate) { l[13].Group, l[14].Group = 1, 1; l[19].Group = 2 }, 14},
		{"of equal groups the younger", 20, func(l []Candidate) {
			l[13].Group, l[14].Group, l[15].Group, l[16].Group = 1, 1, 3, 3
		}, 16},
		{"time saves the old half of a group", 20, func(l []Candidate) {
			for i := range 8 {
				l[i].Group = 1
			}
		}, 19},
	}
	for _, test := range tests {
		list := plain(test.n)
		if test.change != nil {
			test.change(list)
		}
		before := slices.Clone(list)
		got, ok := Select(list)
		if ok != (test.want >= 0) || ok && got != test.want {
			t.Errorf("%s: %d %v, want %d", test.name, got, ok, test.want)
		}
		if !slices.Equal(before, list) {
			t.Errorf("%s: the list was changed", test.name)
		}
	}
}

// TestMerits: of each kind so many stay, however often somebody is let go.
func TestMerits(t *testing.T) {
	const n = 114
	tests := []struct {
		name  string
		merit func(i int, c *Candidate)
		want  int
	}{
		{"ping", func(i int, c *Candidate) { c.Ping = time.Duration(i+1) * time.Millisecond }, Pings},
		{"share", func(i int, c *Candidate) { c.Share = at(-i) }, Shares},
	}
	for _, test := range tests {
		list := plain(n)
		for i := range list {
			list[i].Group = uint64(1 + i%2) // two groups: only two are set aside for theirs
			test.merit(n-1-i, &list[i])     // the youngest are best
		}
		_, stay := evictAll(list)
		for i := n - test.want; i < n; i++ {
			if !slices.Contains(stay, i) {
				t.Errorf("%s: the best but %d went", test.name, n-1-i)
			}
		}
		if len(stay) > test.want+4 {
			t.Errorf("%s: %d stay", test.name, len(stay))
		}
	}
}

// TestDisadvantaged: a quarter of the rest are the longest connected of other
// networks, in equal parts, though all others are connected longer.
func TestDisadvantaged(t *testing.T) {
	list := plain(100)
	for i := 60; i < 100; i++ {
		c := &list[i]
		switch {
		case i < 90:
			c.Network = netaddr.TorV3
		case i < 96:
			c.Local = true
		default:
			c.Network = netaddr.I2P
		}
		c.Group = 500 // all of one group
	}
	s := selection{list: list}
	for i := range list {
		s.rest = append(s.rest, i)
	}
	s.protectTime()
	count := make(map[string]int)
	for i := range list {
		if slices.Contains(s.rest, i) {
			continue
		}
		switch c := list[i]; {
		case c.Local:
			count["local"]++
		case c.Network == netaddr.IPv4:
			count["clearnet"]++
		default:
			count[c.Network.String()]++
		}
	}
	if count["i2p"] != 4 || count["local"] != 6 || count["onion"] != 15 || count["clearnet"] != 25 {
		t.Errorf("set aside: %v", count)
	}
	// Without them the half is the others'.
	s = selection{list: list[:60]}
	for i := range 60 {
		s.rest = append(s.rest, i)
	}
	s.protectTime()
	if len(s.rest) != 30 || s.rest[0] != 30 {
		t.Errorf("rest: %v", s.rest)
	}
}

// TestSelectProperties: whatever the candidates are, the one let go is not
// protected and has no merit that fewer others have.
func TestSelectProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Candidate {
			c := Candidate{
				Protected: rapid.IntRange(0, 9).Draw(t, "protected") == 0,
				Group:     rapid.Uint64Range(0, 30).Draw(t, "group"),
				Network:   rapid.SampledFrom([]netaddr.Network{netaddr.IPv4, netaddr.TorV3, netaddr.I2P}).Draw(t, "network"),
				Local:     rapid.Bool().Draw(t, "local"),
				Connected: at(rapid.IntRange(0, 99).Draw(t, "connected")),
				Ping:      time.Duration(rapid.IntRange(0, 20).Draw(t, "ping")),
			}
			if s := rapid.IntRange(0, 20).Draw(t, "share"); s > 0 {
				c.Share = at(s)
			}
			return c
		}), 0, 150).Draw(t, "list")
		free, better, fresher, older := 0, 0, 0, 0
		i, ok := Select(list)
		for _, c := range list {
			if !c.Protected {
				free++
			}
			if ok && !c.Protected {
				got := list[i]
				if c.Ping > 0 && (got.Ping == 0 || c.Ping <= got.Ping) {
					better++
				}
				if !c.Share.IsZero() && !c.Share.Before(got.Share) {
					fresher++
				}
				if c.Connected.Before(got.Connected) || c.Connected.Equal(got.Connected) {
					older++
				}
			}
		}
		switch {
		case !ok && free > Groups+Pings+Shares:
			t.Fatalf("nobody of %d is let go", free)
		case !ok:
		case list[i].Protected:
			t.Fatal("a protected one is let go")
		case list[i].Ping > 0 && better <= Pings:
			t.Fatalf("the one with the ping no. %d is let go", better)
		case !list[i].Share.IsZero() && fresher <= Shares:
			t.Fatalf("the one with the share no. %d is let go", fresher)
		case older == 1 && free > Groups+Pings+Shares+1:
			t.Fatal("the longest connected is let go")
		}
	})
}

// siege is a node under attack.
type siege struct {
	slots  int
	peers  []Candidate
	honest map[uint64]bool // by group
	now    int
	rand   *rand.Rand
	// unruled lets anybody go by lot.
	unruled bool
}

// knock has somebody connect, and lets somebody go for it.
func (s *siege) knock(c Candidate) {
	s.now++
	c.Connected = at(s.now)
	if len(s.peers) >= s.slots {
		i, ok := Select(s.peers)
		if s.unruled {
			i, ok = s.rand.IntN(len(s.peers)), true
		}
		if !ok {
			return
		}
		s.peers = slices.Delete(s.peers, i, i+1)
	}
	s.peers = append(s.peers, c)
}

// attack opens n connections from k groups with merits as the attacker can have
// them: the lowest pings, and if he mines, the latest shares.
func (s *siege) attack(n, k int, groups []uint64, mines bool) {
	for i := range n {
		c := Candidate{Group: groups[i%k], Network: netaddr.IPv4, Ping: time.Millisecond}
		if mines {
			c.Share = at(s.now + 1)
		}
		s.knock(c)
	}
}

// welcome connects n honest peers, each from its own group; every fifth has brought
// a share.
func (s *siege) welcome(n int) {
	for i := range n {
		c := Candidate{Group: s.rand.Uint64(), Network: netaddr.IPv4, Ping: time.Duration(50+s.rand.IntN(200)) * time.Millisecond}
		if i%5 == 0 {
			c.Share = at(s.now)
		}
		s.honest[c.Group] = true
		s.knock(c)
	}
}

func (s *siege) count() (honest int) {
	for _, c := range s.peers {
		if s.honest[c.Group] {
			honest++
		}
	}
	return honest
}

// TestSiege prints how many of 114 slots stay with honest peers when an attacker
// opens 1,000 connections from k groups: after the honest ones came, and before
// them, with ten more attempts for each of theirs.
func TestSiege(t *testing.T) {
	const slots, conns = 114, 1000
	t.Logf("honest peers left in %d slots, of 114 that were there before %d attacks, and of 60 that come later", slots, conns)
	t.Logf("groups   before   before, attacker mines   later")
	for _, k := range []int{1, 4, 16, 64, 250, 1000} {
		r := rand.New(rand.NewPCG(1, uint64(k)))
		groups := make([]uint64, k)
		for i := range groups {
			groups[i] = r.Uint64()
		}
		run := func(f func(*siege)) int {
			s := &siege{slots: slots, honest: make(map[uint64]bool), rand: r}
			f(s)
			return s.count()
		}
		before := run(func(s *siege) { s.welcome(slots); s.attack(conns, k, groups, false) })
		mining := run(func(s *siege) { s.welcome(slots); s.attack(conns, k, groups, true) })
		later := run(func(s *siege) {
			s.attack(conns, k, groups, false)
			for range 60 {
				s.welcome(1)
				s.attack(10, k, groups, false)
			}
		})
		t.Logf("%6d   %6d   %22d   %5d", k, before, mining, later)
		if n := run(func(s *siege) { s.unruled = true; s.welcome(slots); s.attack(conns, k, groups, false) }); n > 5 {
			t.Errorf("%d groups: %d honest peers survive a choice by lot: the attack is none", k, n)
		}
		// What he can have: the places for pings and shares, some for groups whose
		// hash is high by chance, and those that are let go for the next.
		if before < slots-Pings-Groups-2 || mining < slots-Pings-Shares-Groups-2 {
			t.Errorf("%d groups: %d honest peers are left, %d if the attacker mines", k, before, mining)
		}
		if k <= 4 && later < 50 || k <= 16 && later < 40 || later < Shares {
			t.Errorf("%d groups: %d honest peers got in later", k, later)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	list := plain(114)
	for i := range list {
		list[i].Ping = time.Duration(i + 1)
		list[i].Local = i%4 == 0
	}
	for b.Loop() {
		Select(list)
	}
}
