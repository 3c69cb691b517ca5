package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// zmqPublisher publishes blocks as Bitcoin Core does, to one subscriber.
type zmqPublisher struct {
	addr string
	conn chan net.Conn // once subscribed
}

func newZMQPublisher(t testing.TB) *zmqPublisher {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &zmqPublisher{addr: "tcp://" + l.Addr().String(), conn: make(chan net.Conn, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); l.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		greeting := make([]byte, 64)
		io.ReadFull(conn, greeting)
		conn.Write(greeting)
		io.WriteString(conn, "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB")
		io.ReadFull(conn, make([]byte, 27+12+11+11)) // READY and three subscriptions
		p.conn <- conn
		<-ctx.Done()
	}()
	return p
}

// rawBlock is the message for a block, of which only the header matters.
func rawBlock(t testing.TB, header wire.BlockHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("\x01\x08rawblock\x01\x64")
	if err := header.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString(strings.Repeat("x", 20) + "\x00\x04\x00\x00\x00\x00")
	return b.Bytes()
}

// hashBlock is the message for a block's hash.
func hashBlock(hash chainhash.Hash) []byte {
	slices.Reverse(hash[:])
	return []byte("\x01\x09hashblock\x01\x20" + string(hash[:]) + "\x00\x04\x00\x00\x00\x00")
}

// prevHash is how a notify names a block.
func prevHash(hash chainhash.Hash) string {
	var words [32]byte
	for i := 0; i < 32; i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.LittleEndian.Uint32(hash[i:]))
	}
	return hex.EncodeToString(words[:])
}

// herdVariable makes a process of the test binary a herd of miners at the address it
// holds. Within the node's process their waking would take turns with its work.
const herdVariable = "P2POOL_HERD"

// herdSize is how many miners there are.
const herdSize = 1000

// herd is the process.
type herd struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func newHerd(t testing.TB, addr string) *herd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHerd$", "-test.timeout=1h")
	cmd.Env = append(os.Environ(), herdVariable+"="+addr)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	h := &herd{in, bufio.NewReader(out)}
	h.line(t) // all have their first job
	return h
}

func (h *herd) line(t testing.TB) string {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// expect tells the miners of the next block.
func (h *herd) expect(t testing.TB, hash chainhash.Hash) {
	t.Helper()
	if _, err := fmt.Fprintln(h.in, prevHash(hash)); err != nil {
		t.Fatal(err)
	}
	h.line(t)
}

// wait returns how long after start the first and the last miner had a job on it.
func (h *herd) wait(t testing.TB, start time.Time) (first, last time.Duration) {
	t.Helper()
	var from, to int64
	if _, err := fmt.Sscan(h.line(t), &from, &to); err != nil {
		t.Fatal(err)
	}
	return time.Duration(from - start.UnixNano()), time.Duration(to - start.UnixNano())
}

// herdRound is one block as the miners see it.
type herdRound struct {
	prev  []byte // as in a notify
	times chan time.Time
}

// TestHerd is the process of the miners.
func TestHerd(t *testing.T) {
	addr := os.Getenv(herdVariable)
	if addr == "" {
		t.Skip("only for a process that BenchmarkNewTip starts")
	}
	var current atomic.Pointer[herdRound]
	ready := make(chan struct{}, herdSize)
	for range herdSize {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, `{"id":1,"method":"mining.subscribe","params":["test/1"]}`+"\n"+
			`{"id":2,"method":"mining.authorize","params":["rig","x"]}`+"\n")
		go watchJobs(conn, ready, &current)
	}
	for range herdSize {
		<-ready
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		round := &herdRound{prev: []byte(in.Text()), times: make(chan time.Time, herdSize)}
		current.Store(round)
		fmt.Println("ok")
		first, last := <-round.times, time.Time{}
		for i := 1; i < herdSize; i++ {
			at := <-round.times
			if at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
		fmt.Println(first.UnixNano(), last.UnixNano())
	}
}

// watchJobs reads one miner's jobs.
func watchJobs(conn net.Conn, ready chan<- struct{}, current *atomic.Pointer[herdRound]) {
	var told *herdRound
	first := true
	r := bufio.NewReaderSize(conn, 16<<10)
	for {
		line, err := r.ReadSlice('\n')
		now := time.Now()
		if err != nil {
			return
		}
		if !bytes.Contains(line, []byte("mining.notify")) {
			continue
		}
		if first {
			first = false
			ready <- struct{}{}
		}
		if round := current.Load(); round != nil && round != told && bytes.Contains(line, round.prev) {
			told = round
			round.times <- now
		}
	}
}

// BenchmarkNewTip measures the way of a block from the Bitcoin node to 1,000 miners: how
// long after the node tells of it the first of them, and the last, has a job on it. The
// node takes 100 ms for a template, as a real one does with a full mempool.
//
// news is a block told by ZMQ, longpoll is without any such news, and poll is the way of
// a pool that only asks, each second.
func BenchmarkNewTip(b *testing.B) {
	const templateTime = 100 * time.Millisecond
	for _, way := range []struct {
		name     string
		zmq      bool
		longpoll bool
		hash     bool // only the hash is told
	}{{"news", true, true, false}, {"newshash", true, true, true}, {"longpoll", false, true, false}, {"poll", false, false, false}} {
		b.Run(way.name, func(b *testing.B) {
			withHome(b)
			fake := newFake(b)
			var args []string
			var pub *zmqPublisher
			if way.zmq {
				pub = newZMQPublisher(b)
				args = append(args, "--zmq="+pub.addr)
			}
			fake.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) {
				time.Sleep(templateTime)
				if !way.longpoll {
					delete(m, "longpollid")
				}
			}})
			p, n := startNode(b, b.TempDir(), fake, args...)
			awaitInfo(b, p, "the node works", healthy)
			var conn net.Conn
			if pub != nil {
				conn = <-pub.conn
			}
			miners := newHerd(b, n.stratum.Addrs()[0].String())
			var firsts, lasts []time.Duration
			for b.Loop() {
				time.Sleep(400 * time.Millisecond) // for the round before to come to its end
				if !way.longpoll {
					time.Sleep(time.Duration(len(firsts)*137%1000) * time.Millisecond) // not in step with the poll
				}
				start := time.Now()
				hash := fake.Mine(1)
				miners.expect(b, hash) // whose template isn't there yet
				if conn != nil {
					msg := rawBlock(b, fake.Header(hash))
					if way.hash {
						msg = hashBlock(hash)
					}
					start = time.Now()
					if _, err := conn.Write(msg); err != nil {
						b.Fatal(err)
					}
				}
				first, last := miners.wait(b, start)
				firsts, lasts = append(firsts, first), append(lasts, last)
			}
			report := func(name string, list []time.Duration) {
				slices.Sort(list)
				b.ReportMetric(list[len(list)/2].Seconds()*1000, name+"-p50-ms")
				b.ReportMetric(list[(len(list)*99+99)/100-1].Seconds()*1000, name+"-p99-ms")
			}
			report("first", firsts)
			report("last", lasts)
		})
	}
}

