package rpcserver

import "context"

// PayoutAddress is one row of getpayoutaddresses.
type PayoutAddress struct {
	Address string `json:"address"`
	Source  int    `json:"source"`  // which --address it comes from, from 0
	Derived bool   `json:"derived"` // from a descriptor with many addresses
	Index   int64  `json:"index"`   // in the descriptor
	Current bool   `json:"current"` // jobs pay it now
	Paid    bool   `json:"paid"`    // a Bitcoin block of the pool has paid it; known of derived ones only
}

func payeeMethods() []method {
	return []method{{
		name: "getpayoutaddresses", area: areaPayout,
		summary: "Returns the node's own payout addresses: those that jobs pay, and those of descriptors that were in use before.",
		result:  "array of objects, the newest address of each descriptor first",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return list(b.PayoutAddresses(ctx))
		},
	}}
}
