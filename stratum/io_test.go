package stratum

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/stratum/portmux"
)

// tcpPair returns the two ends of a connection whose buffers are small.
func tcpPair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client = conn.(*net.TCPConn)
	if conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	server = conn.(*net.TCPConn)
	t.Cleanup(func() { server.Close(); client.Close() })
	server.SetWriteBuffer(4 << 10)
	client.SetReadBuffer(4 << 10)
	client.SetDeadline(time.Now().Add(time.Minute))
	return server, client
}

// queued reports whether the outbox has a writer.
func (o *outbox) queued() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writing
}

// fill sends numbered lines until one of them is queued.
func (o *outbox) fill(from int) (next int) {
	for next = from; next == from || !o.queued(); next++ {
		o.send(fmt.Appendf(nil, "%d %s\n", next, strings.Repeat("x", next%3000)))
	}
	return next
}

// What a socket takes a part of, or nothing, arrives whole and in order, also when
// that happens again after the queue was empty.
func TestOutboxKeepsOrder(t *testing.T) {
	server, client := tcpPair(t)
	o := newOutbox(server, newQueues(maxAllQueued))
	r, next := bufio.NewReader(client), 0
	for range 5 {
		from := next
		next = o.fill(next)
		for i := from; i < next; i++ {
			line, err := r.ReadString('\n')
			if want := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i%3000)); err != nil || line != want {
				t.Fatalf("line %d: %.20q, %v", i, line, err)
			}
		}
		for o.queued() {
			runtime.Gosched()
		}
	}
	next = o.fill(next)
	done := make(chan error)
	go func() { done <- o.finish() }()
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.HasSuffix(rest, fmt.Appendf(nil, "\n%d %s\n", next-1, strings.Repeat("x", (next-1)%3000))) {
		t.Errorf("the last words are missing: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("finish: %v", err)
	}
}

func TestOutboxOverflows(t *testing.T) {
	server, _ := tcpPair(t)
	o := newOutbox(server, newQueues(maxAllQueued))
	for range 1000 {
		o.send(make([]byte, 16<<10))
	}
	if err := o.finish(); !errors.Is(err, errSlowReader) {
		t.Errorf("finish: %v", err)
	}
	if n := len(o.pending); n != 0 {
		t.Errorf("%d bytes are kept", n)
	}
}

func TestOutboxOnClosedConnection(t *testing.T) {
	server, _ := tcpPair(t)
	o := newOutbox(server, newQueues(maxAllQueued))
	server.Close()
	o.send([]byte("x"))
	if err := o.finish(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("finish: %v", err)
	}
}

func TestOutboxTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		o := newOutbox(server, newQueues(maxAllQueued))
		o.send([]byte("x"))
		time.Sleep(writeTimeout - time.Second)
		synctest.Wait()
		if !o.queued() {
			t.Fatal("given up before the time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if o.queued() {
			t.Fatal("a write hangs")
		}
		if err := o.finish(); !errors.Is(err, errSlowReader) {
			t.Errorf("finish: %v", err)
		}
	})
}

// A client that does not read its last words delays the end a little.
func TestOutboxLingers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		o := newOutbox(server, newQueues(maxAllQueued))
		o.send([]byte("x"))
		start := time.Now()
		if err := o.finish(); !errors.Is(err, errSlowReader) {
			t.Errorf("finish: %v", err)
		}
		if took := time.Since(start); took != lingerTimeout {
			t.Errorf("after %v", took)
		}
	})
}

// A miner's connection is read and written through its descriptor.
var (
	_ syscall.Conn = (*portmux.Conn)(nil)
	_ buffered     = (*portmux.Conn)(nil)
)

// peeked is a connection of which the beginning was read already.
type peeked struct {
	*net.TCPConn
	ahead []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.ahead) > 0 {
		n := copy(b, p.ahead)
		p.ahead = p.ahead[n:]
		return n, nil
	}
	return p.TCPConn.Read(b)
}

// counted is a peeked that tells so.
type counted struct{ peeked }

func (c *counted) Buffered() int { return len(c.ahead) }

