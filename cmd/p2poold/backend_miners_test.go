package main

import (
	"reflect"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// TestByAddress: the workers of an address are added up, and the fastest address is first.
func TestByAddress(t *testing.T) {
	got := byAddress([]rpcserver.MinerInfo{
		{Address: "a", HashRate: 1, Accepted: 90, Stale: 10, BestDifficulty: 7, LastSubmit: 5, Connections: 1},
		{Address: "b", HashRate: 10, HashRateDay: 3, Accepted: 1},
		{Address: "a", HashRate: 2, Accepted: 90, Stale: 10, BestDifficulty: 8, LastSubmit: 4, Shares: 2, Rejected: 3},
	})
	want := []rpcserver.MinerAddress{
		{Address: "b", Workers: 1, HashRate: 10, HashRateDay: 3, Accepted: 1},
		{Address: "a", Workers: 2, Connections: 1, LastSubmit: 5, BestDifficulty: 8, HashRate: 3, Accepted: 180, Shares: 2, Stale: 20, Rejected: 3, DeadOnArrival: 0.1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n%+v\n%+v", got, want)
	}
	if got := byAddress(nil); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
}
