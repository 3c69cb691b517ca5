package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/banman"
)

func TestBanOptions(t *testing.T) {
	home := withHome(t)
	bans := mustLoad(t).bans()
	if bans.Duration != banman.DefaultDuration || bans.Whitelist != nil || bans.File != filepath.Join(home, ".p2poold", "mainnet-main", "banlist.json") {
		t.Errorf("defaults %+v", bans)
	}
	bans = mustLoad(t, "--banduration=90m", "--whitelist=192.0.2.7", "--whitelist=10.1.2.3/8", "--whitelist=2001:db8::/32").bans()
	if want := "[192.0.2.7/32 10.0.0.0/8 2001:db8::/32]"; bans.Duration != 90*time.Minute || fmt.Sprint(bans.Whitelist) != want {
		t.Errorf("%+v, want %s", bans, want)
	}
	if bans = mustLoad(t, "--banduration=0").bans(); bans.Duration != 0 {
		t.Errorf("%+v", bans)
	}
	many := slices.Repeat([]string{"--whitelist=192.0.2.7"}, maxAddresses+1)
	for want, args := range map[string][]string{
		`--whitelist: "example.org" is neither an IP address nor a network such as 10.0.0.0/8`: {"--whitelist=example.org"},
		`--whitelist: "fe80::1%eth0" is neither`:                                               {"--whitelist=fe80::1%eth0"},
		"--whitelist: it may be given 100 times at most":                                       many,
		`--banduration: "24" is not a time such as 30m, 24h or 0`:                              {"--banduration=24"},
		`--banduration: "-1h" is not a time`:                                                   {"--banduration=-1h"},
		`--banduration: "" is not a time`:                                                      {"--banduration="},
		"--banduration: less than a second has no effect":                                      {"--banduration=5ms"},
	} {
		if _, err := loadConfig(args); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}