func TestLinesOfPeekedConnection(t *testing.T) {
	for _, counts := range []bool{false, true} {
		server, client := tcpPair(t)
		p := peeked{server, []byte("one\ntw")}
		var conn net.Conn = &p
		if counts {
			conn = &counted{p}
		}
		l := newLineReader(conn)
		if (l.raw != nil) != (counts && canTry) {
			t.Errorf("counts %v: read from the descriptor: %v", counts, l.raw != nil)
		}
		io.WriteString(client, "o\nthree\n")
		for _, want := range []string{"one", "two", "three"} {
			if line, err := l.next(); err != nil || string(line) != want {
				t.Fatalf("line %q, %v; want %s", line, err, want)
			}
		}
		client.Close()
		if _, err := l.next(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

// A line that comes byte by byte, and one that needs a larger buffer, over TCP.
func TestLinesOverTCP(t *testing.T) {
	server, client := tcpPair(t)
	long := strings.Repeat("y", 3*firstLineBuffer)
	go func() {
		for _, b := range []byte("slow\n") {
			client.Write([]byte{b})
		}
		io.WriteString(client, long+"\nshort\n\n"+long)
		client.CloseWrite()
	}()
	l := newLineReader(server)
	for _, want := range []string{"slow", long, "short", ""} {
		if line, err := l.next(); err != nil || string(line) != want {
			t.Fatalf("line %.20q, %v; want %.20s", line, err, want)
		}
	}
	if _, err := l.next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// serveTCP runs a server on a port of this machine.
func serveTCP(t testing.TB) (server *Server, source *fakeSource, addr string) {
	t.Helper()
	cfg := testConfig("127.0.0.1:0")
	source = cfg.Source.(*fakeSource)
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-source.watching
	return server, source, server.Addrs()[0].String()
}

const loginLines = `{"id":1,"method":"mining.subscribe","params":[]}` + "\n" +
	`{"id":2,"method":"mining.authorize","params":["rig","x"]}` + "\n"

// tcpMiner logs in and returns the connection after its first job.
func tcpMiner(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	io.WriteString(conn, loginLines)
	r := bufio.NewReader(conn)
	awaitJob(t, r)
	return conn, r
}

func awaitJob(t testing.TB, r *bufio.Reader) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, `"method":"mining.notify"`) { // the answer to mining.subscribe has the word, too
			return
		}
	}
}

// A client that has nothing more to say still gets all answers.
func TestHalfClosed(t *testing.T) {
	server, _, addr := serveTCP(t)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, loginLines)
	conn.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(conn)
	if err != nil || bytes.Count(all, []byte("\n")) != 4 || !bytes.Contains(all, []byte("mining.notify")) {
		t.Errorf("%s, %v", all, err)
	}
	for server.Connections() > 0 {
		runtime.Gosched()
	}
}

// flood logs in n clients that ask and never read.
func flood(t testing.TB, addr string, n int) {
	for range n {
		conn, _ := tcpMiner(t, addr)
		t.Cleanup(func() { conn.Close() })
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		go func() {
			for {
				if _, err := io.WriteString(conn, strings.Repeat(`{"id":7,"method":"mining.ping"}`+"\n", 50)); err != nil {
					return
				}
			}
		}()
	}
}

// Clients that never read are dropped, and others get each job meanwhile.
func TestNeverReadingClients(t *testing.T) {
	server, source, addr := serveTCP(t)
	conn, r := tcpMiner(t, addr)
	defer conn.Close()
	flood(t, addr, 3)
	for n := byte(1); server.Connections() > 1; n++ {
		work := newFakeWork(n, hard)
		work.job.Head = make([]byte, 50<<10)
		source.set(work, "")
		awaitJob(t, r)
	}
}

// BenchmarkJobBesideSlowReaders is the time from new work to an honest miner's job,
// alone and beside clients that flood and never read.
func BenchmarkJobBesideSlowReaders(b *testing.B) {
	for _, slow := range []int{0, 20} {
		b.Run(fmt.Sprint(slow), func(b *testing.B) {
			_, source, addr := serveTCP(b)
			conn, r := tcpMiner(b, addr)
			defer conn.Close()
			flood(b, addr, slow)
			n := byte(0)
			for b.Loop() {
				n++
				source.set(newFakeWork(n, hard), "")
				awaitJob(b, r)
			}
		})
	}
}

// BenchmarkFanOut is new work for 1,000 miners, from the source to the last one's
// socket. They read nothing meanwhile, so that it is the server's time alone.
func BenchmarkFanOut(b *testing.B) {
	server, source, addr := serveTCP(b)
	const miners = 1000
	for range miners {
		conn, _ := tcpMiner(b, addr)
		defer conn.Close()
		go io.Copy(io.Discard, conn)
	}
	n := byte(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		source.mu.Lock()
		source.work = newFakeWork(n, hard)
		source.mu.Unlock()
		server.adopt()
		server.urge(server.sparingly(func(sess *session) { sess.deliver(time.Now()) }))
	}
}

// BenchmarkTick is what 1,000 miners cost each second.
func BenchmarkTick(b *testing.B) {
	server, _, addr := serveTCP(b)
	for range 1000 {
		conn, _ := tcpMiner(b, addr)
		defer conn.Close()
		go io.Copy(io.Discard, conn)
	}
	b.ReportAllocs()
	for b.Loop() {
		paced(server.sessions(), tick, func(time.Duration) bool { return true })
	}
}

// BenchmarkConnectionMemory is what an idle miner takes, in the server and in a
// client's goroutine that does nothing.
func BenchmarkConnectionMemory(b *testing.B) {
	_, _, addr := serveTCP(b)
	const miners = 2000
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	for b.Loop() {
		before := used()
		var conns []net.Conn
		for range miners {
			conn, _ := tcpMiner(b, addr)
			conns = append(conns, conn)
		}
		b.ReportMetric(float64(used()-before)/miners, "B/miner")
		for _, conn := range conns {
			conn.Close()
		}
	}
}
