package rpcserver

import "context"

// RelayInfo is the answer of getrelayinfo. All but the sizes at the end of
// transactions are counts since the start.
type RelayInfo struct {
	Shares       RelayedShares  `json:"shares"`       // from peers
	Transactions RelayedTxLists `json:"transactions"` // lists of the transactions of shares
	Blocks       RelayedBlocks  `json:"blocks"`       // Bitcoin blocks found by other nodes
}

// RelayedShares counts what became of the shares of peers.
type RelayedShares struct {
	Valid     uint64 `json:"valid"`
	Invalid   uint64 `json:"invalid"`   // that broke a rule
	Undecided uint64 `json:"undecided"` // that something was missing for
	Ignored   uint64 `json:"ignored"`   // duplicates, and those that our own trouble kept us from judging
	Stalls    uint64 `json:"stalls"`    // requests that peers let expire
}

// RelayedTxLists counts what became of lists of transactions.
type RelayedTxLists struct {
	Own      uint64 `json:"own"`      // of shares found here
	Sent     uint64 `json:"sent"`     // to peers
	Received uint64 `json:"received"` // from peers and looked at
	AtOnce   uint64 `json:"atonce"`   // of those complete without a question
	Fetched  uint64 `json:"fetched"`  // complete when missing transactions had come
	// ReconstructionRate is the part of the lists completed that needed no question: 0 to 1.
	ReconstructionRate float64 `json:"reconstructionrate"`
	Second             uint64  `json:"second"`       // complete from a second list
	NoBase             uint64  `json:"nobase"`       // that referred to a list unknown here
	Mismatched         uint64  `json:"mismatched"`   // that were not what the share commits to
	Unanswered         uint64  `json:"unanswered"`   // given up as the peer did not answer
	Missing            uint64  `json:"missing"`      // transactions asked for
	FetchedBytes       uint64  `json:"fetchedbytes"` // of transactions that came
	Lists              int     `json:"lists"`        // kept now
	Known              int     `json:"known"`        // transactions kept now
	KnownBytes         int     `json:"knownbytes"`   // of those
}

// RelayedBlocks counts Bitcoin blocks of other nodes.
type RelayedBlocks struct {
	Received uint64 `json:"received"` // told of by peers
	Rebuilt  uint64 `json:"rebuilt"`  // and submitted to our Bitcoin node
}

func relayMethods() []method {
	return []method{{
		name: "getrelayinfo", area: areaPeers,
		summary: "Returns what became of the shares, transactions and blocks that peers sent.",
		result:  "object",
		handle:  func(ctx context.Context, b Backend, _ arguments) (any, error) { return b.RelayInfo(ctx) },
	}}
}
