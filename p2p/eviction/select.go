package eviction

import (
	"cmp"
	"slices"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// How many are set aside for each merit. Together 20, as in Bitcoin Core without
// its slots for peers that relay blocks only: less than a fifth of 114 slots, so
// that there is somebody to let go.
const (
	// Groups is the number of network groups of which one peer each is set aside.
	Groups = 4
	// Pings is the number of peers set aside for their round trip.
	Pings = 8
	// Shares is the number of peers set aside for the shares they brought: Bitcoin
	// Core's four for transactions and four for blocks.
	Shares = 8
)

// Candidate is an inbound connection.
type Candidate struct {
	// Protected is set if it must not be let go.
	Protected bool
	// Discouraged is set if it goes before others without merits: a rule was broken
	// from its address lately.
	Discouraged bool
	// Group stands for its network group. It is a hash with a secret key, so that
	// nobody can choose groups whose hash is high.
	Group uint64
	// Network is what it came over. Local is set if it came from this machine.
	Network netaddr.Network
	Local   bool
	// Connected is when it was accepted.
	Connected time.Time
	// Ping is its shortest round trip; 0: none known.
	Ping time.Duration
	// Share is when it last brought a valid share that was new; zero: never.
	Share time.Time
}

// Select returns the index of the candidate to let go. It reports false if there is
// none to spare. The list is not changed.
func Select(list []Candidate) (int, bool) {
	rest := make([]int, 0, len(list))
	for i := range list {
		if !list[i].Protected {
			rest = append(rest, i)
		}
	}
	s := selection{list, rest}
	s.protectGroups()
	s.protect(Pings, func(c *Candidate) bool { return c.Ping > 0 },
		func(a, b *Candidate) int { return cmp.Compare(a.Ping, b.Ping) })
	s.protect(Shares, func(c *Candidate) bool { return !c.Share.IsZero() },
		func(a, b *Candidate) int { return b.Share.Compare(a.Share) })
	s.protectTime()
	return s.youngestOfLargest()
}

// selection is a list of candidates, and which of them may still be let go.
type selection struct {
	list []Candidate
	rest []int
}

// protect sets aside the first n in an order, of those that have what it is
// about. Of equals the longer connected come first.
func (s *selection) protect(n int, has func(*Candidate) bool, order func(a, b *Candidate) int) int {
	with := slices.DeleteFunc(slices.Clone(s.rest), func(i int) bool { return !has(&s.list[i]) })
	slices.SortStableFunc(with, func(i, j int) int {
		a, b := &s.list[i], &s.list[j]
		return cmp.Or(order(a, b), a.Connected.Compare(b.Connected))
	})
	with = with[:min(n, len(with))]
	s.rest = slices.DeleteFunc(s.rest, func(i int) bool { return slices.Contains(with, i) })
	return len(with)
}

// protectGroups sets aside the longest connected of each of the groups whose hash
// is highest.
func (s *selection) protectGroups() {
	var hashes []uint64
	for _, i := range s.rest {
		hashes = append(hashes, s.list[i].Group)
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	for _, hash := range hashes[max(0, len(hashes)-Groups):] {
		s.protect(1, func(c *Candidate) bool { return c.Group == hash }, byTime)
	}
}

// byTime is the order of connection.
func byTime(a, b *Candidate) int { return a.Connected.Compare(b.Connected) }

// disadvantaged are the kinds of connections that never have the lowest round
// trip: those through other networks, and those from this machine, where such a
// network's program runs. If several have equally many, the first comes first.
var disadvantaged = []func(*Candidate) bool{
	func(c *Candidate) bool { return c.Network == netaddr.I2P },
	func(c *Candidate) bool { return c.Local },
	func(c *Candidate) bool { return c.Network == netaddr.TorV3 },
}

// protectTime sets aside the half of the rest that is connected longest. Half of
// those places are for networks at a disadvantage, as equal parts as they can fill.
func (s *selection) protectTime() {
	half := len(s.rest) / 2
	taken := 0
	filled := make([]int, len(disadvantaged))
	for taken < half/2 {
		best := -1
		for k, is := range disadvantaged {
			some := slices.ContainsFunc(s.rest, func(i int) bool { return is(&s.list[i]) })
			if some && (best < 0 || filled[k] < filled[best]) {
				best = k
			}
		}
		if best < 0 {
			break
		}
		filled[best]++
		taken += s.protect(1, disadvantaged[best], byTime)
	}
	s.protect(half-taken, func(*Candidate) bool { return true }, byTime)
}

// youngestOfLargest returns the latest connection of the group that has most of
// the rest; of equally large groups, the one with the latest connection. If some are
// discouraged, the rest is those.
func (s *selection) youngestOfLargest() (int, bool) {
	welcome := func(i int) bool { return !s.list[i].Discouraged }
	if bad := slices.DeleteFunc(slices.Clone(s.rest), welcome); len(bad) > 0 {
		s.rest = bad
	}
	size := make(map[uint64]int)
	for _, i := range s.rest {
		size[s.list[i].Group]++
	}
	if len(s.rest) == 0 {
		return 0, false
	}
	return slices.MaxFunc(s.rest, func(i, j int) int {
		a, b := &s.list[i], &s.list[j]
		return cmp.Or(cmp.Compare(size[a.Group], size[b.Group]), byTime(a, b))
	}), true
}
