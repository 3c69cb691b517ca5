package bitcoind

import (
	"context"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// BenchmarkSubmit measures from the call of SubmitBlock with a block of 4 MB to the
// arrival of the first and of the last of 8 MB of digits at the node.
func BenchmarkSubmit(b *testing.B) {
	block := make([]byte, 4_000_000)
	for _, warm := range []bool{true, false} {
		b.Run(map[bool]string{true: "warm", false: "new connection"}[warm], func(b *testing.B) {
			s := bitcoindtest.NewSink(b)
			c, err := New(Config{URL: s.URL(), Params: &chaincfg.RegressionNetParams})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var times bitcoindtest.Arrivals
			for b.Loop() {
				if !warm {
					c.lanes.closeIdle()
				}
				start := time.Now()
				if err := c.SubmitBlock(context.Background(), mining.RawBlock{block}, nil); err != nil {
					b.Fatal(err)
				}
				times.Note(s, start)
			}
			c.lanes.closeIdle()
			times.Report(b.ReportMetric)
		})
	}
}
