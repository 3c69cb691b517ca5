package stratum

import (
	"bufio"
	"context"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

func testConfig(addr string) Config {
	return Config{
		Listen: []string{addr}, Params: &chaincfg.RegressionNetParams, Payees: FixedPayee(testPayee),
		Source: &fakeSource{work: newFakeWork(0, hard), watching: make(chan struct{})},
	}
}

func TestConfigErrors(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"own payee": func(c *Config) { c.Payees = FixedPayee{0x6a} },
		"host:port": func(c *Config) { c.Listen = []string{"nonsense"} },
		"negative":  func(c *Config) { c.MinDifficulty = -1 },
		"Source":    func(c *Config) { c.Source = nil },
	} {
		cfg := testConfig("127.0.0.1:0")
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPortTaken(t *testing.T) {
	first, err := New(testConfig("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- first.Run(ctx) }()

	second, err := New(testConfig(first.Addrs()[0].String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use by another program") {
		t.Errorf("taken port: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Connections that come and go over real TCP leave nothing behind.
func TestConnectAndDisconnect(t *testing.T) {
	server, err := New(testConfig("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()

	addr := server.Addrs()[0].String()
	cycles := 10_000
	if n, err := strconv.Atoi(os.Getenv("P2POOL_CYCLES")); err == nil {
		cycles = n
	}
	descriptors := openDescriptors()
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < cycles; i += 4 {
				cycle(t, addr, i%5)
			}
		})
	}
	wg.Wait()
	for limit := time.Now().Add(10 * time.Second); server.Connections() > 0 && time.Now().Before(limit); {
		runtime.Gosched()
	}
	if n := openDescriptors(); n > descriptors+8 { // the runtime's own among them
		t.Errorf("%d descriptors, %d before", n, descriptors)
	}
	stays, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := server.Connections(); n != 0 {
		t.Errorf("%d connections after Run", n)
	}
	if n := len(server.extranonces.live); n != 0 {
		t.Errorf("%d extranonces after Run", n)
	}
	// A goroutine may outlive what waited for it by a moment, on a busy machine a long
	// one; yield to it.
	for limit := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(limit); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// openDescriptors is 0 where they cannot be counted.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// cycle connects and leaves before, during or after the handshake, or by a reset in
// the middle of a line.
func cycle(t *testing.T, addr string, stage int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	switch stage {
	case 0:
		return
	case 3, 4:
		conn.Write([]byte(`{"id":1,"method":"mining.sub`)[:24+stage])
		conn.(*net.TCPConn).SetLinger(0)
		return
	}
	conn.Write([]byte(`{"id":1,"method":"mining.subscribe","params":[]}` + "\n"))
	if stage == 1 {
		return
	}
	conn.Write([]byte(`{"id":2,"method":"mining.authorize","params":["rig","x"]}` + "\n"))
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Errorf("no job: %v", err)
			return
		}
		if strings.Contains(line, "mining.notify") && strings.Contains(line, "true]") {
			return
		}
	}
}

func TestAllocatorIsUnique(t *testing.T) {
	a := newAllocator()
	a.next = 0xfffffffe
	seen := make(map[uint32]bool)
	for range 8 {
		v, err := a.take()
		if err != nil || seen[v] {
			t.Fatalf("%08x, %v", v, err)
		}
		seen[v] = true
	}
	a.release(1)
	a.next = 0xffffffff // everything up to 5 is taken but 1
	if v, err := a.take(); err != nil || v != 1 {
		t.Errorf("%08x, %v instead of the only free one", v, err)
	}
}

func TestRegistryIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newRegistry(now)
	// works has a worker come, hand in something and leave.
	works := func(name string) {
		w := r.connect(identity{worker: name}, "", share.Class12, now)
		if w.accepted(credit{}, now) {
			r.proves(w)
		}
		r.disconnect(w)
	}
	connected := r.connect(identity{worker: "stays"}, "", share.Class12, now)
	if connected.accepted(credit{}, now) {
		r.proves(connected)
	}
	for i := range maxWorkers + 100 {
		now = now.Add(time.Second)
		works(string(appendUint32(nil, uint32(i))))
	}
	list := r.list(now)
	if len(list) != maxWorkers {
		t.Errorf("%d workers", len(list))
	}
	if r.workers["stays"] != connected {
		t.Error("a connected worker was forgotten")
	}
	if r.workers["00000000"] != nil || r.workers[string(appendUint32(nil, maxWorkers+99))] == nil {
		t.Error("not the oldest was forgotten")
	}

	// The one that has been away longest returns, and stays for it.
	oldest := string(appendUint32(nil, 101))
	back := r.connect(identity{worker: oldest}, "", share.Class12, now)
	works("new")
	if r.workers[oldest] != back || r.workers[string(appendUint32(nil, 102))] != nil {
		t.Error("not the one away longest was forgotten")
	}
	if n := r.away.Len(); n != maxWorkers-2 {
		t.Errorf("%d workers away", n)
	}
}

// When all are connected, a further worker is not listed and leaves nothing behind.
func TestRegistryFullOfConnected(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newRegistry(now)
	for i := range maxWorkers {
		w := r.connect(identity{worker: string(appendUint32(nil, uint32(i)))}, "", share.Class12, now)
		w.accepted(credit{}, now)
		r.proves(w)
	}
	further := r.connect(identity{worker: "further"}, "", share.Class12, now)
	further.accepted(credit{}, now)
	r.proves(further)
	r.disconnect(further)
	if len(r.workers) != maxWorkers || r.workers["further"] != nil || r.away.Len() != 0 {
		t.Errorf("%d workers, %d away", len(r.workers), r.away.Len())
	}
}

// TestRegistryKeepsWhoWorked: names that are authorized and never used, on connections that
// stay or go, displace nobody who has handed in good work, and who does finds a place.
func TestRegistryKeepsWhoWorked(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newRegistry(now)
	name := func(i int) identity { return identity{worker: string(appendUint32(nil, uint32(i)))} }
	const worked = 100
	for i := range worked {
		w := r.connect(name(i), "", share.Class12, now)
		w.accepted(credit{}, now)
		r.proves(w)
		r.disconnect(w)
	}
	device := r.connect(identity{worker: "device"}, "", share.Class12, now) // at its first submission
	for i := range 2 * maxWorkers {
		w := r.connect(name(worked+i), "", share.Class12, now)
		if i%2 == 0 {
			r.disconnect(w)
		}
	}
	for i := range worked {
		if r.workers[string(appendUint32(nil, uint32(i)))] == nil {
			t.Fatalf("worker %d is forgotten", i)
		}
	}
	if len(r.workers) != maxWorkers || r.away.Len() != worked || r.untried.Len() != maxWorkers-worked {
		t.Errorf("%d workers, %d away, %d untried", len(r.workers), r.away.Len(), r.untried.Len())
	}
	// It was forgotten meanwhile, or not; another connection of the name counts as well.
	second := r.connect(identity{worker: "device"}, "", share.Class12, now)
	device.accepted(credit{}, now)
	r.proves(device)
	if r.workers["device"] != device || len(r.workers) > maxWorkers || device.untried != nil {
		t.Error("who works is not listed")
	}
	r.disconnect(second)
	r.disconnect(device)
	if second != device && second.untried != nil || r.untried.Len()+r.away.Len() != len(r.workers) {
		t.Errorf("%d workers, %d away, %d untried", len(r.workers), r.away.Len(), r.untried.Len())
	}

	// Over a restart.
	r2 := newRegistry(now)
	r2.restore(&savedState{at: now, workers: r.save(now)}, &names{params: &chaincfg.RegressionNetParams, own: true}, now)
	if r2.away.Len() != r.away.Len() || r2.untried.Len() != len(r.workers)-r.away.Len() {
		t.Errorf("%d away, %d untried after a restart", r2.away.Len(), r2.untried.Len())
	}
}

// BenchmarkRegistryFull is a login by a new name when the registry is full.
func BenchmarkRegistryFull(b *testing.B) {
	now := time.Unix(1e9, 0)
	r := newRegistry(now)
	i := uint32(0)
	login := func() {
		r.disconnect(r.connect(identity{worker: string(appendUint32(nil, i))}, "", share.Class12, now))
		i++
	}
	for range maxWorkers {
		login()
	}
	b.ReportAllocs()
	for b.Loop() {
		login()
	}
}

func TestJobTableLimits(t *testing.T) {
	now := time.Unix(1e9, 0)
	job := &lasting{job: new(mining.Job)}
	var table jobTable
	for i := range uint64(2 * maxJobs) {
		table.add(liveJob{id: i, lasting: job, created: secondsOf(now)})
	}
	_, before := table.find([]byte("2f"))
	_, oldest := table.find([]byte("30"))
	if len(table.jobs) != maxJobs || before || !oldest {
		t.Errorf("%d jobs", len(table.jobs))
	}
	table.retire(secondsOf(now.Add(maxJobAge + time.Second)))
	if len(table.jobs) != 1 || table.newest().id != 2*maxJobs-1 {
		t.Errorf("%d jobs after their time", len(table.jobs))
	}

	// What is remembered goes with its job.
	old, young := *table.newest(), liveJob{id: 1000, lasting: &lasting{job: new(mining.Job)}, created: secondsOf(now)}
	table.add(young)
	for i := range maxSeen + 1 {
		j := &old
		if i >= maxSeen/2 {
			j = &young
		}
		if !table.remember(j, &chainhash.Hash{byte(i), byte(i >> 8), byte(i >> 16)}) {
			t.Fatalf("full after %d", i)
		}
	}
	if len(table.jobs) != 1 || len(table.seen) != maxSeen/2+1 {
		t.Errorf("%d jobs with %d submissions", len(table.jobs), len(table.seen))
	}
	if table.isDuplicate(&chainhash.Hash{1}) || !table.isDuplicate(&chainhash.Hash{(maxSeen - 1) & 0xff, (maxSeen - 1) >> 8}) {
		t.Error("the wrong submissions were forgotten")
	}

	// Nor is anything kept for a job that went since it was found.
	if !table.remember(&old, &chainhash.Hash{2}) || table.isDuplicate(&chainhash.Hash{2}) {
		t.Error("a submission is remembered for a job that is gone")
	}
}
