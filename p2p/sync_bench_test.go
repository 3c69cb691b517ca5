package p2p

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
)

// benchShares is the length of the chain that is synced.
const benchShares = 20_000

// BenchmarkSync is a cold sync over loopback between two nodes whose chains
// verify next to nothing. "floor" is what no sync can beat: the same shares over
// one connection as they are, each decoded.
func BenchmarkSync(b *testing.B) {
	full := new(fakechain.Chain)
	full.Extend(benchShares, 1)
	b.Run("nodes", func(b *testing.B) {
		from := start(b, full, nil)
		b.ReportAllocs()
		for b.Loop() {
			to := start(b, new(fakechain.Chain), dialing(from))
			eventually(b, "sync", sameTip(from, to))
			to.stop()
		}
		reportShares(b)
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			copyShares(b, full)
		}
		reportShares(b)
	})
}

func reportShares(b *testing.B) {
	b.ReportMetric(float64(b.N)*benchShares/b.Elapsed().Seconds(), "shares/s")
}

// copyShares sends a chain's shares over a connection.
func copyShares(b *testing.B, c *fakechain.Chain) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ids := c.AfterLocator(nil, chainhash.Hash{}, 2*benchShares)
	size := make(chan int, len(ids)) // of each share, in place of frames
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		w := bufio.NewWriterSize(conn, 128<<10)
		for _, id := range ids {
			raw, err := c.Share(id)
			if err != nil {
				return
			}
			w.Write(raw)
			size <- len(raw)
		}
		w.Flush()
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 128<<10)
	for range ids {
		raw := make([]byte, <-size)
		if _, err := io.ReadFull(r, raw); err != nil {
			b.Fatal(err)
		}
		if _, err := share.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
