package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

var testNow = time.Unix(1_700_000_000, 0)

// tableOf prints a value as the answer of a method.
func tableOf(t *testing.T, method string, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tables[method](&b, raw, testNow); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestTables(t *testing.T) {
	ago := func(d time.Duration) int64 { return testNow.Add(-d).Unix() }
	for _, tc := range []struct {
		method string
		value  any
		want   string
	}{
		{"getpeerinfo", []rpcserver.PeerInfo{}, "no peers\n"},
		{"getpeerinfo", []rpcserver.PeerInfo{{
			ID: 3, Addr: "10.0.0.1:9333", Inbound: true, Transport: "v1", Connected: ago(90 * time.Second), Ping: 0.0123, Height: 42,
			BytesSent: 1500, BytesRecv: 2_500_000, UserAgent: "/evil\x1b[2J\t/",
		}}, "ID  ADDRESS        DIRECTION  TRANSPORT  CONNECTED  PING   HEIGHT  SENT     RECEIVED  SCORE  USER AGENT\n" +
			"3   10.0.0.1:9333  in         v1         1m 30s     12 ms  42      1.50 kB  2.50 MB   0      /evil?[2J?/\n"},
		{"getminers", []rpcserver.MinerInfo{}, "no miners\n"},
		{"getworkers", []rpcserver.MinerInfo{{
			Worker: "rig", Address: "bc1q", HashRate: 1.234e12, HashRateDay: 1e12, Difficulty: 1024, BestDifficulty: 2e6, Accepted: 95, Stale: 5,
			DeadOnArrival: 0.05, Latency: 0.26, LatencyBlocks: 6, UserAgent: "cgminer", LastSubmit: ago(time.Second),
		}, {Connections: 1, Connected: ago(time.Minute)}, {Connections: 2, Connected: ago(time.Hour)}},
			"WORKER  ADDRESS  HASH RATE  1 DAY      DIFFICULTY  BEST    ACCEPTED  REJECTED  STALE    LATENCY  SHARES  LAST   CONNECTED        USER AGENT\n" +
				"rig     bc1q     1.23 TH/s  1.00 TH/s  1.02 k      2.00 M  95        0         5 (5 %)  0.3 s    0       1s     no               cgminer\n" +
				"-                0 H/s      0 H/s      0           0       0         0         0        -        0       never  1m 0s\n" +
				"-                0 H/s      0 H/s      0           0       0         0         0        -        0       never  1h 0m (2 times)\n"},
		{"getmineraddresses", []rpcserver.MinerAddress{}, "no miners\n"},
		{"getmineraddresses", []rpcserver.MinerAddress{{
			Address: "bc1q", Workers: 3, Connections: 2, LastSubmit: ago(time.Second), HashRate: 2e12, HashRateMinute: 1e12, HashRateHour: 3e12, HashRateDay: 4e12,
			HashRateWeek: 5e12, BestDifficulty: 2e6, Accepted: 9, Rejected: 1, Shares: 4,
		}}, "ADDRESS  WORKERS  CONNECTIONS  1 MINUTE   5 MINUTES  1 HOUR     1 DAY      7 DAYS     BEST    ACCEPTED  REJECTED  STALE  SHARES  LAST\n" +
			"bc1q     3        2            1.00 TH/s  2.00 TH/s  3.00 TH/s  4.00 TH/s  5.00 TH/s  2.00 M  9         1         0      4       1s\n"},
		{"getblocks", []rpcserver.FoundBlock{}, "no Bitcoin blocks found yet\n"},
		{"getblocksfound", []rpcserver.FoundBlock{{Hash: "00ab", Height: 5, ShareHeight: 77, Time: ago(26 * time.Hour), Address: "a", Value: 1, Confirmations: -1, Status: "orphaned", Own: true}},
			"HEIGHT  HASH  AGE    STATUS    CONFIRMATIONS  COINBASE (BTC)  SHARE  FINDER\n" +
				"5       00ab  1d 2h  orphaned  -1             0.00000001      77     a       found here\n"},
		{"getshares", []rpcserver.ShareSummary{}, "no shares yet\n"},
		{"getshares", []rpcserver.ShareSummary{{Hash: strings.Repeat("0", 48) + "0123456789abcdef", Height: 5, Time: ago(0), Address: "a", Class: 12, Bitcoin: true, BitcoinHeight: 6,
			Uncles: []rpcserver.ShareSummary{{Hash: "ff", Height: 4, Time: ago(61 * time.Second), Address: "b", Class: 36, Tag: "t"}}}},
			"HEIGHT     HASH               AGE    DIFFICULTY  CLASS  UNCLES  ADDRESS  TAG\n" +
				"5          …0123456789abcdef  0s     0           12     1       a             Bitcoin block 6\n" +
				"  uncle 4  ff                 1m 1s  0           36             b        t\n"},
	} {
		got := tableOf(t, tc.method, tc.value)
		if trim(got) != trim(tc.want) {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tc.method, got, tc.want)
		}
	}
}

