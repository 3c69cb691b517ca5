package main

import (
	"net/netip"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// TestNetworkInfo has a node tell over RPC which networks it reaches, and how, and
// where it is reached itself.
func TestNetworkInfo(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, _ := startNode(t, t.TempDir(), fake, "--onion=127.0.0.1:1", "--onlynet=onion", "--listen=127.0.0.1:0=onion", "--externalip="+testOnion)
	info := call[rpcserver.NetworkInfo](t, p, "getnetworkinfo")
	if len(info.Networks) != 5 || info.Connections != 0 || info.UserAgent == "" || info.Services != "0000000000000800" {
		t.Errorf("%+v", info)
	}
	want := rpcserver.NetworkState{Name: "onion", Reachable: true, Proxy: "127.0.0.1:1", Isolated: true}
	if info.Networks[2] != want || !info.Networks[0].Limited || info.Networks[0].Reachable {
		t.Errorf("%+v", info.Networks)
	}
	own := rpcserver.LocalAddress{Address: testOnion + ":29333", Network: "onion", Source: "externalip"}
	if len(info.LocalAddresses) != 1 || info.LocalAddresses[0] != own {
		t.Errorf("%+v", info.LocalAddresses)
	}
	if m := (rpcserver.PortMapping{}); info.PortMapping != m {
		t.Errorf("%+v", info.PortMapping)
	}
	p.stop(t)
	got := portMapping(p2p.PortMappingInfo{Enabled: true, Protocol: "UPnP", Port: 1, Addr: netip.MustParseAddr("8.8.8.8")})
	if want := (rpcserver.PortMapping{Enabled: true, Protocol: "UPnP", Port: 1, Address: "8.8.8.8"}); got != want {
		t.Errorf("%+v", got)
	}
	for n, want := range map[netaddr.Network]string{0: "not_publicly_routable", netaddr.IPv6: "ipv6", netaddr.I2P: "i2p"} {
		if got := networkName(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
