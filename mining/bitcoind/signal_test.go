package bitcoind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// publisher is a ZMQ publisher at an address that stays. What is put into out goes to
// the subscriber of the moment; an empty string ends its connection.
type publisher struct {
	addr string
	out  chan string
	subs chan struct{} // a value for each subscriber
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &publisher{addr: "tcp://" + l.Addr().String(), out: make(chan string, 10_000), subs: make(chan struct{}, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(ctx, conn)
			conn.Close()
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); wg.Wait() })
	return p
}

func (p *publisher) serve(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	greeting := make([]byte, 64)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return
	}
	conn.Write(greeting)
	io.WriteString(conn, "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB")
	if _, err := io.ReadFull(conn, make([]byte, 27+12+11+11)); err != nil { // READY and three subscriptions
		return
	}
	p.subs <- struct{}{}
	gone := make(chan struct{})
	go func() { io.Copy(io.Discard, conn); close(gone) }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-gone:
			return
		case text := <-p.out:
			if _, err := io.WriteString(conn, text); err != nil || text == "" {
				return
			}
		}
	}
}

// hash publishes a block as hashblock.
func (p *publisher) hash(h chainhash.Hash) {
	slices.Reverse(h[:])
	p.out <- "\x01\x09hashblock\x01\x20" + string(h[:]) + "\x00\x04\x00\x00\x00\x00"
}

// raw publishes a block as rawblock.
func (p *publisher) raw(h wire.BlockHeader) {
	var b strings.Builder
	if err := h.Serialize(&b); err != nil {
		panic(err) // a builder takes everything
	}
	p.out <- "\x01\x08rawblock\x01\x64" + b.String() + strings.Repeat("x", 20) + "\x00\x04\x00\x00\x00\x00"
}

// tipOf returns the node's best block.
func tipOf(f *bitcoindtest.Fake) chainhash.Hash {
	hash, _ := f.Tip()
	return hash
}

// listener is a runner that also gets tips, in one channel with the templates.
type listener struct {
	*runner
	got chan string // "tip HASH SOURCE" or "template HASH"
}

// startListener runs a client that hears of blocks from the publisher and the longpoll
// only, and waits until it does.
func startListener(t *testing.T, f *bitcoindtest.Fake, p *publisher, cfg Config, change func(*timing)) *listener {
	t.Helper()
	l := &listener{got: make(chan string, 10_000)}
	cfg.URL, cfg.ZMQ = f.URL(), []string{p.addr}
	cfg.OnTip = func(tip Tip) {
		if tip.Header.BlockHash() != tip.Hash {
			t.Errorf("%+v", tip)
		}
		l.got <- fmt.Sprintf("tip %v %v", tip.Hash, tip.Source)
	}
	l.runner = startRunWith(t, cfg, func(tmpl *mining.Template) { l.got <- fmt.Sprintf("template %v", tmpl.PrevBlock) },
		func(tm *timing) {
			tm.poll = time.Hour
			tm.settle = time.Millisecond
			if change != nil {
				change(tm)
			}
		})
	l.expect(t, fmt.Sprintf("template %v", tipOf(f)))
	<-p.subs
	return l
}

// expect waits for the next events.
func (l *listener) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := wait(t, l.got, want); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// noLongpoll makes the node's templates name none, so that nobody waits for one.
func noLongpoll(m map[string]any) { delete(m, "longpollid") }

// TestSignalOrder: news of a block brings first its header and then its template, with
// one question for news without a header and none for news with one.
func TestSignalOrder(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Template: noLongpoll})
	p := newPublisher(t)
	var checked atomic.Int32
	l := startListener(t, f, p, Config{CheckHeader: func(*wire.BlockHeader) error { checked.Add(1); return nil }}, nil)

	hash := f.Mine(1)
	before := f.Calls("getblockheader")
	p.hash(hash)
	l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
	if n := f.Calls("getblockheader") - before; n != 1 || checked.Load() != 0 {
		t.Errorf("%d questions for a hash, %d headers checked", n, checked.Load())
	}
	hash = f.Mine(1)
	p.raw(f.Header(hash))
	p.hash(hash) // late, and no news
	l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
	if n := f.Calls("getblockheader") - before; n != 1 || checked.Load() != 1 {
		t.Errorf("%d questions, %d headers checked", n-1, checked.Load())
	}
	// Two blocks at once: the news of the first doesn't extend the tip any more.
	f.Mine(1)
	hash = f.Mine(1)
	p.raw(f.Header(hash))
	l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
	if s := l.TipStats(); s.Source != SourceZMQ || s.Hash != hash || s.Sources[SourceZMQ].First != 3 || s.Sources[SourceZMQ].Connections != 1 {
		t.Errorf("%+v", s)
	}
}