// trim removes the spaces at the ends of lines.
func trim(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func TestInfoTable(t *testing.T) {
	info := rpcserver.Info{Version: "1", Network: "regtest", Pool: "main", Uptime: 3700, Height: 5, Syncing: true, Workers: 1, StratumConnections: 2,
		Sync:     rpcserver.SyncInfo{Percent: 41.9, Shares: 62000, Total: 151000, Rate: 9800.4, TimeLeft: 69},
		Bitcoind: rpcserver.BitcoindInfo{Connected: true, BitcoinHeight: 100, LastTemplate: testNow.Unix() - 5},
		Health:   []string{"no peers", "clock is off"}}
	got := tableOf(t, "getinfo", info)
	for _, want := range []string{"1h 1m", "none: miners must log in", "none yet", "5, syncing: 41 % (62000 of 151000 shares), 9800/s, 1m 9s left\n", "1 worker on 2 connections",
		"Bitcoin node      at height 100, newest template 5s old", "Health            no peers\n", "                  clock is off\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("getinfo lacks %q:\n%s", want, got)
		}
	}
	info.Bitcoind = rpcserver.BitcoindInfo{Error: "connection refused"}
	info.Healthy, info.Health = true, nil
	info.Sync = rpcserver.SyncInfo{Total: 10, Estimate: true}
	got = tableOf(t, "getinfo", info)
	for _, want := range []string{"not connected: connection refused", "Health            good\n", "5, syncing: 0 % (0 of 10 shares, an estimate)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("getinfo lacks %q:\n%s", want, got)
		}
	}
	info.Bitcoind = rpcserver.BitcoindInfo{InitialDownload: true, Error: "block 5 of 9"}
	info.Starting = true
	got = tableOf(t, "getinfo", info)
	for _, want := range []string{"still syncing: block 5 of 9", "Tip             not loaded yet\n", "unknown in the pool"} {
		if !strings.Contains(got, want) || strings.Contains(got, "Share height") {
			t.Errorf("while starting:\n%s", got)
		}
	}
}

func TestTablesBelongToMethods(t *testing.T) {
	for name := range tables {
		if _, err := rpcserver.Help(name); err != nil {
			t.Errorf("table for %s, which is not a method", name)
		}
	}
	for _, name := range []string{"getinfo", "getpeerinfo", "getnetworkinfo", "listbanned", "getminers", "getpayouts", "getpayoutaddresses", "getblocksfound", "getshares"} {
		if !slices.Contains(rpcserver.MethodNames(), name) || tables[name] == nil {
			t.Errorf("%s has no table", name)
		}
	}
	if err := tables["getminers"](new(bytes.Buffer), json.RawMessage(`{}`), testNow); err == nil || !strings.Contains(err.Error(), "use --json") {
		t.Errorf("an answer of another form: %v", err)
	}
}

func TestGeneric(t *testing.T) {
	for in, want := range map[string]string{
		`"text"`:                "text\n",
		`"two\nlines\u001b[2J"`: "two\nlines?[2J\n",
		`5`:                     "5\n",
		`12345678901234567890`:  "12345678901234567890\n",
		`true`:                  "yes\n",
		`null`:                  "",
		`[]`:                    "",
		`{}`:                    "",
		`[1,"a",null]`:          "- 1\n- a\n- -\n",
		`{"b":1,"a":{"x":[],"y":[1,{"z":false}]},"o":{}}`: "b: 1\na:\n  x: none\n  y:\n    - 1\n    -\n      z: no\no: none\n",
	} {
		var b bytes.Buffer
		if err := printGeneric(&b, json.RawMessage(in)); err != nil || b.String() != want {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", in, err, b.String(), want)
		}
	}
}

func FuzzGeneric(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `"x"`, `[`, `{"a"`, `[[],{}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b bytes.Buffer
		err := printGeneric(&b, raw)
		if err == nil && strings.ContainsAny(b.String(), "\x00\x1b\x7f\r") {
			t.Fatalf("control characters in %q", b.String())
		}
	})
}
