package solutions

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
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
)

// sink is an HTTP node that takes every block, made of a bare connection, so that
// nothing of net/http's server is measured.
type sink struct {
	net.Listener
	first, last chan time.Time // when bytes of a call have arrived
}

func newSink(tb testing.TB) *sink {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &sink{Listener: l, first: make(chan time.Time, 1), last: make(chan time.Time, 1)}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// serve takes calls, the end of which is the end of their JSON.
func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 1<<20)
	const reply = `{"result":null,"error":null,"id":1}`
	for fresh := true; ; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if fresh {
			s.first <- time.Now()
		}
		if fresh = bytes.HasSuffix(buf[:n], []byte(`"]}`)); fresh {
			s.last <- time.Now()
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
		}
	}
}

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

// arrivals is when the first and the last digits of blocks arrived at the node.
type arrivals struct{ first, last []time.Duration }

func (a *arrivals) note(s *sink, start time.Time) {
	a.first, a.last = append(a.first, (<-s.first).Sub(start)), append(a.last, (<-s.last).Sub(start))
}

func (a *arrivals) report(b *testing.B) {
	for name, list := range map[string][]time.Duration{"first": a.first, "last": a.last} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2].Seconds()*1000, name+"-p50-ms")
		b.ReportMetric(list[(len(list)*99+99)/100-1].Seconds()*1000, name+"-p99-ms")
	}
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
		s := newSink(b)
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		go io.Copy(io.Discard, conn) // the answers
		text := append(bytes.Repeat([]byte{'0'}, 2*3_770_000), `"]}`...)
		var times arrivals
		for b.Loop() {
			start := time.Now()
			if _, err := conn.Write(text); err != nil {
				b.Fatal(err)
			}
			times.note(s, start)
		}
		times.report(b)
	})
}

func benchSolution(b *testing.B) {
	s := newSink(b)
	client, err := bitcoind.New(bitcoind.Config{URL: "http://u:p@" + s.Addr().String(), Params: &chaincfg.RegressionNetParams})
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
	var times arrivals
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		out, err := g.Submit(context.Background(), job, mining.Solution{Version: job.Version, Time: job.Time, Nonce: uint32(i)})
		if err != nil || !out.Block {
			b.Fatal(out, err)
		}
		times.note(s, start)
		b.StopTimer()
		g.Wait()
		journal.writers.Wait()
		b.StartTimer()
	}
	times.report(b)
}