// TestSignalDoubtedHeader: a header that breaks the rules, or has no proof of work, is
// worth a question only.
func TestSignalDoubtedHeader(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Template: noLongpoll})
	p := newPublisher(t)
	l := startListener(t, f, p, Config{CheckHeader: func(h *wire.BlockHeader) error {
		if h.Bits != 0x207fffff {
			return errors.New("wrong bits")
		}
		return nil
	}}, nil)
	hash := f.Mine(1)
	bad := f.Header(hash)
	bad.Bits = 0x207ffffe
	bitcoindtest.Solve(&bad)
	p.raw(bad)
	unsolved := f.Header(hash)
	for h := unsolved.BlockHash(); hasWork(&h, unsolved.Bits); h = unsolved.BlockHash() {
		unsolved.Nonce++
	}
	p.raw(unsolved)
	waitCalls(t, f, "getblockheader", 1)
	p.raw(f.Header(hash))
	l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
}

// TestSignalGarbage: hashes that mean nothing cost the node a bounded number of questions
// and don't keep true news from getting through.
func TestSignalGarbage(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Template: noLongpoll})
	p, other := newPublisher(t), newPublisher(t)
	l := startListener(t, f, p, Config{}, nil)
	_ = other
	before, start := f.Calls("getblockheader"), time.Now()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var h chainhash.Hash
		for i := range h {
			h[i] = byte(rng.Uint32())
		}
		p.hash(h)
	}
	hash := f.Mine(1)
	p.hash(hash)
	l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
	most := askBurst + int(time.Since(start)/askEvery) + 1
	if n := f.Calls("getblockheader") - before; n > most {
		t.Errorf("%d questions, at most %d are allowed", n, most)
	}
	if s := l.TipStats(); s.Sources[SourceZMQ].Refused == 0 {
		t.Errorf("%+v", s.Sources)
	}
}

// TestSignalReconnect: a publisher that goes away is found again, and one that talks
// nonsense as well.
func TestSignalReconnect(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Template: noLongpoll})
	p := newPublisher(t)
	l := startListener(t, f, p, Config{}, nil)
	for _, end := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x02\xff\xff\xff\xff\xff\xff\xff\xff"} {
		p.out <- end
		wait(t, p.subs, "subscriber")
		hash := f.Mine(1)
		p.hash(hash)
		l.expect(t, fmt.Sprintf("tip %v zmq", hash), fmt.Sprintf("template %v", hash))
	}
}

// TestSignalOldTemplate: a node that tells of a block and then serves its old template,
// by longpoll and on request, doesn't bring us back.
func TestSignalOldTemplate(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	p := newPublisher(t)
	var old atomic.Bool
	stale := tipOf(f)
	f.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) {
		if old.Load() {
			m["previousblockhash"], m["height"], m["longpollid"] = stale.String(), 1, fmt.Sprint("stale", rand.Uint64())
		}
	}})
	l := startListener(t, f, p, Config{}, func(tm *timing) { tm.retry = 5 * time.Millisecond })
	waitCalls(t, f, "getblocktemplate", 2) // the longpoll
	old.Store(true)
	asked := f.Calls("getblocktemplate")
	hash := f.Mine(1) // the longpoll answers with the old template
	p.hash(hash)
	for got := ""; got != fmt.Sprintf("tip %v zmq", hash); {
		got = wait(t, l.got, "tip") // before it, the old template is right
	}
	waitCalls(t, f, "getblocktemplate", asked+4)
	old.Store(false)
	if err := l.Client.pollOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.expect(t, fmt.Sprintf("template %v", hash))
}

// TestSignalGoBack: a node that goes back to an older block takes us with it, by the poll,
// and forth again.
func TestSignalGoBack(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	p := newPublisher(t)
	l := startListener(t, f, p, Config{}, func(tm *timing) { tm.poll = 10 * time.Millisecond })
	first := f.Mine(1)
	latest := func(want chainhash.Hash) {
		t.Helper()
		for {
			got := wait(t, l.got, "template")
			if got == fmt.Sprintf("template %v", want) {
				return
			}
		}
	}
	latest(first)
	for range 3 {
		second := f.Mine(1)
		latest(second)
		f.Back(first)
		latest(first)
	}
	third := f.Mine(2)
	latest(third)
	if tip, height, _ := l.tips.present(); tip != third || height != 3 {
		t.Errorf("tip %v at %d", tip, height)
	}
}

