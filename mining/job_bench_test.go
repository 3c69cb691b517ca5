package mining

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// BenchmarkJobs is a new share tip's cost for 10,000 payees. "floor" is the one hash of
// each job that can't be spared, the commitment to its share.
func BenchmarkJobs(b *testing.B) {
	const payees = 10_000
	list := make([][]byte, payees)
	for i := range list {
		list[i] = payee(i)
	}
	for _, class := range []share.Class{share.Class12, share.Class144} {
		b.Run(fmt.Sprint("class ", class), func(b *testing.B) {
			f := newFixture(b)
			f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, payee) })
			f.SetTemplate(f.template(100))
			b.ReportAllocs()
			benchTips(b, func() {
				f.ChainChanged()
				w := f.Work()
				for _, p := range list {
					if _, err := w.Job(p, class); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
	b.Run("floor", func(b *testing.B) {
		f := newFixture(b)
		f.SetTemplate(f.template(100))
		data := f.job(list[0], share.Class144).data
		benchTips(b, func() {
			for _, p := range list {
				data.Payee = p
				data.Commitment(&f.params.ChainID)
			}
		})
	})
}

// benchTips reports how long what is done on a new tip takes.
func benchTips(b *testing.B, work func()) {
	b.Helper()
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		work()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(times[(len(times)*99+99)/100-1].Seconds()*1000, "p99-ms")
}
