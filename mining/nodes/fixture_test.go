package nodes

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// patience bounds the wait for anything that a test expects.
const patience = 20 * time.Second

// fixture is a Pool on fake nodes.
type fixture struct {
	*testing.T
	*Pool
	fakes     []*bitcoindtest.Fake
	templates chan *mining.Template
	health    chan bitcoind.Health
}

// newFixture makes a Pool of nodes that speak like btcd where they are named so.
func newFixture(t *testing.T, likeBtcd ...bool) *fixture {
	t.Helper()
	f := &fixture{T: t, templates: make(chan *mining.Template, 1000), health: make(chan bitcoind.Health, 1000)}
	cfg := Config{
		OnTemplate: func(tmpl *mining.Template) { f.templates <- tmpl },
		OnHealth:   func(h bitcoind.Health) { f.health <- h },
	}
	for _, btcd := range likeBtcd {
		fake := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, btcd)
		f.fakes = append(f.fakes, fake)
		cfg.Nodes = append(cfg.Nodes, bitcoind.Config{URL: fake.URL(), Params: &chaincfg.RegressionNetParams})
	}
	var err error
	if f.Pool, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.end(); f.Wait() })
	return f
}

// run runs the Pool until the test ends.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Pool.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			f.Errorf("Run returned %v", err)
		}
	})
}

// mine adds a block, the same to all of the given nodes.
func (f *fixture) mine(nodes ...int) chainhash.Hash {
	f.Helper()
	hash := f.fakes[nodes[0]].Mine(1)
	for _, i := range nodes[1:] {
		f.give(nodes[0], i, hash)
	}
	return hash
}

// give hands a block of one node to another.
func (f *fixture) give(from, to int, hash chainhash.Hash) {
	f.Helper()
	block := f.block(from, hash)
	if err := f.clients[to].SubmitBlock(f.Context(), mining.RawBlock{block}, nil); err != nil {
		f.Fatal(err)
	}
}

// block returns a block's bytes.
func (f *fixture) block(from int, hash chainhash.Hash) []byte {
	f.Helper()
	block, err := f.clients[from].Block(f.Context(), hash)
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	if err := block.Serialize(&buf); err != nil {
		f.Fatal(err)
	}
	return buf.Bytes()
}

// secret makes a block that only an extra node has, on top of the others' chain.
func (f *fixture) secret() []byte {
	f.Helper()
	other := bitcoindtest.NewFakeTest(f, &chaincfg.RegressionNetParams, false)
	client, err := bitcoind.New(bitcoind.Config{URL: other.URL(), Params: &chaincfg.RegressionNetParams})
	if err != nil {
		f.Fatal(err)
	}
	block, err := client.Block(f.Context(), other.Mine(1))
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	if err := block.Serialize(&buf); err != nil {
		f.Fatal(err)
	}
	return buf.Bytes()
}

// await waits for a template on a block.
func (f *fixture) await(parent chainhash.Hash) {
	f.Helper()
	for deadline := time.After(patience); ; {
		select {
		case tmpl := <-f.templates:
			if tmpl.PrevBlock == parent {
				return
			}
		case <-deadline:
			f.Fatalf("no template on %v", parent)
		}
	}
}

// until waits for a condition.
func (f *fixture) until(what string, cond func() bool) {
	f.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("never: %s; %+v", what, f.Nodes())
		}
	}
}
