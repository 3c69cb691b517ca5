package bitcoind

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestRealSignals has a real node find blocks, and hears of them by its notifications:
// btcd's websocket, or Bitcoin Core's port for peers. Each brings the tip before the
// template.
func TestRealSignals(t *testing.T) {
	peers := freeAddr(t)
	_, port, err := net.SplitHostPort(peers)
	if err != nil {
		t.Fatal(err)
	}
	opts, src := bitcoindtest.Options{}, SourceWebsocket
	if bitcoindtest.WantsCore() {
		opts.ExtraArgs, src = []string{"-listen=1", "-bind=" + peers, "-port=" + port}, SourceP2P
	}
	n := bitcoindtest.StartTest(t, opts)
	cfg := Config{URL: n.URL(), CheckHeader: func(*wire.BlockHeader) error { return nil }}
	if n.IsCore() {
		cfg.BitcoinP2P = peers
	}
	hearBlocks(t, cfg, src, 1)
}

// TestRealZMQ hears of blocks by Bitcoin Core's publisher, at addresses that the node is
// asked for: by each way of publishing alone, and by all at once.
func TestRealZMQ(t *testing.T) {
	if !bitcoindtest.WantsCore() {
		t.Skip("btcd has no ZMQ")
	}
	topics := []string{"rawblock", "hashblock", "sequence"}
	for _, topics := range [][]string{topics[:1], topics[1:2], topics[2:], topics} {
		t.Run(strings.Join(topics, "+"), func(t *testing.T) {
			var args []string
			for _, topic := range topics {
				args = append(args, "-zmqpub"+topic+"=tcp://"+freeAddr(t))
			}
			n := bitcoindtest.StartTest(t, bitcoindtest.Options{ExtraArgs: args})
			if err := n.Call(t.Context(), nil, "getzmqnotifications"); err != nil {
				t.Skipf("this Bitcoin Core is built without ZMQ: %v", err)
			}
			cfg := Config{URL: n.URL(), CheckHeader: func(*wire.BlockHeader) error { return nil }}
			r := hearBlocks(t, cfg, SourceZMQ, len(topics))
			if !slices.Contains(topics, "sequence") {
				return
			}
			// It goes back, which is no new block.
			tip := r.Template().PrevBlock
			info, err := r.Header(t.Context(), tip)
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Call(t.Context(), nil, "invalidateblock", tip.String()); err != nil {
				t.Fatal(err)
			}
			r.waitTemplate(t, info.Header.PrevBlock)
		})
	}
}

// freeAddr returns a loopback address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// hearBlocks has a node find blocks, of which the source must tell. The client has no
// poll, and so many connections by the source.
func hearBlocks(t *testing.T, cfg Config, src Source, connections int) *runner {
	t.Helper()
	ctx := t.Context()
	tips := make(chan Tip, 1000)
	cfg.OnTip = func(tip Tip) { tips <- tip }
	r := startRun(t, cfg, func(tm *timing) {
		*tm = defaultTiming()
		tm.poll = time.Hour
	})
	r.waitHealth(t, true)
	for r.TipStats().Sources[src].Connections < connections {
		time.Sleep(time.Millisecond)
	}
	const rounds = 30
	var news, full []time.Duration
	for range rounds {
		time.Sleep(20 * time.Millisecond) // for the longpoll
		block := solve(t, r.Template(), anyone)
		start := time.Now()
		if err := r.SubmitBlock(ctx, mining.RawBlock{serialize(t, block)}, nil); err != nil {
			t.Fatal(err)
		}
		var tmpl *mining.Template
		for tmpl == nil || tmpl.PrevBlock != block.BlockHash() {
			tmpl = wait(t, r.templates, "template")
		}
		full = append(full, time.Since(start))
		for len(tips) > 0 {
			if tip := <-tips; tip.Hash == block.BlockHash() && tip.Height == tmpl.Height-1 {
				news = append(news, tip.At.Sub(start))
			}
		}
	}
	slices.Sort(news)
	slices.Sort(full)
	t.Logf("template after %v (median); %d of %d tips before it", full[len(full)/2], len(news), rounds)
	if len(news) > 0 {
		t.Logf("news after %v (median)", news[len(news)/2])
	}
	stats := r.TipStats()
	for _, s := range stats.Sources {
		t.Logf("%v: first %d, later %d, %v behind, %d refused", s.Source, s.First, s.Later, s.Behind, s.Refused)
	}
	if s := stats.Sources[src]; s.First+s.Later < rounds-1 || s.Refused > 0 {
		t.Errorf("%v told of %d of %d blocks, %d refused", src, s.First+s.Later, rounds, s.Refused)
	}
	return r
}

// TestRealEmptyTemplates mines on templates made from headers, over a halving and, on
// Bitcoin Core, signalling periods, and compares them with the node's own.
func TestRealEmptyTemplates(t *testing.T) {
	ctx := t.Context()
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	c := realClient(t, n)
	params, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	chain := blockchain.New(params)
	tip := params.Bitcoin.GenesisBlock.Header
	if err := chain.AddBitcoinHeader(&tip, 0); err != nil {
		t.Fatal(err)
	}
	next, err := chain.NextBitcoinWork(tip.BlockHash())
	if err != nil {
		t.Fatal(err)
	}
	previous, err := c.fetchTemplate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	waited := 0
	for height := uint32(1); height <= 310; height++ {
		full, err := c.fetchTemplate(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		empty, err := mining.EmptyTemplate(params.Bitcoin, previous, tip.BlockHash(), next, time.Now())
		switch {
		case errors.Is(err, mining.ErrNoEmptyTemplate):
			waited++
			empty = full
		case err != nil:
			t.Fatal(err)
		case empty.PrevBlock != full.PrevBlock || empty.Height != full.Height || empty.Bits != full.Bits || empty.MinTime != full.MinTime ||
			empty.CoinbaseValue != full.CoinbaseValue || empty.WeightLimit != full.WeightLimit || empty.SigopLimit != full.SigopLimit:
			t.Fatalf("empty %+v\nfull  %+v", empty, full)
		}
		block := solve(t, empty, anyone)
		if err := c.SubmitBlock(ctx, mining.RawBlock{serialize(t, block)}, nil); err != nil {
			t.Fatalf("block %d: %v", height, err)
		}
		tip, previous = block.Header, full
		if next, err = chain.AddNextBitcoinHeader(&tip); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of 310 templates waited for", waited)
	if waited > 2 {
		t.Error("there are but two signalling periods")
	}
}
