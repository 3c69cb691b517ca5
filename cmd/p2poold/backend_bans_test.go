package main

import (
	"os"
	"testing"
	"time"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// TestBanCommands has a node ban another and forgive it, over RPC.
func TestBanCommands(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	dir := t.TempDir()
	pa, a := startNode(t, dir, fake)
	awaitInfo(t, pa, "the node works", healthy)
	pb, _ := startNode(t, t.TempDir(), fake)
	call[any](t, pb, "addnode", a.peers.Addr().String())
	connected := func(n int) func(*rpcserver.Info) bool {
		return func(i *rpcserver.Info) bool { return i.Peers == n }
	}
	awaitInfo(t, pa, "connected", connected(1))

	// disconnectnode, by id and by address: the other node comes back.
	peer := call[[]rpcserver.PeerInfo](t, pa, "getpeerinfo")[0]
	call[any](t, pa, "disconnectnode", "", peer.ID)
	awaitInfo(t, pa, "connected anew", func(i *rpcserver.Info) bool {
		peers := call[[]rpcserver.PeerInfo](t, pa, "getpeerinfo")
		return len(peers) == 1 && peers[0].ID != peer.ID
	})
	callError(t, pa, rpcserver.CodeNotConnected, "there is no such connection; getpeerinfo", "disconnectnode", "", peer.ID)
	again := call[[]rpcserver.PeerInfo](t, pa, "getpeerinfo")[0]
	call[any](t, pa, "disconnectnode", again.Addr)
	callError(t, pa, rpcserver.CodeNotConnected, "there is no such connection", "disconnectnode", "192.0.2.1:1")

	// setban: it does not.
	awaitInfo(t, pa, "connected again", connected(1))
	if got := call[[]rpcserver.BanInfo](t, pa, "listbanned"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	call[any](t, pa, "setban", "127.0.0.0/8", "add")
	awaitInfo(t, pa, "disconnected", connected(0))
	until := time.Now().Add(time.Hour).Unix()
	call[any](t, pa, "setban", "2001:db8::1", "add", until, true)
	list := call[[]rpcserver.BanInfo](t, pa, "listbanned")
	if len(list) != 2 || list[0].Address != "127.0.0.0/8" || list[0].Automatic || list[0].BanDuration != 24*3600 || list[0].Reason != "banned by hand" ||
		list[1].BannedUntil != until || list[1].TimeRemaining > 3600 || list[1].TimeRemaining < 3500 {
		t.Errorf("%+v", list)
	}
	callError(t, pa, rpcserver.CodeAlreadyBanned, "127.0.0.0/8: it is banned already", "setban", "127.0.0.1/8", "add")
	callError(t, pa, rpcserver.CodeSubnet, `"127.0.0.1:5" has a port`, "setban", "127.0.0.1:5", "add")
	callError(t, pa, rpcserver.CodeSubnet, "is part of 127.0.0.0/8", "setban", "127.0.0.1", "remove")
	callError(t, pa, rpcserver.CodeInvalidParams, "would end before it begins", "setban", "192.0.2.1", "add", 5, true)
	pa.stop(t)

	// It outlives the node, whose file it is in.
	if _, err := os.Stat(a.cfg.bans().File); err != nil || a.cfg.bans().File != a.cfg.netDir+string(os.PathSeparator)+appdir.Bans {
		t.Errorf("%s: %v", a.cfg.bans().File, err)
	}
	pa, a = startNode(t, dir, fake)
	if got := call[[]rpcserver.BanInfo](t, pa, "listbanned"); len(got) != 2 || got[0].Address != "127.0.0.0/8" {
		t.Errorf("after a restart: %+v", got)
	}
	call[any](t, pa, "setban", "127.0.0.0/8", "remove")
	call[any](t, pb, "addnode", a.peers.Addr().String())
	awaitInfo(t, pa, "connected when it is forgiven", connected(1))
	call[any](t, pa, "clearbanned")
	if got := call[[]rpcserver.BanInfo](t, pa, "listbanned"); len(got) != 0 {
		t.Errorf("cleared: %+v", got)
	}
	pb.stop(t)
	pa.stop(t)
}
