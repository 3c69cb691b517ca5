package portmux

import (
	"context"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/stratum/connlimit"
)

// TestTimeout: however slowly a client says nothing, its time is bounded.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Minute
		m := New(Config{Limits: connlimit.New(connlimit.Config{Total: 10}), Timeout: timeout})
		for _, text := range []string{"", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"} {
			ours, theirs := net.Pipe()
			c, err := m.Admit(theirs, false)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			go func() {
				for i := range len(text) {
					time.Sleep(10 * time.Second)
					ours.Write([]byte{text[i]})
				}
			}()
			if err := c.Handshake(t.Context()); err == nil {
				t.Errorf("%q: no error", text)
			}
			if took := time.Since(start); took != timeout {
				t.Errorf("%q: ended after %v", text, took)
			}
			ours.Close()
		}
		// A first byte that comes late, but in time, is enough.
		ours, theirs := net.Pipe()
		c, err := m.Admit(theirs, false)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(timeout - time.Second)
			ours.Write([]byte("{"))
		}()
		if err := c.Handshake(t.Context()); err != nil {
			t.Errorf("late: %v", err)
		}
		// The session has its own timeouts: no deadline is left.
		go func() {
			time.Sleep(time.Hour)
			ours.Write([]byte("}"))
		}()
		b := make([]byte, 1)
		for _, want := range "{}" {
			if n, err := c.Read(b); n != 1 || err != nil || rune(b[0]) != want {
				t.Errorf("%q, %v", b, err)
			}
		}
		c.Close()
		if n := m.Counts().Limits.Open; n != 0 {
			t.Errorf("%d connections", n)
		}
		synctest.Wait()
	})
}

// TestCancelled: the end of the server does not wait for silent clients.
func TestCancelled(t *testing.T) {
	m := New(Config{Limits: connlimit.New(connlimit.Config{Total: 10}), Timeout: time.Hour})
	ours, theirs := net.Pipe()
	defer ours.Close()
	c, err := m.Admit(theirs, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if err := c.Handshake(ctx); err == nil {
		t.Error("no error")
	}
}

// TestMemory prints what a waiting connection costs beside its socket and goroutine.
func TestMemory(t *testing.T) {
	const n = 2000
	m := New(Config{Limits: connlimit.New(connlimit.Config{Total: n}), Timeout: time.Hour})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := make([]*Conn, n)
	for i := range conns {
		_, theirs := net.Pipe()
		c, err := m.Admit(theirs, false)
		if err != nil {
			t.Fatal(err)
		}
		c.socket, c.Conn = nil, nil
		c.ahead = append(make([]byte, 0, maxSniff), '{')
		if _, err := c.Read(make([]byte, 100)); err != nil || c.ahead != nil {
			t.Fatal("what was read ahead is not freed")
		}
		conns[i] = c
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes for each connection", (int64(after.HeapAlloc)-int64(before.HeapAlloc))/n)
	runtime.KeepAlive(conns)
}
