package chainman

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain"
)

// TestShareBeingStored: a share that is in the index and on its way to the disk can be
// had, only later. Peers learn its ID in that moment, ask for it once, and count as
// having it from then on.
func TestShareBeingStored(t *testing.T) {
	f := newFixture(t)
	f.Next("a0", "")
	f.Next("a1", "a0")
	if err := f.offer("a0"); err != nil {
		t.Fatal(err)
	}
	id := f.Generator.Share("a1").ID
	got := make(chan error, 1)
	f.mem.before = func([]blockchain.Accepted) error {
		if !f.Have(id) {
			t.Error("it is not in the index yet")
		}
		go func() {
			_, err := f.Manager.Share(id)
			got <- err
		}()
		select {
		case err := <-got:
			got <- err
		case <-time.After(10 * time.Millisecond): // it waits, as it should
		}
		return nil
	}
	if err := f.offer("a1"); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}
