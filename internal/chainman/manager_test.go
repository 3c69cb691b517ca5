package chainman

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
)

// TestStoredFirst: a share is in the store before the tip shows it, before Accept
// returns and before any hook.
func TestStoredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fixture
		var hooks []string
		f = newFixture(t, func(c *Config) {
			c.Hooks = Hooks{
				Tip: func() { hooks = append(hooks, "tip") },
				Accepted: func(id chainhash.Hash) {
					if !slices.Contains(f.mem.stored(), id) {
						t.Errorf("hook for share %v, which is not stored", id)
					}
					hooks = append(hooks, id.String())
				},
			}
		})
		f.Next("g", "")
		f.Next("a", "g")
		writes := 0
		f.mem.before = func(shares []blockchain.Accepted) error {
			writes++
			if tip := f.Tip(); tip.ID == shares[len(shares)-1].ID {
				t.Error("the tip was published before it was stored")
			}
			time.Sleep(time.Second) // virtual: everybody else gets ahead
			if len(hooks) >= 2*writes {
				t.Errorf("hooks %v before write %d", hooks, writes)
			}
			return nil
		}
		stop := f.run()
		f.accept("g")
		f.tipIs("g")
		synctest.Wait()
		f.accept("a")
		f.tipIs("a")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if want := []string{"tip", f.id("g").String(), "tip", f.id("a").String()}; !slices.Equal(hooks, want) {
			t.Errorf("hooks %v, want %v", hooks, want)
		}
		if err := f.offer("a"); !errors.Is(err, blockchain.ErrDuplicate) || writes != 2 {
			t.Errorf("the second time: %v, %d writes", err, writes)
		}
	})
}

// TestReleasedTogether: held shares that a parent releases are one write, and the
// hooks get them in the order they depend on each other.
func TestReleasedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hooks []chainhash.Hash
		f := newFixture(t, func(c *Config) {
			c.Hooks.Accepted = func(id chainhash.Hash) { hooks = append(hooks, id) }
		})
		f.Next("g", "")
		names := f.Line("a", "g", 4, 3)
		f.accept("g")
		for _, name := range []string{"a2", "a3", "a1"} {
			if _, ok := errors.AsType[*blockchain.UndecidedError](f.offer(name)); !ok {
				t.Fatalf("%s is decided", name)
			}
		}
		writes := 0
		f.mem.before = func(shares []blockchain.Accepted) error {
			if writes++; len(shares) != 4 {
				t.Errorf("a write of %d shares", len(shares))
			}
			return nil
		}
		f.accept("a0")
		f.tipIs("a3")
		stop := f.run()
		synctest.Wait()
		if err := stop(); err != nil || writes != 1 || f.mem.tip != f.id("a3") {
			t.Errorf("%d writes, stored tip %v, %v", writes, f.mem.tip, err)
		}
		want := []chainhash.Hash{f.id("g")}
		for _, name := range names {
			want = append(want, f.id(name))
		}
		if !slices.Equal(hooks, want) || !slices.Equal(f.mem.stored(), want) {
			t.Errorf("hooks %v, stored %v, want %v", hooks, f.mem.stored(), want)
		}
	})
}

// TestFailingStore: one failed write ends everything, and nobody learns of the
// share that was not stored.
func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		diskFull := errors.New("no space left on device")
		hooks := 0
		f := newFixture(t, func(c *Config) {
			c.Hooks = Hooks{Tip: func() { hooks++ }, Accepted: func(chainhash.Hash) { hooks++ }}
		})
		f.Next("g", "")
		f.Line("a", "g", 3, 3)
		f.accept("g")
		f.mem.before = func([]blockchain.Accepted) error { return diskFull }
		result := make(chan error, 1)
		go func() { result <- f.Manager.Run(t.Context()) }()
		synctest.Wait()
		if hooks != 2 {
			t.Fatalf("%d hooks", hooks)
		}
		if err := f.offer("a0"); !errors.Is(err, ErrStopped) || !errors.Is(err, diskFull) {
			t.Errorf("the failing share: %v", err)
		}
		if err := <-result; !errors.Is(err, diskFull) {
			t.Errorf("Run: %v", err)
		}
		f.mem.before = nil // too late
		for _, name := range []string{"g", "a0", "a1", "a2"} {
			if err := f.offer(name); !errors.Is(err, ErrStopped) {
				t.Errorf("%s afterwards: %v", name, err)
			}
		}
		if err := f.BitcoinTip(t.Context(), f.Bitcoin("genesis").Hash); !errors.Is(err, ErrStopped) {
			t.Errorf("a Bitcoin block afterwards: %v", err)
		}
		f.tipIs("g")
		if hooks != 2 || len(f.mem.stored()) != 1 {
			t.Errorf("%d hooks, %d shares stored", hooks, len(f.mem.stored()))
		}
	})
}

