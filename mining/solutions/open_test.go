package solutions

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// TestOpenBlocks: others are told of a block of our own until a node has it, after a start as
// well, and of the newest if there are many.
func TestOpenBlocks(t *testing.T) {
	f := newFixture(t)
	f.fake.Down()
	var blocks []*mining.SolvedBlock
	var hashes []chainhash.Hash
	for range 3 {
		b := f.solve(true)
		f.Keep(b)
		blocks, hashes = append(blocks, b), append(hashes, b.Share.ID())
	}
	f.Keep(f.solve(false))
	f.writers.Wait()
	want := []chainhash.Hash{hashes[2], hashes[1]}
	for _, when := range []string{"at once", "after a start"} {
		if got := f.Open(2); !slices.Equal(got, want) {
			t.Errorf("%s: %v", when, got)
		}
		b, err := f.Block(hashes[2])
		if err != nil {
			t.Fatal(err)
		}
		if b.Share.ID() != hashes[2] || !bytes.Equal(b.Raw.Bytes(), blocks[2].Raw.Bytes()) || b.Worker != "rig" || !b.Own {
			t.Errorf("%s: %+v", when, b)
		}
		f.open()
	}
	if err := os.Remove(filepath.Join(f.dir, fileName(&f.List(1)[0]))); err != nil {
		t.Fatal(err)
	}
	for _, hash := range []chainhash.Hash{hashes[2], {1}} {
		if b, err := f.Block(hash); err == nil {
			t.Errorf("%+v", b)
		}
	}
	if err := f.fake.Up(); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if err := f.node.SubmitBlock(t.Context(), b.Raw, nil); err != nil {
			t.Fatal(err)
		}
	}
	f.pass(time.Hour)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.Open(9); got != nil {
		t.Errorf("open at the end: %v", got)
	}
}

// TestOpenRejected: a block that our node rejects is open as long as it is submitted again.
func TestOpenRejected(t *testing.T) {
	for refusals, want := range []int{1, 1, 1, 0} {
		e := &entry{Record: Record{Own: true, Status: Rejected, Refusals: refusals}, file: "x"}
		j := &Journal{blocks: map[chainhash.Hash]*entry{{}: e}}
		if got := j.Open(1); len(got) != want {
			t.Errorf("after %d refusals: %v", refusals, got)
		}
		e.bare = true
		if j.Open(1) != nil {
			t.Error("a block without a share is open")
		}
	}
}

// TestOpenOfMany: blocks that are settled cost those that ask each second no memory.
func TestOpenOfMany(t *testing.T) {
	j := &Journal{blocks: make(map[chainhash.Hash]*entry)}
	for i := range maxRecords {
		hash := chainhash.Hash{byte(i), byte(i >> 8)}
		j.blocks[hash] = &entry{Record: Record{Hash: hash, Height: uint32(i), Own: true, Status: Matured, Final: true}}
	}
	if n := testing.AllocsPerRun(10, func() { j.Open(4) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// slowNode takes blocks, and answers no questions.
type slowNode struct {
	Node
	submitted chan mining.RawBlock
}

func (n slowNode) SubmitBlock(ctx context.Context, block mining.RawBlock, _ <-chan struct{}) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) > resubmitTimeout {
		n.submitted <- block
	}
	return nil
}

func (n slowNode) TipHash(ctx context.Context) (chainhash.Hash, error) {
	<-ctx.Done()
	return chainhash.Hash{}, ctx.Err()
}

// TestLeftBeforeQuestions: what an earlier run left is submitted though the node answers no
// question, and for as long as it may take a node to start.
func TestLeftBeforeQuestions(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	node := slowNode{submitted: make(chan mining.RawBlock, 1)}
	j := Open(Config{Dir: f.dir, Node: node})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	if got := <-node.submitted; !bytes.Equal(got.Bytes(), b.Raw.Bytes()) {
		t.Error("another block")
	}
	cancel()
	<-done
	j.Close()
}

// awayNode answers nothing. It tells what it was to take, and for how long.
type awayNode struct {
	Node
	calls chan awayCall
}

type awayCall struct {
	hash  chainhash.Hash
	limit time.Duration
}

func (n awayNode) SubmitBlock(ctx context.Context, block mining.RawBlock, _ <-chan struct{}) error {
	end, _ := ctx.Deadline()
	n.calls <- awayCall{chainhash.DoubleHashH(block[0][:80]), time.Until(end)}
	<-ctx.Done()
	return ctx.Err()
}

// TestLeftNewestFirst: of more blocks than are submitted at a time, the newest is among the
// first, and it alone keeps its place for as long as a node may take to start.
func TestLeftNewestFirst(t *testing.T) {
	f := newFixture(t)
	var newest chainhash.Hash
	for range maxResubmits + 2 {
		b := f.solve(true)
		f.Keep(b)
		newest = b.Share.ID()
	}
	f.writers.Wait()
	node := awayNode{calls: make(chan awayCall)}
	j := Open(Config{Dir: f.dir, Node: node})
	j.submitLeft()
	seen := false
	for range maxResubmits {
		call := <-node.calls
		if long := call.limit > resubmitTimeout; long != (call.hash == newest) {
			t.Errorf("block %v, the newest is %v, is submitted for %v", call.hash, newest, call.limit)
		}
		seen = seen || call.hash == newest
	}
	if !seen {
		t.Error("the newest block waits")
	}
	j.Close()
}
