package main

import (
	"reflect"
	"testing"

	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	testOnion = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
	testI2P   = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p"
)

// TestProxy checks which proxies follow from the options, and what follows for
// listening.
func TestProxy(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args     []string
		want     dialer.Config
		noListen bool
	}{
		{nil, dialer.Config{}, false},
		{[]string{"--proxy=127.0.0.1"}, dialer.Config{Proxy: "127.0.0.1:9050"}, true},
		{[]string{"--proxy=[::1]:5", "--listen=:7"}, dialer.Config{Proxy: "[::1]:5"}, false},
		{[]string{"--proxy=tor:5", "--listen=127.0.0.1:7=onion"}, dialer.Config{Proxy: "tor:5"}, false},
		{[]string{"--proxy=0", "--i2p=0"}, dialer.Config{}, false},
		{[]string{"--proxy=a:5", "--onion=0"}, dialer.Config{Proxy: "a:5", NoOnion: true}, true},
		{[]string{"--proxy=a:5", "--onion=b"}, dialer.Config{Proxy: "a:5", Onion: "b:9050"}, true},
		{[]string{"--onion=b:1", "--i2p=127.0.0.1"}, dialer.Config{Onion: "b:1", I2P: "127.0.0.1:4447"}, false},
		{[]string{"--onion=b:1", "--onlynet=onion", "--onlynet=IPv6"}, dialer.Config{Onion: "b:1", Only: []netaddr.Network{netaddr.TorV3, netaddr.IPv6}}, false},
		{[]string{"--proxy=b:1", "--onlynet=onion"}, dialer.Config{Proxy: "b:1", Only: []netaddr.Network{netaddr.TorV3}}, true},
	} {
		cfg := mustLoad(t, tc.args...)
		tc.want.I2PPort = 9333
		if got := cfg.routes(); !reflect.DeepEqual(got, tc.want) || cfg.P2P.NoListen != tc.noListen {
			t.Errorf("%q: %+v, nolisten %v", tc.args, got, cfg.P2P.NoListen)
		}
		if _, err := dialer.New(cfg.routes()); err != nil {
			t.Errorf("%q: %v", tc.args, err)
		}
	}
	if cfg := mustLoad(t, "-C", writeConf(t, "proxy=127.0.0.1\nlisten=127.0.0.1:9334=onion\nonlynet=onion\nonlynet=ipv4\n")); len(cfg.P2P.hidden) != 1 || len(cfg.P2P.only) != 2 {
		t.Errorf("of the conf file: %+v", cfg.P2P)
	}
	for want, args := range map[string][]string{
		"--proxy: \"http://a\": write host:port":                                                        {"--proxy=http://a"},
		"--onion: \":9050\" has no host":                                                                {"--onion=:9050"},
		"--i2p: \"a:0\": there is no port 0":                                                            {"--i2p=a:0"},
		"--onlynet: \"tor\" is not a network; allowed are":                                              {"--onlynet=tor"},
		"--onlynet: \"cjdns\" is not a network; allowed are":                                            {"--onlynet=cjdns"},
		"--onlynet: ipv4 is named twice":                                                                {"--onlynet=ipv4", "--onlynet=ipv4"},
		"--onlynet: there is no way into Tor; give --onion":                                             {"--onlynet=onion"},
		"--onlynet: --onion=0 forbids connections to Tor":                                               {"--onlynet=onion", "--onion=0", "--proxy=a"},
		"--onlynet: there is no way into I2P; give --i2p":                                               {"--onlynet=i2p", "--proxy=a"},
		"--listen: 127.0.0.1:5 is named twice: a hidden":                                                {"--listen=127.0.0.1:5", "--listen=127.0.0.1:5=onion"},
		"--listen: 127.0.0.2:5 is named twice: a hidden":                                                {"--listen=127.0.0.2:5=i2p", "--listen=127.0.0.2:5=onion"},
		"--listen: \"127.0.0.1:5=tor\": behind the address":                                             {"--listen=127.0.0.1:5=tor"},
		"--listen: \"127.0.0.1:5=ipv4\": behind the address":                                            {"--listen=127.0.0.1:5=ipv4"},
		"--listen: \":5=onion\": name an address of this mach":                                          {"--listen=:5=onion"},
		"--listen: \"8.1.2.3:5=onion\": name an address of":                                             {"--listen=8.1.2.3:5=onion"},
		"--nolisten: --listen asks for the contrary":                                                    {"--nolisten", "--listen=127.0.0.1:5=onion"},
		"--stratumlisten: 127.0.0.1:5 is the address of --lis":                                          {"--stratumlisten=127.0.0.1:5", "--listen=127.0.0.1:5=onion"},
		"--externalip: nobody could connect: this node does":                                            {"--proxy=a", "--externalip=" + testOnion},
		"--externalip: " + testOnion + ":9333: nobody could connect; add --listen=127.0.0.1:PORT=onion": {"--externalip=" + testOnion},
		"--externalip: " + testI2P + ":0: nobody could connect; add --listen=127.0.0.1:PORT=i2p":        {"--listen=127.0.0.1:1=onion", "--externalip=" + testI2P},
		"--externalip: 8.1.2.3:9333: nobody could connect; add --listen=ADDR":                           {"--listen=127.0.0.1:1=onion", "--externalip=8.1.2.3"},
	} {
		wantError(t, want, args...)
	}
}

// TestHidden checks that addresses for hidden services are kept apart from others.
func TestHidden(t *testing.T) {
	withHome(t)
	p := mustLoad(t, "--listen=:5", "--listen=127.0.0.1=onion", "--listen=10.0.0.1:7=I2P", "--externalip="+testOnion, "--externalip="+testOnion+":80",
		"--externalip="+testI2P, "--externalip=8.1.2.3").P2P
	hidden := []p2p.HiddenService{{Listen: "127.0.0.1:9333", Network: netaddr.TorV3}, {Listen: "10.0.0.1:7", Network: netaddr.I2P}}
	if !reflect.DeepEqual(p.Listen, []string{":5"}) || !reflect.DeepEqual(p.hidden, hidden) {
		t.Errorf("%q and %+v", p.Listen, p.hidden)
	}
	for i, want := range []string{testOnion + ":9333", testOnion + ":80", testI2P + ":0", "8.1.2.3:5"} {
		if got := p.external[i].String(); got != want {
			t.Errorf("external %s, want %s", got, want)
		}
	}
	// Only for a hidden service: nothing else is opened.
	if p := mustLoad(t, "--listen=127.0.0.1:7=onion").P2P; len(p.Listen) != 0 || len(p.hidden) != 1 || p.NoListen {
		t.Errorf("%+v", p)
	}
}