// TestRestart: a new Manager on the same database has the same tip and scores, to
// the last detail, and goes on from there.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	var store *database.Store
	f := newFixture(t, func(c *Config) {
		store = openStore(t, dir, c.Params)
		c.Store = store
	})
	names := f.tangle()
	f.accept(names...)
	f.tipIs("m29")
	bits := f.Params.Bitcoin.PowLimitBits
	before := f.Manager
	want, err := before.Scores(before.Tip().ID, bits)
	if err != nil {
		t.Fatal(err)
	}
	if store.Tip() != before.Tip().ID || store.Len() != uint64(len(names)) {
		t.Errorf("stored: %d of %d shares, tip %v", store.Len(), len(names), store.Tip())
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.offer("g"); !errors.Is(err, blockchain.ErrDuplicate) {
		t.Error(err)
	}

	store = openStore(t, dir, f.Params)
	f.cfg.Store = store
	f.restart()
	got, err := f.Manager.Scores(f.Tip().ID, bits)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("scores differ, %v", err)
	}
	if !reflect.DeepEqual(f.Tip(), before.Tip()) {
		t.Errorf("tip %+v, was %+v", f.Tip(), before.Tip())
	}
	if !slices.Equal(f.Locator(), before.Locator()) || !reflect.DeepEqual(f.Latest(100), before.Latest(100)) {
		t.Error("the chain differs")
	}
	for _, name := range names {
		raw, err := f.Manager.Share(f.id(name))
		if err != nil || !bytes.Equal(raw, f.Generator.Share(name).Encode()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.Next("next", "m29")
	f.accept("next")
	f.tipIs("next")
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// TestLoadFailures: each is an error of Load.
func TestLoadFailures(t *testing.T) {
	failure := errors.New("failure")
	f := newFixture(t)
	genesis := f.Bitcoin("genesis").Hash
	tests := []struct {
		name  string
		tip   chainhash.Hash
		spoil func()
		kind  error
	}{
		{"unknown Bitcoin tip", chainhash.Hash{1}, func() {}, nil},
		{"Bitcoin node", genesis, func() { f.bitcoin.hook = func(context.Context) error { return failure } }, failure},
		{"store", genesis, func() { f.bitcoin.hook = nil; f.mem.broken = failure }, failure},
		{"stored share without its parent", genesis, func() {
			f.Next("g", "")
			f.mem.broken = nil
			f.mem.shares = []blockchain.Accepted{{Share: f.Next("a", "g").Share}}
		}, blockchain.ErrCorrupt},
		{"stored tip that is missing", genesis, func() { f.mem.broken, f.mem.shares, f.mem.tip = nil, nil, chainhash.Hash{1} }, blockchain.ErrCorrupt},
	}
	for _, test := range tests {
		test.spoil()
		if err := New(f.cfg).Load(t.Context(), test.tip); err == nil || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestShuffled: eight goroutines offer the shares of a chain in different orders
// until all are in, while others read; the result is the same as in order, in
// memory and in the database.
func TestShuffled(t *testing.T) {
	dir := t.TempDir()
	var store *database.Store
	f := newFixture(t, func(c *Config) {
		store = openStore(t, dir, c.Params)
		c.Store = store
	})
	reference := newFixture(t)
	names := reference.tangle()
	reference.accept(names...)
	shares := make([]*share.Share, len(names))
	for i, name := range names {
		shares[i] = reference.Generator.Share(name).Share
	}
	ctx, stopAll := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() {
		if err := f.Manager.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	background.Go(func() {
		for ctx.Err() == nil {
			tip := f.Tip()
			if _, err := f.Manager.Scores(tip.ID, f.Params.Bitcoin.PowLimitBits); err != nil {
				t.Error(err)
			}
			if _, err := f.Manager.Share(tip.ID); err != nil && !tip.Empty {
				t.Errorf("the tip is not stored: %v", err)
			}
			f.AfterLocator(f.Locator(), chainhash.Hash{}, 10)
			f.Latest(5)
			f.Have(tip.ID)
		}
	})
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 9))
			for done := false; !done; {
				done = true
				for _, i := range rng.Perm(len(shares)) {
					err := f.Accept(shares[i])
					if _, ok := errors.AsType[*blockchain.UndecidedError](err); ok {
						done = false
					} else if err != nil && !errors.Is(err, blockchain.ErrDuplicate) {
						t.Errorf("seed %d: %s: %v", seed, names[i], err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	stopAll()
	background.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store = openStore(t, dir, f.Params)
	defer store.Close()
	if got, want := f.Tip().ID, reference.Tip().ID; got != want || store.Tip() != want || store.Len() != uint64(len(names)) {
		t.Errorf("tip %v, stored %v, want %v; %d shares stored of %d", got, store.Tip(), want, store.Len(), len(names))
	}
	f.cfg.Store = store
	f.restart()
	want, err := reference.Manager.Scores(reference.Tip().ID, f.Params.Bitcoin.PowLimitBits)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Manager.Scores(f.Tip().ID, f.Params.Bitcoin.PowLimitBits); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("scores differ, %v", err)
	}
}

// TestDeepReorgWarning: a long branch that is too deep to win warns once in a
// while, not with each of its shares.
func TestDeepReorgWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		f := newFixture(t, func(c *Config) { c.Log = slog.NewBackend(&out).Logger("CHMN") })
		f.Next("g", "")
		a := f.Line("a", "g", 12, 3)
		b := f.Line("b", "g", 20, 2)
		f.accept("g")
		f.accept(a[:10]...) // then both branches grow together, as none may lie 10 below the tip
		f.accept(b[:10]...)
		f.accept(a[10])
		f.accept(b[10:16]...)
		warnings := func() int { return strings.Count(out.String(), "A branch with more work was refused") }
		if warnings() != 1 {
			t.Errorf("%d warnings", warnings())
		}
		f.tipIs(a[10])
		time.Sleep(deepReorgInterval)
		f.accept(b[16:]...)
		if warnings() != 2 {
			t.Errorf("%d warnings", warnings())
		}
	})
}

// TestQueries: the Manager answers what the chain does.
func TestQueries(t *testing.T) {
	f := newFixture(t)
	names := f.tangle()
	f.accept(names...)
	m2, _ := f.Info(f.id("m2"))
	if !m2.OnMainChain || m2.Height != 3 || !f.Have(m2.ID) || f.Have(chainhash.Hash{}) {
		t.Errorf("%+v", m2)
	}
	if got := f.Ancestors(f.id("m2"), 1, nil); !slices.Equal(got, []chainhash.Hash{f.id("m1")}) {
		t.Errorf("ancestors %v", got)
	}
	if got := f.AfterLocator(f.Locator()[1:], chainhash.Hash{}, 10); !slices.Equal(got, []chainhash.Hash{f.id("m29")}) {
		t.Errorf("behind the locator %v", got)
	}
	if latest := f.Latest(3); len(latest) != 3 || latest[0].ID != f.id("m29") {
		t.Errorf("latest %v", latest)
	}
	if s := f.Stats(); s.Main != 31 || s.Main+s.Uncles+s.Side != len(names) {
		t.Errorf("%+v", s)
	}
	if id, ok := f.IDAt(3); !ok || id != m2.ID {
		t.Errorf("share %v at height 3", id)
	}
	if w := f.Window(f.id("m29"), f.Params.Bitcoin.PowLimitBits); w.Shares != 20 || w.Last != 30 {
		t.Errorf("%+v", w)
	}
	if e := f.WindowEntries(f.id("m29"), f.Params.Bitcoin.PowLimitBits); len(e) != 20 || e[19].Height != 30 {
		t.Errorf("%d entries", len(e))
	}
	if f.Hashrate(10) <= 0 {
		t.Error("no hashrate")
	}
	for _, b := range f.Blocks(100) {
		if !b.Block {
			t.Errorf("%+v is no block", b)
		}
	}
	if _, err := f.Manager.Scores(chainhash.Hash{5}, 0x207fffff); !errors.Is(err, blockchain.ErrUnknown) {
		t.Error(err)
	}
}

// TestVerdictsPassThrough: the Manager adds nothing to the chain's verdicts.
func TestVerdictsPassThrough(t *testing.T) {
	f := newFixture(t)
	f.Next("g", "")
	f.Next("bad", "g", chaingen.Data(func(d *share.Data) { d.Height += 5 }))
	f.accept("g")
	err := f.offer("bad")
	if _, ok := errors.AsType[blockchain.RuleError](err); !ok || !errors.Is(err, blockchain.ErrHeight) {
		t.Errorf("got %v", err)
	}
	if len(f.mem.stored()) != 1 {
		t.Error("an invalid share was stored")
	}
}
