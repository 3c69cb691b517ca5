package main

import (
	"io"
	"time"

	"github.com/p2poold/p2poold/internal/human"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// banTable lists bans by setban, then the addresses of peers that broke a rule.
func banTable(w io.Writer, bans []rpcserver.BanInfo, now time.Time) {
	if len(bans) == 0 {
		row(w, "nobody is banned")
		return
	}
	row(w, "ADDRESS", "KIND", "SINCE", "UNTIL (UTC)", "LEFT", "REASON")
	for _, b := range bans {
		kind := "banned"
		if b.Automatic {
			kind = "discouraged"
		}
		until := time.Unix(b.BannedUntil, 0)
		row(w, b.Address, kind, human.Ago(b.BanCreated, now), until.UTC().Format(time.DateTime), human.Span(until.Sub(now)), b.Reason)
	}
}
