package main

import (
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
)

const (
	// newcomers are served at once by TestServingMemory,
	newcomers = 8
	// which may take so many bytes of memory for each: what its send queue holds at most
	// (448 KiB), the ids of an answer, and what the garbage collector lags behind.
	servedMemory = 3 << 20
)

// newcomer fetches a node's whole chain as a sync does, with as many batches under way,
// and throws it away.
type newcomer struct {
	net.Conn
	pool *joinNet
	in   *message.Reader
	last chainhash.Hash
	got  int
}

func (j *joinNet) newcomer(addr string) (*newcomer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	n := &newcomer{Conn: conn, pool: j, in: message.NewReader(conn, j.params.Magic)}
	err = n.send(&message.Version{Protocol: message.ProtocolVersion, ChainID: j.params.ChainID, Nonce: 1, Mode: message.LowBandwidth})
	if err == nil {
		_, err = n.in.Next()
	}
	if err == nil {
		err = n.send(&message.VerAck{})
	}
	return n, err
}

func (n *newcomer) send(m message.Message) error {
	frame, err := message.AppendFrame(nil, n.pool.params.Magic, m)
	if err == nil {
		_, err = n.Write(frame)
	}
	return err
}

// ids asks for what comes next. An inv of a single id is an announcement.
func (n *newcomer) ids() ([]chainhash.Hash, error) {
	r := &message.GetLocator{Max: message.MaxInv}
	if n.got > 0 {
		r.Locator = []chainhash.Hash{n.last}
	}
	if err := n.send(r); err != nil {
		return nil, err
	}
	for {
		m, err := n.in.Next()
		if err != nil {
			return nil, err
		}
		if inv, ok := m.(*message.Inv); ok && len(inv.IDs) != 1 {
			return inv.IDs, nil
		}
	}
}

// fetch gets shares, each of its messages after a pause.
func (n *newcomer) fetch(ids []chainhash.Hash, pause time.Duration) error {
	asked, got := 0, 0
	for got < len(ids) {
		for asked < len(ids) && asked-got < netsync.MaxSyncRequests*netsync.MaxBatch {
			next := ids[asked:min(asked+netsync.MaxBatch, len(ids))]
			if err := n.send(&message.GetShares{IDs: next}); err != nil {
				return err
			}
			asked += len(next)
		}
		m, err := n.in.Next()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *message.Shares:
			got += len(m.Raw)
			time.Sleep(pause)
		case *message.NotFound:
			return fmt.Errorf("%d shares are not found", len(m.IDs))
		}
	}
	n.got += got
	n.last = ids[len(ids)-1]
	return nil
}

// run fetches all there is.
func (n *newcomer) run(pause time.Duration) error {
	defer n.Close()
	for {
		ids, err := n.ids()
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := n.fetch(ids, pause); err != nil {
			return err
		}
	}
}

// peakHeap measures by how much the heap grows at most while f runs. The garbage
// collector has to keep up.
func peakHeap(f func()) (peak uint64) {
	const garbage = 10 // per cent
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; !done.Load(); time.Sleep(20 * time.Millisecond) {
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
		}
	})
	f()
	done.Store(true)
	wg.Wait()
	return peak
}

// TestServingMemory: eight newcomers at once, half of them slow readers, cost a node
// little memory: it reads what it sends from the database, in batches.
func TestServingMemory(t *testing.T) {
	shares := coldShares / 2
	if raceDetector {
		shares /= 10
	}
	j := newJoinNet(t, 1_000)
	old := j.start(t.TempDir())
	old.fill(shares)
	stats := old.chain.Stats()
	shares = stats.Main + stats.Uncles
	clients := make([]*newcomer, newcomers)
	for i := range clients {
		var err error
		if clients[i], err = j.newcomer(old.addr()); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, newcomers)
	begun := time.Now()
	peak := peakHeap(func() {
		var wg sync.WaitGroup
		for i, n := range clients {
			wg.Go(func() { errs[i] = n.run(time.Duration(i%2) * 5 * time.Millisecond) })
		}
		wg.Wait()
	})
	took := time.Since(begun)
	for i, n := range clients {
		if errs[i] != nil || n.got != shares {
			t.Errorf("newcomer %d got %d of %d shares, %v", i, n.got, shares, errs[i])
		}
	}
	t.Logf("%d newcomers got %d shares each in %v, %.0f shares/s; the heap grew by %.1f MB, theirs included",
		newcomers, shares, took.Round(time.Millisecond), float64(newcomers*shares)/took.Seconds(), float64(peak)/1e6)
	if peak > newcomers*servedMemory {
		t.Errorf("the heap grew by %d bytes, at most %d are allowed", peak, newcomers*servedMemory)
	}
}