// TestNewTipOrder has a real node with miners hear of a block, by header or by hash: each
// gets one job with clean_jobs, without transactions, and then the full one without.
func TestNewTipOrder(t *testing.T) {
	withHome(t)
	noLeaks(t)
	fake := newFake(t)
	fake.SetFaults(bitcoindtest.Faults{Template: func(map[string]any) { time.Sleep(300 * time.Millisecond) }})
	pub := newZMQPublisher(t)
	p, n := startNode(t, t.TempDir(), fake, "--zmq="+pub.addr)
	awaitInfo(t, p, "the node works", healthy)
	conn := <-pub.conn
	miner := dialStratum(t, n.stratum.Addrs()[0].String())
	miner.job(t)
	for i := range 6 {
		hash := fake.Mine(1)
		msg := hashBlock(hash)
		if i%2 == 0 {
			msg = rawBlock(t, fake.Header(hash))
		}
		if _, err := conn.Write(msg); err != nil {
			t.Fatal(err)
		}
		cleans := 0
		for {
			j := miner.job(t)
			if j.prev != prevHash(hash) {
				continue
			}
			if j.clean {
				cleans++
			}
			info := call[rpcserver.TemplateInfo](t, p, "gettemplate")
			if cleans == 1 && j.clean && (info.PreviousBlockHash != hash.String() || !info.Empty || info.CoinbaseValue != 50e8) {
				t.Errorf("block %d: with the first job: %+v", i, info)
			}
			if !j.clean {
				if info.Empty {
					continue // a job that the time brought
				}
				break
			}
		}
		if cleans != 1 {
			t.Errorf("block %d: %d jobs with clean_jobs", i, cleans)
		}
		info := call[rpcserver.TemplateInfo](t, p, "gettemplate")
		if info.TipSource != "zmq" || len(info.TipSources) != 6 {
			t.Errorf("block %d: %+v", i, info)
		}
	}
	conn.Close()
	miner.conn.Close()
	p.stop(t)
}

// stratumMiner reads jobs.
type stratumMiner struct {
	conn net.Conn
	r    *bufio.Reader
}

// stratumJob is what these tests look at.
type stratumJob struct {
	prev  string
	clean bool
}

func dialStratum(t *testing.T, addr string) *stratumMiner {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(conn, `{"id":1,"method":"mining.subscribe","params":["test/1"]}`)
	fmt.Fprintln(conn, `{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
	return &stratumMiner{conn, bufio.NewReader(conn)}
}

func (m *stratumMiner) job(t *testing.T) stratumJob {
	t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		line, err := m.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, params, ok := strings.Cut(line, `"mining.notify","params":[`); ok {
			fields := strings.SplitN(params, ",", 3)
			return stratumJob{prev: strings.Trim(fields[1], `"`), clean: strings.Contains(line, ",true]")}
		}
	}
}
