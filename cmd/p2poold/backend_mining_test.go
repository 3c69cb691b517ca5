package main

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// testPayee returns a P2WPKH address of regtest.
func testPayee(n *node, i byte) string {
	script := append([]byte{0x00, 0x14, i}, make([]byte, 19)...)
	return rpcserver.Address(script, n.cfg.params.Bitcoin)
}

// TestPayoutChances has one share by each of sixteen payees: too many for class
// 12, so that some draw, and few enough for the others.
func TestPayoutChances(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	const payees = 16
	for i := range byte(payees) {
		mine(t, n, testPayee(n, i), 1)
	}
	all := call[rpcserver.Payouts](t, p, "getpayouts")
	if all.Payees != payees || all.Skipped != 0 || len(all.Payouts) != payees || all.Class != 12 {
		t.Fatalf("%+v", all)
	}
	paid, drawing, chances := 0, 0, 0.0
	for i, row := range all.Payouts {
		if i > 0 && row.Owed > all.Payouts[i-1].Owed || len(row.Classes) != 5 {
			t.Fatalf("row %d: %+v", i, row)
		}
		small := row.Classes[0]
		if small.Class != 12 || small.Probability <= 0 || small.Probability > 1 || small.Exact && row.Amount != row.Owed ||
			row.Amount != 0 && row.Amount != small.Amount && row.Amount != small.Amount+1 {
			t.Errorf("row %d: %+v, paid %d", i, small, row.Amount)
		}
		if !small.Exact {
			drawing++
		}
		if chances += small.Probability; row.Amount > 0 {
			paid++
		}
		if want := (rpcserver.ClassChance{Class: 36, Exact: true, Probability: 1, Amount: row.Owed}); row.Classes[1] != want {
			t.Errorf("row %d: %+v, want %+v", i, row.Classes[1], want)
		}
	}
	if paid > 12 || drawing == 0 || math.Abs(chances-float64(paid)) > 1e-9 {
		t.Errorf("%d are paid, %d draw, the chances sum to %v", paid, drawing, chances)
	}
	for _, row := range call[rpcserver.Payouts](t, p, "getpayouts", 36).Payouts {
		if row.Amount != row.Owed {
			t.Errorf("class 36 pays %d of %d", row.Amount, row.Owed)
		}
	}
	checkPages(t, p, &all)
	callError(t, p, rpcserver.CodeNotFound, "no share of the window pays "+regP2WPKH, "getpayouts", 12, regP2WPKH)
	callError(t, p, rpcserver.CodeInvalidParams, `getpayouts: "1bad" is not a Bitcoin address`, "getpayouts", 12, "1bad")
	callError(t, p, rpcserver.CodeInvalidParams, "is an address of mainnet", "getpayouts", 12, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
	callError(t, p, rpcserver.CodeInvalidParams, "count must be", "getpayouts", 12, "", 0)
	p.stop(t)
}

// checkPages reads the list again in pieces, and payee by payee.
func checkPages(t *testing.T, p *program, all *rpcserver.Payouts) {
	t.Helper()
	var rows []rpcserver.Payout
	for skip := 0; skip < all.Payees; skip += 5 {
		page := call[rpcserver.Payouts](t, p, "getpayouts", 0, "", 5, skip)
		if page.Skipped != skip || page.Payees != all.Payees || page.TotalScore != all.TotalScore || page.Tip != all.Tip {
			t.Errorf("page %+v", page)
		}
		rows = append(rows, page.Payouts...)
	}
	if !reflect.DeepEqual(rows, all.Payouts) {
		t.Errorf("pages %+v, all %+v", rows, all.Payouts)
	}
	if page := call[rpcserver.Payouts](t, p, "getpayouts", nil, nil, nil, 1_000_000); page.Skipped != all.Payees || len(page.Payouts) != 0 {
		t.Errorf("behind the end: %+v", page)
	}
	for rank, row := range all.Payouts {
		// Bech32 knows both cases, but not mixed.
		for _, address := range []string{row.Address, strings.ToUpper(row.Address)} {
			got := call[rpcserver.Payouts](t, p, "getpayouts", 12, address)
			if got.Skipped != rank || len(got.Payouts) != 1 || !reflect.DeepEqual(got.Payouts[0], row) {
				t.Errorf("rank %d: %+v", rank, got)
			}
		}
	}
}
