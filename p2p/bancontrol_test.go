package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/banman"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// TestBan: a ban ends the connections, and lets nobody in that is not whitelisted.
func TestBan(t *testing.T) {
	bans := Bans{File: filepath.Join(t.TempDir(), "banlist.json"), Whitelist: []netip.Prefix{netip.MustParsePrefix("16.1.9.0/24")}}
	g := startGuarded(t, func(cfg *Config) { cfg.Bans = bans })
	g.meetFrom(t, "16.1.0.1")
	g.meetFrom(t, "16.1.9.1")
	g.meetFrom(t, "16.2.0.1")
	half := dial(t, g.testServer) // from 16.2.0.1, in its handshake
	if err := g.Ban("16.1.0.0/16", time.Time{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is gone", func() bool { return g.ConnectedCount() == 2 })
	if err := g.Ban("16.2.0.1", time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is left", func() bool { return g.ConnectedCount() == 1 })
	if p := g.Peers()[0]; !p.Whitelisted || !strings.HasPrefix(p.Addr, "16.1.9.1:") {
		t.Errorf("%+v", p)
	}
	m := &stranger{half, t, g.testServer, message.NewReader(half, g.cfg.Params.Magic)}
	m.send(&message.Version{Protocol: 1, Nonce: 7, ChainID: g.cfg.Params.ChainID})
	m.next()
	m.send(&message.VerAck{})
	io.Copy(io.Discard, half)
	eventually(t, "who was in the handshake does not stay", func() bool { return g.ConnectedCount() == 1 })
	for ip, want := range map[string]bool{"16.1.0.1": true, "16.1.255.1": true, "16.1.9.1": false, "16.2.0.1": true, "16.2.0.2": false} {
		if g.refusedFrom(t, ip) != want {
			t.Errorf("%s: refused %v", ip, !want)
		}
	}
	for text, want := range map[string]error{
		"16.1.0.0/16": banman.ErrBanned, "16.1.9.7": ErrWhitelisted, "16.1.9.0/24": ErrWhitelisted, "x": banman.ErrSubject, "16.1.0.1:5": banman.ErrSubject,
	} {
		if err := g.Ban(text, time.Time{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := g.Ban("16.5.0.1", time.Unix(1, 0)); !errors.Is(err, banman.ErrPast) {
		t.Errorf("in the past: %v", err)
	}
	list := g.Banned()
	if len(list) != 2 || list[0].Until.Sub(list[0].Created) != banman.DefaultDuration || list[0].Reason != "banned by hand" {
		t.Errorf("%v", list)
	}
	g.stop()

	g = startGuarded(t, func(cfg *Config) { cfg.Bans = bans })
	if !g.refusedFrom(t, "16.1.0.1") {
		t.Error("forgotten after a restart")
	}
	for text, want := range map[string]error{"16.1.0.1": banman.ErrNotBanned, "16.1.0.0/16": nil, "y": banman.ErrSubject} {
		if err := g.Unban(text); !errors.Is(err, want) {
			t.Errorf("unban %s: %v", text, err)
		}
	}
	g.meetFrom(t, "16.1.0.1")
	if err := g.ClearBans(); err != nil || len(g.Banned()) != 0 {
		t.Errorf("%v", err)
	}
}

// TestBanNamed: a named node that is banned is left alone until the ban is lifted,
// under its name too.
func TestBanNamed(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	_, port, _ := net.SplitHostPort(a.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		b := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.AddNode = []string{net.JoinHostPort(host, port)} })
		eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
		if err := errors.Join(b.Ban("127.0.0.0/8", time.Time{}), b.Ban("::1", time.Time{})); err != nil {
			t.Fatal(err)
		}
		eventually(t, "disconnected", func() bool { return a.ConnectedCount() == 0 && b.ConnectedCount() == 0 })
		if _, err := b.dial(t.Context(), net.JoinHostPort(host, port)); err == nil || !strings.Contains(err.Error(), "is banned until") {
			t.Errorf("%s is dialed: %v", host, err)
		}
		if err := b.ClearBans(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "connected again", func() bool { return a.ConnectedCount() == 1 })
		b.stop()
		eventually(t, "gone", func() bool { return a.ConnectedCount() == 0 })
	}
}

func TestDisconnect(t *testing.T) {
	g := startGuarded(t, nil)
	g.meetFrom(t, "16.1.0.1")
	g.meetFrom(t, "16.2.0.1")
	peers := g.Peers()
	if err := g.DisconnectAddr(peers[0].Addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is gone", func() bool { return g.ConnectedCount() == 1 })
	if err := g.DisconnectID(peers[1].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are gone", func() bool { return g.ConnectedCount() == 0 })
	for _, err := range []error{g.DisconnectAddr(peers[0].Addr), g.DisconnectAddr(""), g.DisconnectID(peers[1].ID), g.DisconnectID(0)} {
		if err != ErrNotConnected {
			t.Errorf("%v", err)
		}
	}
	if len(g.Banned()) != 0 || g.refusedFrom(t, "16.1.0.1") {
		t.Error("they are banned")
	}
}

// TestBansSaved: violations are written, and told in the log, once a minute however
// many there are.
func TestBansSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "banlist.json")
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{
			Params: testParams(t, "main"), Chain: new(fakechain.Chain), Bans: Bans{File: path, Duration: time.Hour},
			Log: slog.NewBackend(&out).Logger("PEER"),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		for n := range 1000 {
			s.punish(at(n).String(), &peer.Error{Reason: peer.ReasonProtocol})
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("written at once")
		}
		time.Sleep(banSaveInterval + time.Second)
		content, err := os.ReadFile(path)
		if n := bytes.Count(content, []byte(`"automatic":true`)); n != 1000 {
			t.Errorf("%d entries, %v", n, err)
		}
		s.punish(at(2000).String(), &peer.Error{Reason: peer.ReasonProtocol})
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	m, err := banman.Load(banman.Config{Path: path, Duration: time.Hour, Now: func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if err != nil || len(m.List()) != 1001 {
		t.Errorf("%d in the end, %v", len(m.List()), err)
	}
	if n := strings.Count(out.String(), "Peers that broke a rule"); n != 2 || !strings.Contains(out.String(), "now: 1000, lately") {
		t.Errorf("log: %s", out.String())
	}
}

// TestDamagedBans: the node starts without bans and says what happened.
func TestDamagedBans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "banlist.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		run(t, time.Second, func(cfg *Config) {
			cfg.Bans.File = path
			cfg.Log = slog.NewBackend(&out).Logger("PEER")
		})
	})
	if _, err := os.Stat(path + ".damaged"); err != nil || !strings.Contains(out.String(), "Starting without bans") {
		t.Errorf("%v, log: %s", err, out.String())
	}
}

// TestUnsavedBan: a ban that cannot be saved holds all the same, and the error says
// so.
func TestUnsavedBan(t *testing.T) {
	s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Bans: Bans{File: filepath.Join(t.TempDir(), "no", "file")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ban("16.1.0.1", time.Time{}); err == nil || !strings.Contains(err.Error(), "until the node stops") || s.banned("16.1.0.1:5") == nil {
		t.Errorf("%v", err)
	}
	if err := s.Unban("16.1.0.1"); err == nil || s.banned("16.1.0.1:5") != nil {
		t.Errorf("%v", err)
	}
}

// TestBannedAnchors: what the book's file has of banned addresses is not dialed.
func TestBannedAnchors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.dat")
	fillBook(t, path, "16.1.0.1:1", "16.2.0.1:1")
	list := banman.New(banman.Config{Path: path + ".bans"})
	s, _ := banman.Parse("16.1.0.0/16")
	synctest.Test(t, func(t *testing.T) {
		if err := errors.Join(list.Ban(s, time.Now().AddDate(50, 0, 0), ""), list.Save()); err != nil {
			t.Fatal(err)
		}
		dials := make(map[string]int)
		run(t, time.Hour, func(cfg *Config) {
			cfg.Discovery = Discovery{Outbound: 8, File: path}
			cfg.Bans.File = path + ".bans"
			cfg.Dial = counted(dials)
		})
		if dials["16.1.0.1:1"] != 0 || dials["16.2.0.1:1"] == 0 {
			t.Errorf("dials %v", dials)
		}
	})
}
