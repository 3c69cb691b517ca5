package chainman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
)

// memStore is a Store in memory.
type memStore struct {
	mu     sync.Mutex
	shares []blockchain.Accepted
	tip    chainhash.Hash
	base   uint32
	before func(shares []blockchain.Accepted) error // called by Append, which fails with it
	broken error                                    // of Load
}

func (s *memStore) Append(shares []blockchain.Accepted, tip chainhash.Hash, base uint32) error {
	if s.before != nil {
		if err := s.before(shares); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shares, s.tip, s.base = append(s.shares, shares...), tip, base
	s.shares = slices.DeleteFunc(s.shares, func(a blockchain.Accepted) bool { return a.Share.Data.Height < base })
	return nil
}

func (s *memStore) Share(height uint32, id chainhash.Hash) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.shares {
		if a.ID == id && a.Share.Data.Height == height {
			return a.Share.Encode(), nil
		}
	}
	return nil, errors.New("not found")
}

func (s *memStore) Load(restore func(*share.Share, bool) error) error {
	byHeight := slices.Clone(s.shares)
	slices.SortStableFunc(byHeight, func(a, b blockchain.Accepted) int {
		return cmp.Compare(a.Share.Data.Height, b.Share.Data.Height)
	})
	for _, a := range byHeight {
		if err := restore(a.Share, a.Root); err != nil {
			return err
		}
	}
	return s.broken
}

func (s *memStore) Tip() chainhash.Hash { return s.tip }
func (s *memStore) Base() uint32        { return s.base }
func (s *memStore) Close() error        { return nil }

func (s *memStore) stored() []chainhash.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []chainhash.Hash
	for _, a := range s.shares {
		ids = append(ids, a.ID)
	}
	return ids
}

// fakeBitcoin is a Bitcoin node that knows what it has been given.
type fakeBitcoin struct {
	mu      sync.Mutex
	blocks  map[chainhash.Hash]chaingen.BitcoinBlock
	invalid map[chainhash.Hash]bool
	calls   int
	most    int                         // headers in one answer, 0 for as many as asked for
	hook    func(context.Context) error // called first, its error is the answer
}

func (b *fakeBitcoin) add(blocks ...chaingen.BitcoinBlock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, block := range blocks {
		b.blocks[block.Hash] = block
	}
}

func (b *fakeBitcoin) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *fakeBitcoin) HeadersBack(ctx context.Context, hash chainhash.Hash, n int) ([]wire.BlockHeader, uint32, error) {
	b.mu.Lock()
	b.calls++
	hook := b.hook
	b.mu.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return nil, 0, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	block, ok := b.blocks[hash]
	if !ok {
		return nil, 0, fmt.Errorf("%w: %v", ErrUnknownBlock, hash)
	}
	if b.most > 0 {
		n = min(n, b.most)
	}
	headers := []wire.BlockHeader{block.Header}
	for len(headers) < n && block.Height > 0 {
		block = b.blocks[block.Header.PrevBlock]
		headers = append(headers, block.Header)
	}
	slices.Reverse(headers)
	return headers, block.Height, nil
}

func (b *fakeBitcoin) Invalid(_ context.Context, hash chainhash.Hash) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.invalid[hash], nil
}

// fixture is a Manager beside the generator of its shares.
type fixture struct {
	*testing.T
	*chaingen.Generator
	*Manager
	cfg     Config
	bitcoin *fakeBitcoin
	mem     *memStore     // unless the test brings its own store
	ahead   time.Duration // by which the clock was moved
}

// newFixture returns a Manager on a regtest chain as in package blockchain's
// tests, loaded, with a clock a day after the generated shares that runs with
// the test's.
func newFixture(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main", chainparams.WithWindow(20, 5, 60, 10), chaingen.Easy)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		T: t, Generator: chaingen.New(t, params), mem: &memStore{},
		bitcoin: &fakeBitcoin{blocks: make(map[chainhash.Hash]chaingen.BitcoinBlock)},
	}
	f.bitcoin.add(f.Bitcoin("genesis"))
	start, base := time.Now(), f.Bitcoin("genesis").Header.Timestamp.Add(24*time.Hour)
	f.cfg = Config{
		Params: params, Store: f.mem, Bitcoin: f.bitcoin,
		Now: func() time.Time { return base.Add(f.ahead + time.Since(start)) },
	}
	for _, c := range change {
		c(&f.cfg)
	}
	f.restart()
	return f
}

// restart replaces the Manager by a new one on the same store.
func (f *fixture) restart() {
	f.T.Helper()
	f.Manager = New(f.cfg)
	if err := f.Load(f.T.Context(), f.Bitcoin("genesis").Hash); err != nil {
		f.Fatal(err)
	}
}

// offer gives shares as they come from a peer to the Manager and returns the last
// verdict.
func (f *fixture) offer(names ...string) error {
	f.T.Helper()
	var err error
	for _, name := range names {
		var s *share.Share
		if s, err = share.Decode(f.Generator.Share(name).Encode()); err != nil {
			f.Fatal(err)
		}
		err = f.Accept(s)
	}
	return err
}

func (f *fixture) accept(names ...string) {
	f.T.Helper()
	for _, name := range names {
		if err := f.offer(name); err != nil {
			f.Fatalf("%s: %v", name, err)
		}
	}
}

// id returns the ID of a generated share.
func (f *fixture) id(name string) chainhash.Hash {
	f.T.Helper()
	return f.Generator.Share(name).ID
}

func (f *fixture) tipIs(name string) {
	f.T.Helper()
	if got := f.Tip().ID; got != f.id(name) {
		f.Fatalf("tip is %v, want %s", got, name)
	}
}

// run starts the Manager; the returned function ends it and gives Run's error.
func (f *fixture) run() (stop func() error) {
	ctx, cancel := context.WithCancel(f.T.Context())
	result := make(chan error, 1)
	go func() { result <- f.Manager.Run(ctx) }()
	return func() error { cancel(); return <-result }
}

// tangle makes a chain of forks, uncles and a reorganisation and returns the
// names in an order that parents and uncles come first.
//
//	g - m0 - m1 - m2 … m29     every third has its parent's sibling s as uncle
//	          \- l0 - l1 - l2  seen first, loses
func (f *fixture) tangle() []string {
	f.T.Helper()
	f.Next("g", "")
	names := []string{"g"}
	tip, below := "g", ""
	for i := range 30 {
		name := fmt.Sprint("m", i)
		opts := []chaingen.Option{chaingen.Payee(i % 6)}
		if below != "" && i%3 == 0 {
			uncle := fmt.Sprint("s", i)
			f.Next(uncle, below, chaingen.Payee(50+i))
			names = append(names, uncle)
			opts = append(opts, chaingen.Uncles(uncle))
		}
		f.Next(name, tip, opts...)
		names = append(names, name)
		tip, below = name, tip
		if i == 1 {
			names = append(names, f.Line("l", "m1", 3, 4)...)
		}
	}
	return names
}

func storePath(dir string) string { return filepath.Join(dir, "shares") }

// openStore opens a real database.
func openStore(t testing.TB, dir string, params *chainparams.Params) *database.Store {
	t.Helper()
	s, err := database.Open(storePath(dir), params.ChainID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
