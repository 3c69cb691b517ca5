package bitcoind

import (
	"encoding/hex"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// paidChain is an empty sharechain whose window has many payees.
type paidChain struct {
	*blockchain.Chain
	params *chainparams.Params
	table  *payout.Table
}

func (c *paidChain) Accept(*share.Share) error { return nil }

func (c *paidChain) Payouts(parent chainhash.Hash, _ uint32, value int64, class share.Class) (payout.Result, error) {
	return c.table.Compute(c.params, value, class, &parent), nil
}

// script is the n-th of many payees.
func script(n int) []byte { return fmt.Appendf([]byte{0, 20}, "%020d", n) }

// newJobs returns a Generator for a pool of 1,500 payees.
func newJobs(tb testing.TB) *mining.Generator {
	tb.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		tb.Fatal(err)
	}
	scores := make([]payout.Score, 1500)
	for i := range scores {
		scores[i] = payout.Score{Script: script(i), Weight: *new(uint256.Uint256).SetUint64(uint64(i) + 1)}
	}
	g, err := mining.NewGenerator(mining.Config{
		Params: params, Chain: &paidChain{blockchain.New(params), params, payout.NewTable(scores)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// makeJob does all that lies between a node's reply and a job.
func makeJob(tb testing.TB, c *Client, g *mining.Generator, raw []byte) *mining.Job {
	tb.Helper()
	t, err := c.parseTemplate(raw, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	g.SetTemplate(t)
	w := g.Work()
	if w == nil {
		tb.Fatal(g.Reason())
	}
	j, err := w.Job(script(0), share.Class144)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// liveHeap returns how many bytes are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first has found in sync.Pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkFullJob reads a template of 4,000 transactions and 2 MB and makes a job of 144
// outputs on it, which is audited. KB-kept is how much more of the heap is in use, per
// template, when the next ones have taken its place. "floor" is what can't be spared, see
// BenchmarkParseTemplate.
func BenchmarkFullJob(b *testing.B) {
	raw := bigTemplate(b, 4000)
	c := parser(b)
	b.Run("job", func(b *testing.B) {
		g := newJobs(b)
		makeJob(b, c, g, raw)
		before, count := liveHeap(), 0
		var times []time.Duration
		for b.Loop() {
			start := time.Now()
			makeJob(b, c, g, raw)
			times = append(times, time.Since(start))
			count++
		}
		slices.Sort(times)
		b.ReportMetric(times[len(times)/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(times[(len(times)*99+99)/100-1].Seconds()*1000, "p99-ms")
		b.ReportMetric(math.Round(float64(liveHeap()-before)/float64(count)/1000), "KB-kept")
		runtime.KeepAlive(g)
	})
	b.Run("floor", func(b *testing.B) {
		t, err := c.parseTemplate(raw, time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		benchFloor(b, t)
	})
}

// benchFloor hashes a template's transactions with and without witness, from hex digits,
// on one core.
func benchFloor(b *testing.B, t *mining.Template) {
	b.Helper()
	var text [][]byte
	for _, tx := range t.Txs {
		text = append(text, []byte(hex.EncodeToString(tx.Raw)))
	}
	for b.Loop() {
		for _, h := range text {
			raw := make([]byte, len(h)/2)
			if _, err := hex.Decode(raw, h); err != nil {
				b.Fatal(err)
			}
			chainhash.DoubleHashH(raw)
			chainhash.DoubleHashH(raw[:len(raw)/4])
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
}

// TestTemplateMemory: of templates that others have replaced, nothing stays.
func TestTemplateMemory(t *testing.T) {
	raw, c, g := bigTemplate(t, 1000), parser(t), newJobs(t)
	makeJob(t, c, g, raw)
	before := liveHeap()
	const rounds = 20
	for range rounds {
		makeJob(t, c, g, raw)
	}
	if more := liveHeap() - before; more > int64(len(raw)) {
		t.Errorf("after %d templates of %d bytes the heap has %d bytes more", rounds, len(raw), more)
	}
	runtime.KeepAlive(g)
}
