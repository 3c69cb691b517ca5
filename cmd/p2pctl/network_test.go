package main

import (
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

func TestNetworkTable(t *testing.T) {
	got := tableOf(t, "getnetworkinfo", rpcserver.NetworkInfo{
		ConnectionsIn: 3, ConnectionsOut: 9,
		Networks: []rpcserver.NetworkState{
			{Name: "ipv4", Limited: true, ConnectionsIn: 1},
			{Name: "onion", Reachable: true, Proxy: "127.0.0.1:9050", ConnectionsIn: 2, ConnectionsOut: 8},
			{Name: "cjdns"},
		},
		LocalAddresses: []rpcserver.LocalAddress{{Address: "abc.onion:9333", Source: "externalip"}, {Address: "1.2.3.4:5", Source: "selfdial"}},
		PortMapping:    rpcserver.PortMapping{Enabled: true, Protocol: "UPnP", Port: 9333},
	})
	want := "NETWORK  FOUND NODES         PROXY           IN  OUT\n" +
		"ipv4     left out            -               1   0\n" +
		"onion    dialed              127.0.0.1:9050  2   8\n" +
		"cjdns    out of reach        -               0   0\n" +
		"all                                          3   9\n" +
		"own      abc.onion:9333      externalip\n" +
		"         1.2.3.4:5           selfdial\n" +
		"router   forwards port 9333  UPnP\n"
	if trim(got) != trim(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
