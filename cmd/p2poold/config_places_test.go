package main

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMinerPorts(t *testing.T) {
	home := withHome(t)
	s := mustLoad(t, "--stratumtlslisten=:4444", "--stratumtlslisten=192.0.2.1", "--stratumcert=~/cert.pem", "--stratumkey=~/cert.pem",
		"--proxyprotocol=192.0.2.7", "--proxyprotocol=10.1.2.3/8", "--maxminers=500", "--maxminersperip=100").Stratum
	if !slices.Equal(s.TLSListen, []string{":4444", "192.0.2.1:3333"}) || s.Cert != filepath.Join(home, "cert.pem") || s.Key != s.Cert ||
		!slices.Equal(s.proxies, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("10.0.0.0/8")}) {
		t.Errorf("%+v", s)
	}
	for want, args := range map[string][]string{
		"--stratumtlslisten: :3333 is the address of --stratumlisten already": {"--stratumtlslisten=:3333"},
		"--stratumtlslisten: :9333 is the address of --listen already":        {"--stratumtlslisten=:9333"},
		"is the address of --stratumtlslisten already":                        {"--stratumtlslisten=127.0.0.1:7", "--rpclisten=127.0.0.1:7"},
		"--nostratumtls: --stratumtlslisten asks for the contrary":            {"--nostratumtls", "--stratumtlslisten=:4444"},
		"--nostratumtls: --stratumcert and --stratumkey ask":                  {"--nostratumtls", "--stratumcert=x", "--stratumkey=y"},
		"--stratumcert: this needs --stratumkey too":                          {"--stratumcert=x"},
		"--stratumkey: this needs --stratumcert too":                          {"--stratumkey=x"},
		`--proxyprotocol: "haproxy" is neither an IP address nor a network`:   {"--proxyprotocol=haproxy"},
		"--maxminers: it must be from 0 to 1000000":                           {"--maxminers=-1"},
		"--maxminersperip: it must be from 0 to 1000000":                      {"--maxminersperip=1000001"},
		"--proxyprotocol: it may be given 100 times":                          slices.Repeat([]string{"--proxyprotocol=192.0.2.7"}, maxAddresses+1),
	} {
		wantError(t, want, args...)
	}
}

// TestMinerPlaces: what the limit on open files leaves is for miners, up to the default,
// and one that is asked for in vain is an error that says what to do.
func TestMinerPlaces(t *testing.T) {
	withHome(t)
	for _, test := range []struct {
		files uint64
		args  []string
		want  int
		err   string
	}{
		{1 << 20, nil, defaultMaxMiners, ""},
		{20_000, nil, 20_000 - 125 - 8 - 64 - otherFiles, ""},
		{1024, []string{"--nomdns"}, 1024 - 125 - 64 - otherFiles, ""},
		{600, nil, 0, "leaves no room for miners: raise it"},
		{100, nil, 0, "leaves no room for miners: raise it"},
		{1 << 20, []string{"--maxminers=50000"}, 50_000, ""},
		{1 << 40, []string{"--maxminers=1000000"}, 1_000_000, ""},
		{10_000, []string{"--maxminers=50000"}, 0, "raise it (ulimit -n, or LimitNOFILE= of systemd) to 50597"},
	} {
		got, err := mustLoad(t, test.args...).minerPlaces(test.files)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%d files, %q: %d, %v", test.files, test.args, got, err)
		}
	}
	if openFiles() < 64 {
		t.Errorf("%d open files", openFiles())
	}
}
