package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checked returns the configuration that arguments make.
func checked(t *testing.T, args ...string) *config {
	t.Helper()
	cfg, err := loadConfig(append([]string{"--network=regtest", "--datadir=" + t.TempDir(), "--address=" + regP2WPKH}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestCheckPlaces: for a restart, whatever the new program would end by is found before.
func TestCheckPlaces(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	const pid = 42
	free := []string{"--listen=127.0.0.1:0", "--stratumlisten=127.0.0.1:0", "--rpclisten=127.0.0.1:0"}
	own := formatSockets([]socket{{firstFD, portsStratum, addr}}, pid)
	other := formatSockets([]socket{{firstFD, portsRPC, addr}}, pid)
	foreign := formatSockets([]socket{{firstFD, portsRPC, addr}}, pid+1)
	for name, tc := range map[string]struct {
		held string
		args []string
		want string // in the error; "": none
	}{
		"sound":                   {other, free, ""},
		"no certificate":          {"", []string{"--stratumcert=" + dir + "/none", "--stratumkey=" + dir + "/none"}, "stratumcert"},
		"certificate not PEM":     {"", []string{"--stratumcert=" + junk, "--stratumkey=" + junk}, "stratumcert"},
		"port in use":             {other, append(free[:1:1], "--stratumlisten="+addr, free[2]), "stratumlisten"},
		"TLS port in use":         {other, append(free[:3:3], "--stratumtlslisten="+addr), "stratumtlslisten"},
		"port for peers in use":   {other, append(free[1:3:3], "--listen="+addr), "--listen"},
		"port of its own":         {own, append(free[:1:1], "--stratumlisten="+addr, free[2]), ""},
		"port of its own for TLS": {own, append(free[:3:3], "--stratumtlslisten="+addr), ""},
		"not for a restart":       {"", append(free[:3:3], "--stratumtlslisten="+addr), ""},
		"another's restart":       {foreign, append(free[:3:3], "--stratumtlslisten="+addr), ""},
		"no place for the cookie": {other, append(free[:3:3], "--rpccookiefile="+dir+"/x/cookie"), "rpccookiefile"},
		"cookie is a directory":   {other, append(free[:3:3], "--rpccookiefile="+dir), "rpccookiefile"},
		"no place for the log":    {other, append(free[:3:3], "--logdir="+junk+"/logs"), "logdir"},
		"no place for data":       {other, append(free[:3:3], "--datadir="+junk+"/data", "--nostratumtls", "--nofilelogging", "--rpcuser=u", "--rpcpass=p"), "datadir"},
		"damaged":                 {"42 x", free, envHeld},
	} {
		cfg := checked(t, tc.args...)
		err := cfg.checkPlaces(func(key string) string {
			if key == envHeld {
				return tc.held
			}
			return ""
		}, pid)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".check-*")); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}
