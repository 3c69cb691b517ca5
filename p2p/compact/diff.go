package compact

import (
	"sort"

	"github.com/p2poold/p2poold/p2p/message"
)

// segments names list by base. Both hold transactions of one pool, so that equal
// pointers mean equal transactions. Copied is the longest common subsequence: of
// lists without repetitions that is the longest ascending run of places.
func segments(list, base []*Tx, key *idKey) []message.Segment {
	place := make(map[*Tx]int, len(base))
	for i, tx := range base {
		place[tx] = i
	}
	at := make([]int, len(list)) // in base; -1: not there
	for i, tx := range list {
		at[i] = -1
		if p, ok := place[tx]; ok {
			at[i] = p
		}
	}
	copied := ascending(at)

	var out []message.Segment
	next := 0 // place in base
	for i, tx := range list {
		if copied[i] {
			// A stretch goes on if nothing is passed over, nor fresh in between.
			if n := len(out); n > 0 && at[i] == next && len(out[n-1].Fresh) == 0 {
				out[n-1].Copy++
			} else {
				out = append(out, message.Segment{Skip: at[i] - next, Copy: 1})
			}
			next = at[i] + 1
			continue
		}
		if len(out) == 0 {
			out = append(out, message.Segment{})
		}
		last := &out[len(out)-1]
		last.Fresh = append(last.Fresh, key.short(&tx.WTxID))
	}
	return out
}

// ascending marks the members of a longest strictly ascending subsequence, those
// below zero left out (patience sorting, n log n).
func ascending(at []int) []bool {
	var tails []int                // tails[k]: index of the least end of a run of k+1
	before := make([]int, len(at)) // index of the one before in the run
	member := make([]bool, len(at))
	for i, v := range at {
		if v < 0 {
			continue
		}
		k := sort.Search(len(tails), func(k int) bool { return at[tails[k]] >= v })
		before[i] = -1
		if k > 0 {
			before[i] = tails[k-1]
		}
		if k == len(tails) {
			tails = append(tails, i)
		} else {
			tails[k] = i
		}
	}
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			member[i] = true
		}
	}
	return member
}

// expand is the reverse of segments: it returns the list with nil for the
// transactions that known doesn't have, and the places and short ids of those. ok
// is false if base is shorter than the segments say.
func expand(segs []message.Segment, base []*Tx, known func(message.ShortID) *Tx) (list []*Tx, missing []int, ids []message.ShortID, ok bool) {
	next := 0
	for i := range segs {
		s := &segs[i]
		next += s.Skip
		if s.Copy > len(base)-next {
			return nil, nil, nil, false
		}
		list = append(list, base[next:next+s.Copy]...)
		next += s.Copy
		for _, id := range s.Fresh {
			tx := known(id)
			if tx == nil {
				missing = append(missing, len(list))
				ids = append(ids, id)
			}
			list = append(list, tx)
		}
	}
	return list, missing, ids, true
}
