package compact

// Stats counts events since New.
type Stats struct {
	Own        uint64 // lists of shares found here
	Sent       uint64 // lists sent to peers
	Received   uint64 // lists from peers that were worked on
	AtOnce     uint64 // of those complete at once
	Fetched    uint64 // complete after missing transactions came
	Second     uint64 // complete from the list without a base
	NoBase     uint64 // lists whose base was unknown
	Mismatched uint64 // lists that were not what the share commits to
	Unanswered uint64 // attempts that were given up after attemptTimeout

	Missing      uint64 // transactions asked for
	FetchedBytes uint64 // of transactions that came

	Blocks      uint64 // blocks that peers told of
	BlocksBuilt uint64 // of those rebuilt, to be submitted

	// Now:
	Lists     int // complete lists
	Attempts  int // unfinished ones
	Txs       int // transactions known
	PoolBytes int // of those
}

// ReconstructionRate returns which part of the lists that were completed needed no
// question: 0 to 1, 0 if there were none.
func (s *Stats) ReconstructionRate() float64 {
	return float64(s.AtOnce) / float64(max(1, s.AtOnce+s.Fetched+s.Second))
}

// Stats returns the counters.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Lists, s.Attempts = len(r.lists), len(r.attempts)
	s.Txs, s.PoolBytes = len(r.pool.txs), r.pool.bytes
	return s
}
