package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"
)

// TestBarrenSignet: whoever begins on a signet where the pool can find no block is told so,
// and what to do; others are not bothered.
func TestBarrenSignet(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args  []string
		warns bool
	}{
		{nil, false},
		{[]string{"--network=testnet4"}, false},
		{[]string{"--network=regtest"}, false},
		{[]string{"--network=signet"}, true},
		{[]string{"--network=signet", "--signetchallenge=51"}, false},
		{[]string{"--network=signet", "--signetchallenge=515187"}, false},                                                                // 1 = 1
		{[]string{"--network=signet", "--signetchallenge=00"}, true},                                                                     // false
		{[]string{"--network=signet", "--signetchallenge=6a"}, true},                                                                     // OP_RETURN
		{[]string{"--network=signet", "--signetchallenge=4c"}, true},                                                                     // cut short
		{[]string{"--network=signet", "--signetchallenge=5187"}, true},                                                                   // wants one
		{[]string{"--network=signet", "--signetchallenge=0014" + strings.Repeat("00", 20)}, true},                                        // P2WPKH
		{[]string{"--network=signet", "--signetchallenge=5121" + "02" + strings.Repeat("11", 32) + "51ae"}, true},                        // 1 of 1
		{[]string{"--network=signet", "--signetchallenge=" + hex.EncodeToString([]byte(strings.Repeat("\x51", 1000)))}, false},           // fits the stack
		{[]string{"--network=signet", "--signetchallenge=" + hex.EncodeToString([]byte(strings.Repeat("\x51", maxScript)))}, true},       // does not
		{[]string{"--network=signet", "--signetchallenge=" + strings.Repeat("51", 2) + "a9" + strings.Repeat("a9", maxScript/10)}, true}, // too many operations
	} {
		cfg := mustLoad(t, tc.args...)
		if got := cfg.barren; (got != "") != tc.warns {
			t.Errorf("%.100q: %q", tc.args, got)
		}
	}
}

// TestBarrenSignetLog: the log begins with it.
func TestBarrenSignetLog(t *testing.T) {
	withHome(t)
	for challenge, warns := range map[string]bool{"": true, "51": false} {
		var log bytes.Buffer
		cfg := mustLoad(t, "--network=signet", "--signetchallenge="+challenge, "--datadir="+t.TempDir())
		if err := runLocked(cfg, &log, func(context.Context, *config, *logBackend) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), "[WRN] P2PD: Nothing can be earned: the blocks of this signet need a signature") != warns {
			t.Errorf("challenge %q: %s", challenge, log.String())
		}
	}
}
