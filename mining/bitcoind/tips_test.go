package bitcoind

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// block names a block of these tests.
func block(n byte) chainhash.Hash { return chainhash.Hash{n} }

// begin sets the first tip, of height 100.
func (t *tips) begin() {
	t.moveIf(&move{source: SourcePoll, hash: block(1), height: 100, at: time.Now()}, t.count())
}

// TestTipsRace follows blocks that several sources tell of.
func TestTipsRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{}
		tips := &c.tips
		tips.begin()
		if s := c.TipStats(); s.Known || s.Sources[SourcePoll].First != 0 {
			t.Errorf("the first tip was won by somebody: %+v", s)
		}
		tips.note(SourceZMQ, block(1), time.Now(), true)
		if s := c.TipStats(); s.Sources[SourceZMQ].Later != 0 {
			t.Errorf("late for the first tip: %+v", s)
		}

		at := time.Now()
		if tips.note(SourceZMQ, block(2), at, true) != fresh ||
			!tips.extend(&move{source: SourceZMQ, hash: block(2), parent: block(1), at: at}) {
			t.Fatal("a new block is not the tip")
		}
		if tip, height, _ := tips.present(); tip != block(2) || height != 101 {
			t.Errorf("tip %v at %d", tip, height)
		}
		time.Sleep(3 * time.Millisecond)
		for range 3 { // only the first time counts
			if tips.note(SourceLongpoll, block(2), time.Now(), true) != old {
				t.Error("late news are fresh")
			}
		}
		time.Sleep(6 * time.Millisecond)
		tips.note(SourcePoll, block(2), time.Now(), true)
		s := c.TipStats()
		if !s.Known || s.Source != SourceZMQ || s.Ahead != 3*time.Millisecond {
			t.Errorf("%+v", s)
		}
		if z, l, p := s.Sources[SourceZMQ], s.Sources[SourceLongpoll], s.Sources[SourcePoll]; z.First != 1 || z.Later != 0 ||
			l.Later != 1 || l.Behind != 3*time.Millisecond || p.Later != 1 || p.Behind != 9*time.Millisecond || p.First != 0 {
			t.Errorf("%+v", s.Sources)
		}

		// Late news of an older tip is no news; the second time it may be.
		tips.extend(&move{source: SourceLongpoll, hash: block(3), parent: block(2), at: time.Now()})
		if tips.note(SourceP2P, block(2), time.Now(), true) != old || tips.note(SourceP2P, block(2), time.Now(), true) != fresh {
			t.Error("a source that comes late, and then again")
		}
		moves := tips.count()
		if !tips.moveIf(&move{source: SourceP2P, hash: block(2), height: 101, at: time.Now()}, moves) {
			t.Error("no way back")
		}
		if tips.moveIf(&move{source: SourcePoll, hash: block(3), height: 102, at: time.Now()}, moves) {
			t.Error("an answer from before the last change counts")
		}
	})
}

// TestTipsJudge says what becomes of templates.
func TestTipsJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tips tips
		if tips.judge(block(1), 101, time.Time{}) != takeIt {
			t.Error("the first template of all is not taken")
		}
		tips.begin()
		before := time.Now()
		time.Sleep(time.Second)
		tips.extend(&move{source: SourceZMQ, hash: block(2), parent: block(1), at: time.Now()})
		time.Sleep(time.Second)
		for _, test := range []struct {
			name      string
			prev      byte
			height    uint32
			requested time.Time
			want      opinion
		}{
			{"on the tip", 2, 102, time.Now(), takeIt},
			{"on the tip, asked for before the news", 2, 102, before, takeIt},
			{"on a newer block", 3, 103, before, takeIt},
			{"on a newer block, by longpoll", 3, 103, time.Time{}, takeIt},
			{"on the old block, asked for before", 1, 101, before, dropIt},
			{"on the old block, by longpoll", 1, 101, time.Time{}, askNode},
			{"on the old block, asked for now", 1, 101, time.Now(), askNode},
			{"on another block as high", 4, 102, time.Now(), askNode},
			{"on the tip of a higher chain that is known", 1, 300, time.Now(), askNode},
		} {
			if got := tips.judge(block(test.prev), test.height, test.requested); got != test.want {
				t.Errorf("%s: %d, want %d", test.name, got, test.want)
			}
		}
	})
}

// TestTipsGuess: a block that the node hasn't validated is held for a while, and no longer.
func TestTipsGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tips tips
		tips.begin()
		guess := func(n byte) {
			t.Helper()
			if !tips.extend(&move{source: SourceCompact, hash: block(n), parent: block(n - 1), at: time.Now(), guessed: true}) {
				t.Fatal("not the tip")
			}
		}
		guess(2)
		if !tips.isGuessed() || !tips.awaits(block(1)) || tips.awaits(block(3)) || tips.judge(block(1), 101, time.Now()) != dropIt {
			t.Error("the node isn't waited for")
		}
		if tips.note(SourceCompact, block(2), time.Now(), false) != old || !tips.isGuessed() {
			t.Error("one guess confirms another")
		}
		if tips.note(SourceP2P, block(2), time.Now(), true) != confirmed || tips.isGuessed() || tips.awaits(block(1)) {
			t.Error("the node's word doesn't count")
		}
		guess(3)
		time.Sleep(speculationTime)
		if tips.awaits(block(2)) || tips.judge(block(2), 102, time.Now()) != askNode {
			t.Error("the node is waited for still")
		}
	})
}

// TestTipsBounded: whatever is told, little is remembered.
func TestTipsBounded(t *testing.T) {
	var tips tips
	tips.begin()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		hash := chainhash.Hash{byte(rng.IntN(50)), byte(rng.IntN(50))}
		src := Source(rng.IntN(int(numSources)))
		tips.note(src, hash, time.Now(), rng.IntN(2) == 0)
		if tips.moveIf(&move{source: src, hash: hash, height: uint32(i)}, tips.count()); len(tips.recent) > maxRecentTips {
			t.Fatalf("%d tips remembered", len(tips.recent))
		}
		if tip, _, _ := tips.present(); tip != hash || tips.find(tip) != len(tips.recent)-1 {
			t.Fatal("the tip is not the last one remembered")
		}
	}
}
