package stratum

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// fakeSource is a node without chain: it hands out work that the test sets and
// records the solutions.
type fakeSource struct {
	mu        sync.Mutex
	work      Work
	reason    string
	changed   func()
	watching  chan struct{} // closed once changed is set
	solutions []mining.Solution
	verdict   error
	block     bool          // what Submit gets is a Bitcoin block
	hold      chan struct{} // when set, Submit waits for it
}

func (f *fakeSource) Work() Work {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.work
}

func (f *fakeSource) Reason() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

func (f *fakeSource) Watch(ctx context.Context, changed func()) {
	f.mu.Lock()
	f.changed = changed
	f.mu.Unlock()
	close(f.watching)
	<-ctx.Done()
}

func (f *fakeSource) Submit(_ context.Context, _ *mining.Job, solution mining.Solution) (mining.Outcome, error) {
	f.mu.Lock()
	f.solutions = append(f.solutions, solution)
	verdict, hold, block := f.verdict, f.hold, f.block
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return mining.Outcome{Share: verdict == nil, Block: block}, verdict
}

func (f *fakeSource) submitted() []mining.Solution {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]mining.Solution(nil), f.solutions...)
}

// judge sets the answer of Submit from now on.
func (f *fakeSource) judge(verdict error, block bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verdict, f.block = verdict, block
}

// set replaces the work; nil with a reason takes it away.
func (f *fakeSource) set(work Work, reason string) {
	f.mu.Lock()
	f.work, f.reason = work, reason
	changed := f.changed
	f.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// fakeWork makes one tiny job, of one coinbase and two branch hashes.
type fakeWork struct {
	job mining.Job
	tip blockchain.Tip
}

func (w *fakeWork) Tip() *blockchain.Tip { return &w.tip }

func (w *fakeWork) PrevBlock() chainhash.Hash { return w.job.PrevBlock }

func (w *fakeWork) Job([]byte, share.Class) (*mining.Job, error) {
	job := w.job
	return &job, nil
}

// fakeTime is the template's time in seconds; synctest's clock begins here.
var fakeTime = uint32(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix())

// newFakeWork returns work on the n-th Bitcoin block and share tip, with the
// difficulty of its shares.
func newFakeWork(n byte, shareDifficulty float64) *fakeWork {
	var prev chainhash.Hash
	for i := range prev {
		prev[i] = byte(i) + n
	}
	blockTarget := target.FromDifficulty(shareDifficulty * 1e6)
	return &fakeWork{job: mining.Job{
		PrevBlock: prev, Version: 0x3fffe004, Bits: 0x207fffff,
		Time: fakeTime, MinTime: fakeTime - 100, MaxTime: fakeTime + 7000,
		Head: []byte{0x02, 0, 0, 0, 1}, Coinb2: []byte{0xff, n, 0, 0, 0, 0},
		Branch:      []chainhash.Hash{{1, 2, 3}, {4, 5, 6}},
		ShareTarget: target.FromDifficulty(shareDifficulty), BlockTarget: blockTarget,
		ShareHeight: 7, BitcoinHeight: 1,
	}}
}

// easy is a difficulty that one hash in 16 meets, hard one that none does.
const (
	easy = 16 * easiestDifficulty
	hard = 1e15
)

// harness is a server on in-memory connections.
type harness struct {
	t      testing.TB
	server *Server
	source *fakeSource
	conns  chan net.Conn
	cancel context.CancelFunc
	done   chan error
}

// testPayee is the default payee of the tests, a P2WPKH script.
var testPayee = append([]byte{0x00, 0x14}, make([]byte, 20)...)

func newHarness(t testing.TB, work Work, change func(*Config)) *harness {
	t.Helper()
	h := &harness{t: t, source: &fakeSource{work: work, reason: "test", watching: make(chan struct{})}, conns: make(chan net.Conn), done: make(chan error, 1)}
	cfg := Config{Source: h.source, Params: &chaincfg.RegressionNetParams, Payees: FixedPayee(testPayee)}
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server.listeners = []net.Listener{h}
	server.extranonces.next = 0xabcd0001
	server.jobNumber.Store(0x0f)
	var ids atomic.Uint64
	server.deps.newID = func() (id sessionID) {
		binary.BigEndian.PutUint64(id[:], 0x5e5510ff00000000+ids.Add(1))
		return id
	}
	h.server = server
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() { h.done <- server.Run(ctx) }()
	<-h.source.watching
	return h
}

// stop ends the server and fails the test unless Run returns nil.
func (h *harness) stop() {
	h.t.Helper()
	h.cancel()
	if err := <-h.done; err != nil {
		h.t.Errorf("Run: %v", err)
	}
}

// Accept, Close and Addr make the harness the server's listener.
func (h *harness) Accept() (net.Conn, error) {
	conn, open := <-h.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (h *harness) Close() error {
	close(h.conns)
	return nil
}

func (h *harness) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3333} }

// client is a scripted miner.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (h *harness) connect() *client {
	ours, theirs := net.Pipe()
	h.conns <- theirs
	return &client{t: h.t, conn: ours, r: bufio.NewReader(ours)}
}