// TestSignalGuess: with speculation a block counts before the node has it, for a while.
func TestSignalGuess(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	p := newPublisher(t)
	l := startListener(t, f, p, Config{CheckHeader: func(*wire.BlockHeader) error { return nil }}, nil)
	genesis := tipOf(f)
	hash := f.Mine(1) // the node tells of it, and then doesn't have it yet
	header := f.Header(hash)
	for got := ""; got != fmt.Sprintf("template %v", hash); {
		got = wait(t, l.got, "template")
	}
	f.Back(genesis)
	l.Client.pollOnce(t.Context())
	for tip, _, _ := l.tips.present(); tip != genesis; tip, _, _ = l.tips.present() {
		runtime.Gosched()
	}
	for len(l.got) > 0 {
		<-l.got
	}

	next := header
	next.Nonce += 1000
	bitcoindtest.Solve(&next)
	guessed := next.BlockHash()
	s := sighting{source: SourceCompact, hash: guessed, header: &next, at: time.Now(), trusted: true}
	if l.sight(s) {
		t.Error("the node is asked about what it doesn't have")
	}
	l.expect(t, fmt.Sprintf("tip %v compact", guessed))
	if err := l.Client.pollOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tip, _, _ := l.tips.present(); tip != guessed {
		t.Error("the poll has undone the guess")
	}
	l.tips.mu.Lock()
	l.tips.since = time.Now().Add(-speculationTime)
	l.tips.mu.Unlock()
	if err := l.Client.pollOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.expect(t, fmt.Sprintf("template %v", genesis))
}

// TestNotifications: the node's own addresses are used where they can be it.
func TestNotifications(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	c := newClient(t, Config{URL: f.URL()})
	if got := c.notifications(t.Context()); got != nil {
		t.Errorf("a node without ZMQ publishes at %q", got)
	}
	var list []notification
	for _, n := range []struct{ kind, addr string }{
		{"pubhashtx", "tcp://127.0.0.1:1"}, {"pubhashblock", "tcp://127.0.0.1:2"}, {"pubrawblock", "tcp://127.0.0.1:2"},
		{"pubsequence", "tcp://0.0.0.0:3"}, {"pubrawblock", "tcp://*:4"}, {"pubrawblock", "tcp://192.0.2.1:5"},
		{"pubrawblock", "ipc:///tmp/x"}, {"pubrawblock", "tcp://[::1]:6"}, {"pubrawblock", "nonsense"},
	} {
		list = append(list, notification{n.kind, n.addr})
	}
	text, err := json.Marshal(map[string]any{"result": list, "error": nil, "id": 1})
	if err != nil {
		t.Fatal(err)
	}
	f.SetFaults(bitcoindtest.Faults{Raw: map[string]string{"getzmqnotifications": string(text)}})
	want := []string{"tcp://127.0.0.1:2", "tcp://127.0.0.1:3", "tcp://127.0.0.1:4", "tcp://[::1]:6"}
	if got := c.notifications(t.Context()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, test := range []struct{ publisher, host, want string }{
		{"tcp://127.0.0.1:1", "10.0.0.5", ""},
		{"tcp://0.0.0.0:1", "10.0.0.5", "tcp://10.0.0.5:1"},
		{"tcp://10.0.0.5:1", "10.0.0.5", "tcp://10.0.0.5:1"},
		{"tcp://[::]:1", "node", "tcp://node:1"},
		{"tcp://127.0.0.1:1", "localhost", "tcp://127.0.0.1:1"},
	} {
		if got, ok := reachable(test.publisher, test.host); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s from %s: %q", test.publisher, test.host, got)
		}
	}
}

// TestParseNotice reads btcd's notifications, and what only looks like them.
func TestParseNotice(t *testing.T) {
	header := chaincfg.MainNetParams.GenesisBlock.Header
	var b strings.Builder
	if err := header.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	n, err := parseNotice(fmt.Appendf(nil, `{"jsonrpc":"1.0","method":"filteredblockconnected","params":[0,"%x",[]],"id":null}`, b.String()))
	if err != nil || n.s == nil || n.s.hash != *chaincfg.MainNetParams.GenesisHash || *n.s.header != header {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := parseNotice([]byte(`{"jsonrpc":"1.0","result":null,"error":null,"id":1}`)); err != nil || !n.confirmed {
		t.Errorf("%+v, %v", n, err)
	}
	for text, bad := range map[string]bool{
		`{"method":"blockconnected","params":["x",1,2]}`:     false,
		`{"method":"filteredblockdisconnected","params":[]}`: false,
		`{}`: false,
		`{"result":null,"error":{"code":-1,"message":"no"},"id":1}`: true,
		`{"method":"filteredblockconnected","params":[1]}`:          true,
		`{"method":"filteredblockconnected","params":[1,2]}`:        true,
		`{"method":"filteredblockconnected","params":[1,"00"]}`:     true,
		`{"method":"filteredblockconnected","params":[1,"zz"]}`:     true,
		`nonsense`: true,
	} {
		if n, err := parseNotice([]byte(text)); (err != nil) != bad || n.s != nil || n.confirmed {
			t.Errorf("%s: %+v, %v", text, n, err)
		}
	}
}

// FuzzNotice reads whatever btcd may send.
func FuzzNotice(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"1.0","method":"filteredblockconnected","params":[0,"` + strings.Repeat("00", 80) + `",[]],"id":null}`))
	f.Add([]byte(`{"jsonrpc":"1.0","result":null,"error":null,"id":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := parseNotice(text); err == nil && n.s != nil && n.s.header.BlockHash() != n.s.hash {
			t.Fatalf("%+v", n)
		}
	})
}
