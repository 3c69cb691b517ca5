package solutions

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// oneTip is a sharechain that takes all shares and stays empty.
type oneTip struct{ *blockchain.Chain }

func (oneTip) Accept(*share.Share) error { return nil }

// fullTemplate has a block of nearly 4 MB, most of it witness.
func fullTemplate(tb testing.TB) *mining.Template {
	tb.Helper()
	t := &mining.Template{
		Version: 0x20000000, PrevBlock: chainhash.Hash{1}, Height: 100, Bits: 0x207fffff, CurTime: 1_700_000_000,
		MinTime: 1_699_990_000, CoinbaseValue: 5e9, WeightLimit: mining.DefaultWeightLimit,
		SigopLimit: mining.DefaultSigopLimit, Received: time.Now(),
	}
	const count, witness = 1_000, 3_700
	for i := range count {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, wire.TxWitness{bytes.Repeat([]byte{byte(i)}, witness)}))
		tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			tb.Fatal(err)
		}
		t.Txs = append(t.Txs, mining.TemplateTx{
			Raw: raw.Bytes(), TxID: tx.TxHash(), WTxID: tx.WitnessHash(),
			Weight: int64(3*tx.SerializeSizeStripped() + tx.SerializeSize()),
		})
	}
	return t
}

// BenchmarkSolution measures from a solution to the arrival of the first and the last
// digits of its block, of nearly 4 MB, at the Bitcoin node: it is assembled, written to
// disk and sent. "floor" is digits that are there already, sent by nothing but a
// connection.
func BenchmarkSolution(b *testing.B) {
	// The node is another program: it must not wait for goroutines of this one.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU()))
	b.Run("submit", benchSolution)
	b.Run("floor", func(b *testing.B) {
		s := bitcoindtest.NewSink(b)
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		go io.Copy(io.Discard, conn) // the answers
		const digits = 2 * 3_770_000
		text := append(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: sink\r\nContent-Length: %d\r\n\r\n", digits), bytes.Repeat([]byte{'0'}, digits)...)
		var times bitcoindtest.Arrivals
		for b.Loop() {
			start := time.Now()
			if _, err := conn.Write(text); err != nil {
				b.Fatal(err)
			}
			times.Note(s, start)
		}
		times.Report(b.ReportMetric)
	})
}

func benchSolution(b *testing.B) {
	s := bitcoindtest.NewSink(b)
	client, err := bitcoind.New(bitcoind.Config{URL: s.URL(), Params: &chaincfg.RegressionNetParams})
	if err != nil {
		b.Fatal(err)
	}
	params, err := chainparams.New(chainparams.Regtest, "main", chaingen.Easy)
	if err != nil {
		b.Fatal(err)
	}
	journal := Open(Config{Dir: b.TempDir(), Node: client})
	defer journal.Close()
	g, err := mining.NewGenerator(mining.Config{
		Params: params, Chain: oneTip{blockchain.New(params)}, Node: struct{ mining.Node }{client}, Journal: journal, // no proposals
	})
	if err != nil {
		b.Fatal(err)
	}
	g.SetTemplate(fullTemplate(b))
	if g.Work() == nil {
		b.Fatal(g.Reason())
	}
	job, err := g.Work().Job(append([]byte{0, 20}, make([]byte, 20)...), share.Class12)
	if err != nil {
		b.Fatal(err)
	}
	job.BlockTarget.SetUint64(0)
	job.BlockTarget.Not() // any hash is a block
	var times bitcoindtest.Arrivals
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		out, err := g.Submit(context.Background(), job, mining.Solution{Version: job.Version, Time: job.Time, Nonce: uint32(i)})
		if err != nil || !out.Block {
			b.Fatal(out, err)
		}
		times.Note(s, start)
		b.StopTimer()
		g.Wait()
		journal.writers.Wait()
		b.StartTimer()
	}
	times.Report(b.ReportMetric)
}
