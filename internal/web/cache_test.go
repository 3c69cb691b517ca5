package web

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAskedOnce: a crowd of requests costs the node one question a second, and one about
// all miners in three.
func TestAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := working()
		h := New(b)
		const seconds = 9
		for range seconds {
			for range 20 {
				for _, path := range paths {
					ask(h, "GET", path, "x")
				}
			}
			time.Sleep(time.Second)
		}
		looks := int(seconds * time.Second / minersFreshFor)
		if b.askedStatus != seconds || b.askedBlocks != seconds || b.askedMiners != looks || b.askedMiner != looks {
			t.Errorf("asked %d, %d, %d and %d times", b.askedStatus, b.askedBlocks, b.askedMiners, b.askedMiner)
		}
	})
}

// TestKeptAddresses: what is made of addresses is kept for a few, and for a moment.
// Addresses of nobody, which anybody can make up, take no place.
func TestKeptAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := working()
		h := New(b)
		for i := range 10 * maxKept {
			ask(h, "GET", fmt.Sprintf("/miner/%s%d", validAddress, i), "x")
			ask(h, "GET", fmt.Sprintf("/miner/nonsense%d", i), "x")
			ask(h, "GET", fmt.Sprintf("/api/miner/%s%s", knownAddress, strings.Repeat("x", maxAddress)), "x")
		}
		if n := len(h.lookups.kept); n != 0 {
			t.Errorf("%d addresses of nobody are kept", n)
		}
		for range 2 {
			for i := range 10 * maxKept {
				for _, path := range []string{"/miner/", "/api/miner/"} {
					if w := ask(h, "GET", fmt.Sprintf("%s%s%d", path, knownAddress, i), "x"); w.Code != 200 {
						t.Fatal(w.Code)
					}
				}
			}
			if n := len(h.lookups.kept); n != maxKept {
				t.Errorf("%d addresses are kept", n)
			}
		}
		asked := b.askedMiner
		ask(h, "GET", "/miner/"+knownAddress+"0", "x")
		if b.askedMiner != asked {
			t.Error("an address that is kept was asked for again")
		}
		time.Sleep(minersFreshFor)
		b.miner.Workers[0].Name = "cellar"
		if page := ask(h, "GET", "/miner/"+knownAddress+"0", "x").Body.String(); !strings.Contains(page, "cellar") {
			t.Error("what is old is shown")
		}
		if n := len(h.lookups.kept); n != 1 {
			t.Errorf("%d addresses are kept of what is old", n)
		}
	})
}

// TestPageSize: an address with all the workers that there can be has a page of bounded
// size, names and all.
func TestPageSize(t *testing.T) {
	b := working()
	worker := b.miner.Workers[0]
	worker.Name, worker.UserAgent = strings.Repeat("'", 64), strings.Repeat("'", 128)
	b.miner.Workers, b.miner.WorkerCount = nil, 10_000
	for range 10_000 {
		b.miner.Workers = append(b.miner.Workers, worker)
	}
	h := New(b)
	for _, path := range []string{"/miner/", "/api/miner/"} {
		w := ask(h, "GET", path+knownAddress, "x")
		if n := w.Body.Len(); w.Code != 200 || n > 256<<10 {
			t.Errorf("%s: %d, %d bytes", path, w.Code, n)
		}
	}
}

// TestManyVisitors: all at once, while the state changes.
func TestManyVisitors(t *testing.T) {
	h := New(working())
	h.status.fresh, h.blocks.fresh, h.lookups.miners.fresh = 0, 0, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				for _, path := range paths {
					if w := ask(h, "GET", path, "x"); w.Code >= 400 {
						t.Errorf("%s: %d", path, w.Code)
					}
				}
				ask(h, "GET", fmt.Sprintf("/miner/%s%d", knownAddress, i), "x")
			}
		})
	}
	wg.Wait()
}

// BenchmarkPages is what visitors cost whose answers are not kept.
func BenchmarkPages(b *testing.B) {
	fake := working()
	for range maxWorkers - 1 {
		fake.miner.Workers = append(fake.miner.Workers, fake.miner.Workers[0])
	}
	for name, path := range map[string]string{
		"front": "/", "kept": "/miner/" + knownAddress, "nobody": "/miner/" + validAddress, "nonsense": "/api/miner/nonsense", "health": "/health",
	} {
		b.Run(name, func(b *testing.B) {
			h := New(fake)
			b.ReportAllocs()
			for b.Loop() {
				ask(h, "GET", path, "x:1")
			}
		})
	}
	b.Run("busy", func(b *testing.B) {
		h := New(fake)
		b.ReportAllocs()
		for b.Loop() {
			h.lookups.kept = nil
			h.lookups.of = nil
			ask(h, "GET", "/miner/"+knownAddress, "x")
		}
	})
}
