package main

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

func TestBanTable(t *testing.T) {
	at := func(d time.Duration) int64 { return testNow.Add(d).Unix() }
	for want, bans := range map[string][]rpcserver.BanInfo{
		"nobody is banned\n": {},
		"ADDRESS       KIND         SINCE   UNTIL (UTC)          LEFT   REASON\n" +
			"192.0.2.0/24  banned       1h 0m   2023-11-15 22:13:20  1d 0h  banned by hand\n" +
			"2a00::/64     discouraged  1m 30s  2023-11-15 00:13:20  2h 0m  ErrPayouts: \"?[2J\"\n": {
			{Address: "192.0.2.0/24", BanCreated: at(-time.Hour), BannedUntil: at(24 * time.Hour), Reason: "banned by hand"},
			{Address: "2a00::/64", Automatic: true, BanCreated: at(-90 * time.Second), BannedUntil: at(2 * time.Hour), Reason: "ErrPayouts: \"\x1b[2J\""},
		},
	} {
		if got := tableOf(t, "listbanned", bans); trim(got) != trim(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}
