package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// termRows says whom the node's jobs pay.
func termRows(w io.Writer, v *rpcserver.Info) {
	row(w, "Payout address", cmp.Or(v.Address, "none: miners must log in with their own"))
	for _, address := range v.Addresses[min(1, len(v.Addresses)):] {
		row(w, "", address)
	}
	row(w, "Fee", taken(v.Fee))
	donation := taken(v.Donation)
	if v.Donation > 0 {
		donation += " to " + v.DonationAddress
	}
	row(w, "Donation", donation)
}

// taken formats a part of the miners' jobs.
func taken(p float64) string {
	if p == 0 {
		return "none"
	}
	return strconv.FormatFloat(p, 'f', -1, 64) + " %"
}

func payoutAddressTable(w io.Writer, list []rpcserver.PayoutAddress, _ time.Time) {
	if len(list) == 0 {
		row(w, "no payout address: miners must log in with their own")
		return
	}
	row(w, "SOURCE", "INDEX", "ADDRESS", "STATE")
	for _, a := range list {
		index, state := "-", "in use"
		if a.Derived {
			index = fmt.Sprint(a.Index)
			switch {
			case !a.Current:
				state = "paid"
			case a.Paid:
				state = "in use, paid"
			}
		}
		row(w, a.Source+1, index, a.Address, state)
	}
}
