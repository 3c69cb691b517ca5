package nodes

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// submit submits a block and reports how it went and how long it took.
func (f *fixture) submit(block []byte, limit time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(f.Context(), limit)
	defer cancel()
	start := time.Now()
	err := f.SubmitBlock(ctx, mining.RawBlock{block}, nil)
	return time.Since(start), err
}

// TestPoolSubmit: a block goes to all nodes, and the first answer counts, whatever the
// others do.
func TestPoolSubmit(t *testing.T) {
	faults := map[string]bitcoindtest.Faults{
		"none":       {},
		"hangs":      {Delay: map[string]time.Duration{"submitblock": time.Hour}},
		"HTTP 500":   {Status: 500, Body: "oops"},
		"garbage":    {Status: 200, Body: "<html>"},
		"truncated":  {Raw: map[string]string{"submitblock": `{"result":nu`}},
		"password":   {Pass: "other"},
		"starting":   {Errors: map[string]*btcjson.RPCError{"submitblock": btcjson.NewRPCError(btcjson.ErrRPCInWarmup, "Loading")}},
		"rejects it": {Raw: map[string]string{"submitblock": `{"result":"bad-txns"}`}},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, false, true)
			f.fakes[0].SetFaults(fault)
			block := f.secret()
			took, err := f.submit(block, time.Minute)
			if err != nil || took > 5*time.Second {
				t.Fatalf("%v after %v", err, took)
			}
			f.until("the second has it", func() bool { _, h := f.fakes[1].Tip(); return h == 1 })
			if name == "none" {
				f.until("the first has it", func() bool { _, h := f.fakes[0].Tip(); return h == 1 })
				f.until("it is precious", func() bool { return f.fakes[0].Calls("preciousblock") == 1 })
			}
			f.fakes[0].Down()
		})
	}
}

// TestPoolPrefersFirst: of two blocks of the pool on one parent the nodes are asked to
// prefer the first only.
func TestPoolPrefersFirst(t *testing.T) {
	f := newFixture(t, false)
	first, second := f.secret(), f.secret()
	if bytes.Equal(first, second) || !bytes.Equal(first[4:36], second[4:36]) {
		t.Fatal("no blocks on one parent")
	}
	for range 2 {
		for _, block := range [][]byte{first, second} {
			if _, err := f.submit(block, time.Minute); err != nil {
				t.Fatal(err)
			}
			f.submitting.Wait()
		}
	}
	if n := f.fakes[0].Calls("preciousblock"); n != 2 {
		t.Errorf("asked %d times to prefer a block, want twice for the first", n)
	}
	if tip, _ := f.fakes[0].Tip(); tip != chainhash.DoubleHashH(first[:wire.MaxBlockHeaderPayload]) {
		t.Error("the second block is preferred")
	}
}

// TestPoolSubmitFails: all refuse, or all are silent.
func TestPoolSubmitFails(t *testing.T) {
	f := newFixture(t, false, true)
	reject := bitcoindtest.Faults{Raw: map[string]string{"submitblock": `{"result":"bad-txns"}`}}
	f.fakes[0].SetFaults(reject)
	f.fakes[1].SetFaults(reject)
	if took, err := f.submit(f.secret(), time.Minute); !errors.Is(err, bitcoind.ErrRejected) || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	f.fakes[1].Down()
	_, err := f.submit(f.secret(), 300*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, bitcoind.ErrRejected) {
		t.Errorf("got %v", err)
	}
}

// TestPoolSubmitOutage: all nodes are away for a while; then the block gets through.
func TestPoolSubmitOutage(t *testing.T) {
	f := newFixture(t, false, false)
	block := f.secret()
	f.fakes[0].Down()
	f.fakes[1].Down()
	done := make(chan error, 1)
	go func() { done <- f.SubmitBlock(t.Context(), mining.RawBlock{block}, nil) }()
	select {
	case err := <-done:
		t.Fatalf("gave up: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := f.fakes[1].Up(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("never submitted")
	}
	if _, h := f.fakes[1].Tip(); h != 1 {
		t.Error("the node doesn't have it")
	}
}

// TestPoolSubmitWaitsForParent: a node that lacks the block below is asked again.
func TestPoolSubmitWaitsForParent(t *testing.T) {
	f := newFixture(t, false, false)
	parent := f.fakes[0].Mine(1)
	hash := f.fakes[0].Mine(1)
	block := f.block(0, hash)
	if _, err := f.submit(block, time.Minute); err != nil { // the first has it
		t.Fatal(err)
	}
	f.until("the second was asked", func() bool { return f.fakes[1].Calls("submitblock") > 0 })
	f.give(0, 1, parent)
	f.until("the second has it", func() bool { tip, _ := f.fakes[1].Tip(); return tip == hash })
}

// TestPoolOwnFirst: a block found here doesn't wait for those of others.
func TestPoolOwnFirst(t *testing.T) {
	f := newFixture(t, false)
	own := f.secret()
	f.fakes[0].SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"submitblock": time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	for range 8 { // as many as there may be at a time
		other := f.secret()
		hanging.Go(func() { _ = f.SubmitPeerBlock(ctx, mining.RawBlock{other}) })
	}
	f.until("another's block is there", func() bool { return f.fakes[0].Calls("submitblock") > 0 })
	f.fakes[0].SetFaults(bitcoindtest.Faults{}) // for calls from now on
	if _, err := f.submit(own, time.Minute); err != nil {
		t.Fatal(err)
	}
	cancel()
	f.end()
	hanging.Wait()
	f.fakes[0].Down()
}

// TestPoolPortOpensLate: a port for peers that isn't open yet is tried again while the nodes
// say nothing, and not any more when they have spoken.
func TestPoolPortOpensLate(t *testing.T) {
	f := newFixture(t, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().String()
	l.Close()
	f.cfg.P2P, f.portPause = []string{port}, 5*time.Millisecond
	block := f.secret()
	f.fakes[0].Down()
	done := make(chan error, 1)
	go func() { done <- f.SubmitBlock(t.Context(), mining.RawBlock{block}, nil) }()
	select {
	case err := <-done:
		t.Fatalf("gave up: %v", err)
	case <-time.After(10 * f.portPause):
	}
	if l, err = net.Listen("tcp", port); err != nil {
		t.Skip(err) // another program was faster
	}
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	for range 2 { // also if the connection breaks
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if err := f.fakes[0].Up(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	ended := make(chan struct{})
	go func() { defer close(ended); f.submitting.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the port is still being tried")
	}
}

// TestPoolWinsTies: our block is preferred to one that came before.
func TestPoolWinsTies(t *testing.T) {
	f := newFixture(t, false, true)
	f.run()
	block := f.secret()
	f.await(f.mine(0))
	if _, err := f.submit(block, time.Minute); err != nil {
		t.Fatal(err)
	}
	f.await(chainhash.DoubleHashH(block[:80]))
}
