package main

import (
	"strings"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
)

func TestMinerOptions(t *testing.T) {
	withHome(t)
	cfg := mustLoad(t, "--network=regtest", "--coinbaseclass=Whatsminer/:36", "--coinbaseclass=*tuner:144")
	for agent, want := range map[string]share.Class{
		"whatsminer/v1": share.Class36, "bosminer-plus-tuner 1": share.Class144, "cpuminer/2": share.Class288, "other": share.Class12,
	} {
		if got := cfg.Stratum.devices.For(agent).Class; got != want {
			t.Errorf("%s: class %v, want %v", agent, got, want)
		}
	}
	if cfg.Stratum.InvalidAddress != invalidReject {
		t.Errorf("invalid addresses: %s", cfg.Stratum.InvalidAddress)
	}
	if d := cfg.Stratum.MinDifficulty; d != 1e-7 {
		t.Errorf("least difficulty %g", d)
	}
	mustLoad(t, "--network=regtest", "--mindifficulty=1e-9")
	mustLoad(t, "--network=regtest", "--invalidaddress=node", "--address="+regP2WPKH)

	for _, test := range []struct{ arg, want string }{
		{"--coinbaseclass=cpuminer", "--coinbaseclass: \"cpuminer\": write USERAGENT:CLASS"},
		{"--coinbaseclass=cpuminer:13", "--coinbaseclass: unknown output class"},
		{"--invalidaddress=node", "--invalidaddress: this needs --address"},
		{"--mindifficulty=1e-10", "--mindifficulty: it must be from 1e-09 to 1e+09"},
		{"--mindifficulty=NaN", "--mindifficulty: it must be from 1e-09 to 1e+09"},
		{"--invalidaddress=pay", "--invalidaddress: it must be reject or node"},
	} {
		if _, err := loadConfig([]string{"--network=regtest", test.arg}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.arg, err, test.want)
		}
	}
}
