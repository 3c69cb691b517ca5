package solutions

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/decred/slog"
)

// frozen is a log that hangs until it is let go, and has content then.
type frozen struct {
	free    chan struct{}
	content bytes.Buffer // one goroutine writes
}

func (f *frozen) Write(p []byte) (int, error) {
	<-f.free
	return f.content.Write(p)
}

// openFrozen opens the Journal with a log that hangs.
func (f *fixture) openFrozen() *frozen {
	log := &frozen{free: make(chan struct{})}
	f.Journal = Open(Config{Dir: f.dir, Node: f.node, Now: f.clock, Log: slog.NewBackend(log).Logger("TEST")})
	return log
}

// soon fails the test if do hangs.
func (f *fixture) soon(what string, do func()) {
	f.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		f.Fatal("hangs: " + what)
	}
}

// TestFrozenLog: a log that hangs stops neither a block nor the look at others.
func TestFrozenLog(t *testing.T) {
	f := newFixture(t)
	log := f.openFrozen()
	f.submit(f.solve(true))
	f.soon("the round", func() { f.check(Accepted, 1, false) }) // has something to say
	f.soon("the next block", func() { f.submit(f.solve(true)) })
	f.soon("the next round", func() { f.check(Accepted, 1, false) })
	close(log.free)
	f.out.done.Wait()
	if n := bytes.Count(log.content.Bytes(), []byte("it is in the best chain")); n != 2 {
		t.Errorf("%d lines: %s", n, log.content.Bytes())
	}
}

// TestFrozenLogAndDisk: they are the same disk, most likely.
func TestFrozenLogAndDisk(t *testing.T) {
	f := newFixture(t)
	log := f.openFrozen()
	b := f.solve(true)
	path := f.blockPath(b) + newSuffix
	if err := makePipe(path); err != nil {
		t.Skip(err)
	}
	f.soon("Keep", func() { f.Keep(b) })
	close(log.free)
	f.release(path)
}

// TestVoice: lines keep their order, and are bounded.
func TestVoice(t *testing.T) {
	free := make(chan struct{})
	var got []string
	write := func(v ...any) { <-free; got = append(got, fmt.Sprint(v...)) }
	var v voice
	v.say(write, "%d", 0)
	for n := 0; n == 0; { // until the first is being written
		v.mu.Lock()
		n = 1 - len(v.lines)
		v.mu.Unlock()
	}
	for i := range maxLines + 5 {
		v.say(write, "%d", i+1)
	}
	close(free)
	v.done.Wait()
	v.say(write, "more")
	v.done.Wait()
	if len(got) != maxLines+2 || !slices.Equal(got[:3], []string{"0", "1", "2"}) || got[maxLines+1] != "more (5 lines before this one were left out)" {
		t.Errorf("%d lines, the last: %q", len(got), got[len(got)-1])
	}
}