// send writes lines in one go; it does not wait for the server to read them.
func (c *client) send(lines ...string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// line returns the next line of the server, without its line feed.
func (c *client) line() string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("no line: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

// want compares the next lines with golden ones.
func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got := c.line(); got != want {
			c.t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// login subscribes and authorizes and returns the first job.
func (c *client) login(user string) testJob {
	c.t.Helper()
	c.send(`{"id":1,"method":"mining.subscribe","params":["test/1"]}`,
		`{"id":2,"method":"mining.authorize","params":["`+user+`","x"]}`)
	subscribed := c.line()
	if got := c.line(); got != `{"id":2,"result":true,"error":null}` {
		c.t.Fatalf("authorize: %s", got)
	}
	var reply struct{ Result []any }
	if err := json.Unmarshal([]byte(subscribed), &reply); err != nil {
		c.t.Fatal(err)
	}
	job := c.job()
	job.extranonce1 = reply.Result[1].(string)
	return job
}

// testJob is a notify as a miner reads it, together with the difficulty.
type testJob struct {
	id, prev, coinb1, coinb2 string
	branch                   []any
	version, bits, ntime     string
	clean                    bool
	difficulty               float64 // announced just before, else 0
	extranonce1              string
}

// job reads up to the next notify.
func (c *client) job() testJob {
	c.t.Helper()
	var difficulty float64
	for {
		line := c.line()
		if j, ok := parseNotify(c.t, line); ok {
			j.difficulty = difficulty
			return j
		}
		var m struct {
			Method string
			Params []any
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			c.t.Fatal(err)
		}
		if m.Method != "mining.set_difficulty" {
			c.t.Fatalf("unexpected line %s", line)
		}
		difficulty = m.Params[0].(float64)
	}
}

// parseNotify reads a line if it is a notify.
func parseNotify(t testing.TB, line string) (j testJob, ok bool) {
	t.Helper()
	var m struct {
		Method string
		Params []any
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	if m.Method != "mining.notify" {
		return j, false
	}
	p := m.Params
	j.id, j.prev, j.coinb1, j.coinb2 = p[0].(string), p[1].(string), p[2].(string), p[3].(string)
	j.branch, j.version, j.bits, j.ntime = p[4].([]any), p[5].(string), p[6].(string), p[7].(string)
	j.clean = p[8].(bool)
	return j, true
}

// hash rebuilds the header hash as a miner does, independently of the server.
func (j *testJob) hash(t testing.TB, extranonce2 string, version, ntime, nonce uint32) chainhash.Hash {
	t.Helper()
	root := chainhash.DoubleHashH(unhex(t, j.coinb1+j.extranonce1+extranonce2+j.coinb2))
	header := j.header(t, j.root(t, root))
	binary.LittleEndian.PutUint32(header, version)
	binary.LittleEndian.PutUint32(header[68:], ntime)
	binary.LittleEndian.PutUint32(header[76:], nonce)
	return chainhash.DoubleHashH(header)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// root is the merkle root over a coinbase's hash.
func (j *testJob) root(t testing.TB, root chainhash.Hash) chainhash.Hash {
	t.Helper()
	for _, b := range j.branch {
		root = chainhash.DoubleHashH(append(root[:], unhex(t, b.(string))...))
	}
	return root
}

// header is the job's header with a merkle root and nonce 0.
func (j *testJob) header(t testing.TB, root chainhash.Hash) []byte {
	t.Helper()
	word := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	header := binary.LittleEndian.AppendUint32(nil, word(j.version))
	for i := 0; i < 64; i += 8 {
		header = binary.LittleEndian.AppendUint32(header, word(j.prev[i:i+8]))
	}
	header = append(header, root[:]...)
	header = binary.LittleEndian.AppendUint32(header, word(j.ntime))
	header = binary.LittleEndian.AppendUint32(header, word(j.bits))
	return binary.LittleEndian.AppendUint32(header, 0)
}

// solve returns a nonce, at least from, whose hash meets the difficulty or, if
// meets is false, does not.
func (j *testJob) solve(t testing.TB, difficulty float64, from uint32, meets bool) uint32 {
	t.Helper()
	bound := target.FromDifficulty(difficulty)
	version, _ := parseHex32([]byte(j.version))
	ntime, _ := parseHex32([]byte(j.ntime))
	for nonce := from; nonce < from+1_000_000; nonce++ {
		hash := j.hash(t, testExtranonce2, version, ntime, nonce)
		if target.HashMeets(&hash, &bound) == meets {
			return nonce
		}
	}
	t.Fatal("no solution")
	return 0
}

const testExtranonce2 = "0000000000000001"

// submitLine is a mining.submit with id 4.
func (j *testJob) submitLine(user string, nonce uint32) string {
	return `{"id":4,"method":"mining.submit","params":["` + user + `","` + j.id + `","` +
		testExtranonce2 + `","` + j.ntime + `","` + string(appendUint32(nil, nonce)) + `"]}`
}

const accepted = `{"id":4,"result":true,"error":null}`

func rejectedWith(code, text string) string {
	return `{"id":4,"result":false,"error":[` + code + `,"` + text + `",null]}`
}

// bubble runs a test on synctest's clock.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// scene runs f with a server that has work and a client that has just connected, on
// synctest's clock.
func scene(t *testing.T, work Work, change func(*Config), f func(t *testing.T, h *harness, c *client)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		h := newHarness(t, work, change)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		f(t, h, c)
	})
}

var errFake = errors.New("refused by the test")
