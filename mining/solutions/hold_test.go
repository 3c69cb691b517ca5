package solutions

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// newUnwritable is a fixture whose directory can't be made. The function repairs that.
func newUnwritable(t *testing.T) (*fixture, func()) {
	f := newFixture(t)
	f.dir = filepath.Join(t.TempDir(), "file", "blocks-found")
	if err := os.WriteFile(filepath.Dir(f.dir), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	f.open()
	return f, func() {
		if err := os.Remove(filepath.Dir(f.dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoDiskNoNode: neither the disk nor the node can take the block, which is submitted
// when the node is back.
func TestNoDiskNoNode(t *testing.T) {
	f, _ := newUnwritable(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	f.fake.Down()
	f.Submitted(b.Share.ID(), errors.New("ten minutes are over"))
	f.pass(resubmitEvery)
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("no error though the node is away")
	}
	if err := f.fake.Up(); err != nil {
		t.Fatal(err)
	}
	f.writers.Wait() // the submission that began while the node was away
	f.check(Accepted, 1, false)
	if n := f.fake.Calls("submitblock"); n != 1 {
		t.Errorf("submitted %d times", n)
	}
	f.settle(101)
	if f.blocks[b.Share.ID()].held != nil {
		t.Error("still in memory")
	}
}

// TestLateDisk: a block that couldn't be written is when the disk is well again, and
// isn't needed in memory any more.
func TestLateDisk(t *testing.T) {
	f, repair := newUnwritable(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	f.Submitted(b.Share.ID(), errors.New("ten minutes are over"))
	repair()
	f.fake.Down()
	f.pass(lookInterval)
	f.probe()
	f.writers.Wait()
	f.wantFiles(1)
	if e := f.blocks[b.Share.ID()]; e.held != nil || e.writing != nil || f.Health() != "" {
		t.Errorf("%+v, health %q", e, f.Health())
	}
	if err := f.fake.Up(); err != nil {
		t.Fatal(err)
	}
	f.open() // after a crash
	f.pass(time.Hour)
	f.check(Pending, 0, false)
	f.check(Accepted, 1, false)
}

// TestHeldLimit: blocks in memory are bounded, those go first that are safest.
func TestHeldLimit(t *testing.T) {
	f := newFixture(t)
	f.Journal.mu.Lock()
	defer f.Journal.mu.Unlock()
	for i := range maxHeld + 3 {
		r := Record{Hash: chainhash.Hash{byte(i)}, Height: uint32(i), Status: Pending}
		if i == 5 {
			r.Status, r.Confirmations = Accepted, 1
		}
		f.hold(f.add(r), &mining.SolvedBlock{})
	}
	for i := range maxHeld + 3 {
		if held, want := f.blocks[chainhash.Hash{byte(i)}].held != nil, i > 1 && i != 5; held != want {
			t.Errorf("block %d held: %v", i, held)
		}
	}
}
