package netsync

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestProgress: what is told of a sync fits what then happens, whether the newcomer
// begins with the first share or joins from a root.
func TestProgress(t *testing.T) {
	for _, base := range []uint32{0, 4000} {
		chain := new(fakechain.Chain)
		withUncles(chain, 10_000)
		chain.Prune(base)
		c := newCrowdOn(t, 2, chain)
		last := -1.0
		var checked bool
		start := c.now
		for !c.synced() {
			c.run(time.Second)
			pr := c.fresh.m.Progress(c.now)
			done, total := pr.Shares()
			percent := pr.Percent()
			if percent < last || percent > 100 || pr.Syncing && percent == 100 || uint64(done) > uint64(total) {
				t.Fatalf("%.1f %% after %.1f %%: %+v", percent, last, pr)
			}
			last = percent
			if c.now.Sub(start) < 5*time.Second || !pr.Syncing {
				continue
			}
			if pr.Began != base || pr.Target != 9999 || pr.Estimate || pr.Sources != 2 || pr.Joining {
				t.Fatalf("after %v: %+v", c.now.Sub(start), pr)
			}
			if !checked {
				checked = true
				rest := c.sync()
				t.Logf("from %d: %.0f %% (%d of %d shares), %.0f/s, %v left; it takes %v", base, percent, done, total, pr.Rate, pr.Left, rest)
				if pr.Left < rest*7/10 || pr.Left > rest*13/10 || pr.Rate < 800 || pr.Rate > 1200 {
					t.Errorf("%.0f shares/s, %v left, but it takes %v", pr.Rate, pr.Left, rest)
				}
			}
		}
		c.run(2 * time.Second)
		if pr := c.fresh.m.Progress(c.now); pr.Percent() != 100 || pr.Target != pr.Reached || pr.Rate != 0 || pr.Left != 0 || pr.Sources != 0 {
			t.Errorf("at the end: %+v", pr)
		}
	}
}

// TestProgressClaims: claims are marked as such, and one that is out of all proportion
// decides nothing if others claim something too.
func TestProgressClaims(t *testing.T) {
	m := New(Config{Chain: new(fakechain.Chain)})
	now := time.Unix(1_700_000_000, 0)
	join := func(id PeerID, height uint32) {
		v := &message.Version{Protocol: 1, Height: height}
		v.Work.SetUint64(uint64(height))
		m.Connected(now, id, false, v, v.Best)
	}
	if pr := m.Progress(now); pr.Percent() != 100 || pr.Estimate || pr.Left != 0 {
		t.Errorf("alone: %+v", pr)
	}
	for id, height := range []uint32{5000, 1 << 31, 5001, 3} {
		join(PeerID(id+1), height)
	}
	if pr := m.Progress(now); !pr.Syncing || pr.Target != 5000 || !pr.Estimate || pr.Percent() != 0 || pr.Left != 0 {
		t.Errorf("%+v", pr)
	}
}

func TestPace(t *testing.T) {
	var p pace
	now := time.Unix(1_700_000_000, 0)
	if s, h := p.rates(now); s != 0 || h != 0 {
		t.Error("a rate without samples")
	}
	height := uint32(0)
	for i := range 40 {
		p.sample(now, true)
		for j := range 100 {
			p.add(height, height+uint32(j%10/9)) // one in ten rises
			height += uint32(j % 10 / 9)
		}
		now = now.Add(paceInterval)
		if s, h := p.rates(now); s != 100 || h != 10 {
			t.Errorf("after %d s: %v and %v", i+1, s, h)
		}
	}
	for range 10 {
		p.sample(now, true)
		now = now.Add(paceInterval)
	}
	if s, _ := p.rates(now); s >= 100 || s <= 0 {
		t.Errorf("slower: %v", s)
	}
	p.sample(now, false)
	if s, h := p.rates(now); s != 0 || h != 0 {
		t.Error("a rate after the end")
	}
	for _, test := range []struct {
		heights uint32
		rate    float64
		want    time.Duration
	}{{100, 10, 10 * time.Second}, {100, 0, 0}, {1 << 31, 1, 0}, {0, 5, 0}} {
		if got := left(test.heights, test.rate); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
