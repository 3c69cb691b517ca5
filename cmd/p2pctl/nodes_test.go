package main

import (
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// TestBitcoinNodes: several Bitcoin nodes are listed, one is not.
func TestBitcoinNodes(t *testing.T) {
	info := rpcserver.Info{Bitcoind: rpcserver.BitcoindInfo{Connected: true, Nodes: []rpcserver.BitcoinNode{
		{Addr: "a:1", Height: 7, Reason: "it is on an old block"},
		{Addr: "b:1", Height: 8, Healthy: true, Current: true}, {Addr: "c:1", Height: 8, Healthy: true},
	}}}
	got := tableOf(t, "getinfo", &info)
	for _, want := range []string{"a:1, height 7: it is on an old block\n", "b:1, height 8: mined on\n", "c:1, height 8: ready\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	info.Bitcoind.Nodes = info.Bitcoind.Nodes[1:2]
	if got := tableOf(t, "getinfo", &info); strings.Contains(got, "b:1") {
		t.Errorf("got\n%s", got)
	}
}
