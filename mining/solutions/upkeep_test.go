package solutions

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// TestHangingProbe: a disk on which the probe hangs stops nothing else.
func TestHangingProbe(t *testing.T) {
	f := newFixture(t)
	f.Keep(f.solve(true))
	f.writers.Wait()
	f.open() // after a crash
	probe := filepath.Join(f.dir, "probe")
	if err := makePipe(probe); err != nil {
		t.Skip(err)
	}
	f.pass(time.Hour)
	f.soon("following", func() {
		for f.List(1)[0].Status != Accepted {
			f.Refresh(t.Context())
			f.pass(2 * lookGap)
			select {
			case <-f.kick: // the submission is through
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	f.release(probe)
}

// mute is a node of which questions about some blocks fail, and that takes every block.
type mute struct {
	fails map[chainhash.Hash]error // nil for all
	asked atomic.Int32
	taken atomic.Int32
}

func (m *mute) Header(_ context.Context, hash chainhash.Hash) (bitcoind.HeaderInfo, error) {
	m.asked.Add(1)
	if err := m.fails[hash]; err != nil || m.fails == nil {
		return bitcoind.HeaderInfo{}, errors.Join(errors.New("no answer"), err)
	}
	return bitcoind.HeaderInfo{InBestChain: true, Confirmations: 1}, nil
}

func (m *mute) HashAt(context.Context, uint32) (chainhash.Hash, error) {
	return chainhash.Hash{}, errors.New("no answer")
}

func (m *mute) TipHash(context.Context) (chainhash.Hash, error) {
	return chainhash.Hash{}, errors.New("no answer")
}

func (m *mute) SubmitBlock(context.Context, mining.RawBlock, <-chan struct{}) error {
	m.taken.Add(1)
	return nil
}

// TestUnanswered: a question that fails costs the other blocks nothing, and a node that
// answers none may still take blocks.
func TestUnanswered(t *testing.T) {
	f := newFixture(t)
	first, second := f.solve(true), f.solve(true)
	node := &mute{fails: map[chainhash.Hash]error{first.Share.ID(): errors.New("garbage")}}
	f.Journal = Open(Config{Dir: f.dir, Node: node, Now: f.clock})
	f.Keep(first)
	f.Keep(second)
	f.Submitted(first.Share.ID(), errors.New("no answer"))
	f.Submitted(second.Share.ID(), errors.New("no answer"))
	f.pass(resubmitEvery)
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	f.writers.Wait()
	if list := f.List(2); list[0].Status != Accepted || list[1].Status != Pending || node.taken.Load() != 1 {
		t.Errorf("%+v, %d submitted", list, node.taken.Load())
	}

	silent := new(mute)
	f.Journal = Open(Config{Dir: f.dir, Node: silent, Now: f.clock})
	for range maxFailures + 2 {
		f.Keep(f.solve(true))
	}
	for _, r := range f.List(10) {
		if r.Status == Pending {
			f.Submitted(r.Hash, errors.New("no answer"))
		}
	}
	for range 3 {
		f.pass(resubmitEvery / 2)
		f.Refresh(t.Context())
		f.writers.Wait()
	}
	if n := silent.taken.Load(); n < maxFailures+3 {
		t.Errorf("%d blocks submitted", n)
	}
	if n := silent.asked.Load(); n != 3*maxFailures {
		t.Errorf("%d questions", n)
	}
}
