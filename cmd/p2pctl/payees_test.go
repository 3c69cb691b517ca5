package main

import (
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

func TestTerms(t *testing.T) {
	for _, tc := range []struct {
		info rpcserver.Info
		want string
	}{
		{rpcserver.Info{}, "Payout address none: miners must log in with their own Fee none Donation none Tip"},
		{rpcserver.Info{Address: "a", Addresses: []string{"a", "b"}, Fee: 1.5, Donation: 0.25, DonationAddress: "d"},
			"Payout address a b Fee 1.5 % Donation 0.25 % to d Tip"},
	} {
		got := strings.Join(strings.Fields(tableOf(t, "getinfo", tc.info)), " ")
		if !strings.Contains(got, tc.want) {
			t.Errorf("%q is missing in %s", tc.want, got)
		}
	}
}

func TestPayoutAddressTable(t *testing.T) {
	got := tableOf(t, "getpayoutaddresses", []rpcserver.PayoutAddress{
		{Address: "a", Derived: true, Index: 2, Current: true, Paid: true}, {Address: "b", Derived: true, Index: 1, Paid: true},
		{Address: "c", Source: 1, Current: true}, {Address: "d", Source: 2, Derived: true, Current: true},
	})
	want := "SOURCE  INDEX  ADDRESS  STATE\n1       2      a        in use, paid\n1       1      b        paid\n2       -      c        in use\n3       0      d        in use\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := tableOf(t, "getpayoutaddresses", []rpcserver.PayoutAddress{}); !strings.Contains(got, "no payout address") {
		t.Error(got)
	}
}
