package rpcserver

import "context"

// MergedBackend tells what is mined of other chains.
type MergedBackend interface {
	// MergedMining returns one entry per node of --mergedmining, in that order.
	MergedMining(ctx context.Context) ([]MergedChain, error)
}

// MergedChain is one row of getmergedmining. The counts are of solutions since the
// start; those in none but found are on their way, or the node could not be reached.
type MergedChain struct {
	URL        string  `json:"url"`        // of the node, without user, password and options
	Address    string  `json:"address"`    // paid, on that chain; empty: the node's own wallet is
	ChainID    int64   `json:"chainid"`    // -1: not known yet
	Healthy    bool    `json:"healthy"`    // the node answers, and jobs commit to its block
	Error      string  `json:"error"`      // what was wrong last, be it over or not; empty: nothing yet
	Height     uint32  `json:"height"`     // of the block that is mined; 0: none, or the node does not say
	Hash       string  `json:"hash"`       // of that block; empty: none
	Difficulty float64 `json:"difficulty"` // of that block; 0: none
	Found      uint64  `json:"found"`      // solutions
	Accepted   uint64  `json:"accepted"`   // that the node has taken
	Rejected   uint64  `json:"rejected"`   // that it has not
	Stale      uint64  `json:"stale"`      // that came when its chain had moved on
	LastFound  int64   `json:"lastfound"`  // time of the last solution; 0: none yet
}

func mergedMethods() []method {
	return []method{{
		name: "getmergedmining", area: areaMining,
		summary: "Returns the chains that are mined besides Bitcoin, with their nodes and what was found.",
		result:  "array of objects",
		handle:  func(ctx context.Context, b Backend, _ arguments) (any, error) { return list(b.MergedMining(ctx)) },
	}}
}
