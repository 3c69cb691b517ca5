package main

import (
	"testing"

	"github.com/p2poold/p2poold/p2p"
)

// TestMDNS: who is looked for in the local network, by default and by what else is
// wanted.
func TestMDNS(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args []string
		want int
	}{
		{nil, p2p.DefaultLAN},
		{[]string{"--network=signet"}, p2p.DefaultLAN},
		{[]string{"--nolisten"}, p2p.DefaultLAN},
		{[]string{"--addnode=a"}, p2p.DefaultLAN},
		{[]string{"--onlynet=ipv4"}, p2p.DefaultLAN},
		{[]string{"--onion=127.0.0.1"}, p2p.DefaultLAN},
		{[]string{"--nomdns"}, 0},
		{[]string{"--connect=a"}, 0},
		{[]string{"--connect=a", "--nomdns=0"}, 0},
		{[]string{"--proxy=127.0.0.1"}, 0},
		{[]string{"--onlynet=ipv6"}, 0},
		{[]string{"--onlynet=onion", "--onion=127.0.0.1"}, 0},
		{[]string{"--network=regtest"}, 0},
		{[]string{"--network=regtest", "--nomdns"}, 0},
		{[]string{"--network=regtest", "--nomdns=0"}, p2p.DefaultLAN},
	} {
		if got := mustLoad(t, tc.args...).maxLAN(); got != tc.want {
			t.Errorf("%q: %d", tc.args, got)
		}
	}
	if got := mustLoad(t, "-C", writeConf(t, "network=regtest\nnomdns=0\n")).maxLAN(); got != p2p.DefaultLAN {
		t.Errorf("by the conf file: %d", got)
	}
}

// TestMapping: the router is asked only if it is wanted, and not for what it can't
// do.
func TestMapping(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args []string
		want p2p.PortMapping
	}{
		{nil, p2p.PortMapping{}},
		{[]string{"--upnp"}, p2p.PortMapping{UPnP: true}},
		{[]string{"--natpmp", "--upnp"}, p2p.PortMapping{UPnP: true, NATPMP: true}},
		{[]string{"--upnp", "--listen=127.0.0.1:1", "--listen=192.168.1.7"}, p2p.PortMapping{UPnP: true}},
		{[]string{"--upnp", "--listen=[::]:1"}, p2p.PortMapping{UPnP: true}},
		{[]string{"--upnp", "--connect=a", "--listen=:1"}, p2p.PortMapping{UPnP: true}},
	} {
		if got := mustLoad(t, tc.args...).mapping(); got != tc.want {
			t.Errorf("%q: %+v", tc.args, got)
		}
	}
	wantError(t, "--upnp: there is nothing to forward", "--upnp", "--nolisten")
	wantError(t, "--natpmp: there is nothing to forward", "--natpmp", "--connect=a")
	wantError(t, "--natpmp: there is nothing to forward", "--natpmp", "--proxy=127.0.0.1")
	wantError(t, "--upnp: there is nothing to forward", "--upnp", "--listen=127.0.0.1:5=onion")
	wantError(t, "--upnp: no router can forward to 127.0.0.1:9333", "--upnp", "--listen=127.0.0.1")
	wantError(t, "--upnp: no router can forward to [fd00::1]:9333", "--upnp", "--listen=fd00::1")
}
