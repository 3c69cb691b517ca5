package main

import (
	"slices"
	"strings"
	"testing"
)

// TestNewsOptions: where the node hears of blocks, by the options.
func TestNewsOptions(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args []string
		p2p  string
		find bool
	}{
		{nil, "", true},
		{[]string{"--network=signet"}, "", true},
		{[]string{"--network=regtest"}, "", false},
		{[]string{"--bitcoinp2p=0"}, "", false},
		{[]string{"--bitcoinp2p=10.0.0.1"}, "10.0.0.1:8333", false},
		{[]string{"--bitcoinp2p=::1", "--network=testnet4"}, "[::1]:48333", false},
		{[]string{"--bitcoinp2p=node:1234", "--speculate"}, "node:1234", false},
	} {
		b := mustLoad(t, tc.args...).Bitcoin
		if b.p2p != tc.p2p || b.findP2P != tc.find {
			t.Errorf("%q: %q, find %v", tc.args, b.p2p, b.findP2P)
		}
	}
	got := mustLoad(t, "--zmq=tcp://127.0.0.1:28332", "--zmq=tcp://[::1]:28333").Bitcoin.ZMQ
	if want := []string{"tcp://127.0.0.1:28332", "tcp://[::1]:28333"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}

	wantError(t, "--zmq", "--zmq=127.0.0.1:28332")
	wantError(t, "has no port", "--zmq=tcp://127.0.0.1")
	wantError(t, "has no host", "--zmq=tcp://:28332")
	wantError(t, "--zmq", "--zmq=ipc:///tmp/zmq")
	wantError(t, "--bitcoinp2p", "--bitcoinp2p=http://x")
	wantError(t, "needs --bitcoinp2p", "--speculate")
	wantError(t, "which is 0", "--speculate", "--bitcoinp2p=0")
	many := strings.Split(strings.TrimSpace(strings.Repeat("--zmq=tcp://a:1 ", maxZMQ+1)), " ")
	wantError(t, "at most 16", many...)
}
