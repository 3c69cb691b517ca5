package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// watcher is a miner that only looks at what it is told.
type watcher struct {
	t     *testing.T
	lines chan string
}

// watch logs in at a node's Stratum port.
func watch(t *testing.T, p *program, user string) *watcher {
	t.Helper()
	addr := p.await(t, `Stratum listens on (\S+)`)[1]
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, `{"id":1,"method":"mining.subscribe","params":["watcher"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["%s","x"]}`+"\n", user)
	w := &watcher{t: t, lines: make(chan string, 1000)}
	go func() {
		defer close(w.lines)
		for in := bufio.NewScanner(conn); in.Scan(); {
			w.lines <- in.Text()
		}
	}()
	return w
}

// await reads up to a message of a method with words in it, and returns its parameters.
func (w *watcher) await(method string, words ...string) []any {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				w.t.Fatalf("the connection ended before %s %q", method, words)
			}
			var m struct {
				Method string
				Params []any
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				w.t.Fatal(err)
			}
			if m.Method == method && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return m.Params
			}
		case <-deadline:
			w.t.Fatalf("no %s %q within %v", method, words, patience)
		}
	}
}

// message waits until the miner is told a reason, which must hold no address of the
// Bitcoin node.
func (w *watcher) message(fake *bitcoindtest.Fake, words string) {
	w.t.Helper()
	if text := fmt.Sprint(w.await("client.show_message", "no work at the moment: ", words)); strings.Contains(text, fake.Addr()) {
		w.t.Errorf("miners learn the Bitcoin node's address: %s", text)
	}
}

// told waits until a miner that connects is told a reason. Those that are there already
// are told of another one after a while only.
func told(t *testing.T, p *program, fake *bitcoindtest.Fake, words string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		w := watch(t, p, "rig")
		var line string
		for !strings.Contains(line, `"method":"mining.notify"`) && !strings.Contains(line, "client.show_message") {
			select {
			case line = <-w.lines:
			case <-time.After(patience):
				t.Fatal("neither work nor a reason")
			}
		}
		if strings.Contains(line, fake.Addr()) {
			t.Errorf("miners learn the Bitcoin node's address: %s", line)
		}
		if strings.Contains(line, "no work at the moment: ") && strings.Contains(line, words) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not told %q, last: %s", words, line)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// refresh makes the Bitcoin node's faults apply to its templates: the call that waits for
// the next one still has the old ones.
func refresh(t *testing.T, fake *bitcoindtest.Fake) {
	t.Helper()
	calls := fake.Calls("getblocktemplate")
	fake.TouchMempool()
	for deadline := time.Now().Add(patience); fake.Calls("getblocktemplate") == calls; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody asks for templates")
		}
	}
	fake.TouchMempool()
}

// awaitHealth waits until all of the texts are in one reason each of getinfo.
func awaitHealth(t *testing.T, p *program, texts ...string) *rpcserver.Info {
	t.Helper()
	return awaitInfo(t, p, fmt.Sprintf("health says %q", texts), func(i *rpcserver.Info) bool {
		for _, text := range texts {
			if !slices.ContainsFunc(i.Health, func(reason string) bool { return strings.Contains(reason, text) }) {
				return false
			}
		}
		return true
	})
}

// TestRefusesUnknownRule: a mandatory rule that is not known stops work within a second,
// although the last template is young; without it everything goes on.
func TestRefusesUnknownRule(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, _ := startNode(t, t.TempDir(), fake)
	w := watch(t, p, "rig")
	w.await("mining.notify")
	fake.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) { m["rules"] = []string{"csv", "!segwit", "!newrule"} }})
	refresh(t, fake)
	fake.Mine(1) // rules begin with a block
	w.message(fake, "Bitcoin has a rule that this version of p2poold does not know")
	info := awaitHealth(t, p, `mandatory rule "newrule"`, "miners get no work: Bitcoin has a rule")
	if info.Healthy || info.Bitcoind.Connected {
		t.Errorf("%+v", info)
	}
	fake.SetFaults(bitcoindtest.Faults{})
	w.await("mining.notify")
	awaitInfo(t, p, "the node works", healthy)
	p.stop(t)
}

// TestRefusesInitialDownload: who connects while the Bitcoin node is not there, and then
// still downloading, is told so, and gets work as soon as there is some.
func TestRefusesInitialDownload(t *testing.T) {
	withHome(t)
	for _, likeBtcd := range []bool{false, true} {
		fake := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, likeBtcd)
		fake.Mine(3)
		fake.Down()
		p := start(t, t.TempDir(), fake)
		told(t, p, fake, "the Bitcoin node cannot be reached")
		w := watch(t, p, "rig")
		awaitHealth(t, p, "waiting for the Bitcoin node: cannot reach the Bitcoin node at "+fake.Addr())
		fake.SetFaults(bitcoindtest.Faults{InitialDownload: true})
		if err := fake.Up(); err != nil {
			t.Fatal(err)
		}
		info := awaitHealth(t, p, "still downloading")
		if !info.Bitcoind.InitialDownload {
			t.Errorf("%+v", info)
		}
		told(t, p, fake, "the Bitcoin node is still downloading the block chain")
		fake.SetFaults(bitcoindtest.Faults{})
		w.await("mining.notify")
		awaitInfo(t, p, "the node works", healthy)

		// Again, while it runs: it lost its place.
		fake.Down()
		awaitHealth(t, p, "Bitcoin node unreachable since")
		fake.SetFaults(bitcoindtest.Faults{InitialDownload: true})
		if err := fake.Up(); err != nil {
			t.Fatal(err)
		}
		w.message(fake, "the Bitcoin node is still downloading the block chain")
		awaitHealth(t, p, "miners get no work: the Bitcoin node is still downloading")
		p.stop(t)
	}
}

// shifted returns a configuration whose clock can be set forward.
func shifted(t *testing.T, dir string, fake *bitcoindtest.Fake) (*config, *atomic.Int64) {
	cfg, shift := mustLoad(t, arguments(dir, fake)...), new(atomic.Int64)
	cfg.now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	return cfg, shift
}

// TestRefusesSilence: a Bitcoin node that has gone is mined on for two minutes.
func TestRefusesSilence(t *testing.T) {
	withHome(t)
	fake, dir := newFake(t), t.TempDir()
	cfg, shift := shifted(t, dir, fake)
	p, n := startConfig(t, dir, cfg)
	w := watch(t, p, "rig")
	w.await("mining.notify")
	fake.Down()
	awaitHealth(t, p, "Bitcoin node unreachable since")
	shift.Store(int64(time.Minute))
	if n.generator.Work() == nil {
		t.Error("work ends after a minute")
	}
	shift.Store(int64(3 * time.Minute))
	w.message(fake, "the Bitcoin node cannot be reached")
	awaitHealth(t, p, "Bitcoin node unreachable since", "miners get no work: the Bitcoin node cannot be reached")
	shift.Store(0)
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	w.await("mining.notify")
	awaitInfo(t, p, "the node works", healthy)
	p.stop(t)
}

// TestRefusesWrongClock: a Bitcoin node whose clock differs by a few minutes, without
// peers to say who is right, is worth a warning; one that differs by more stops work.
func TestRefusesWrongClock(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	clock := func(offset time.Duration) {
		fake.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) { m["curtime"] = time.Now().Add(offset).Unix() }})
		refresh(t, fake)
	}
	p, _ := startNode(t, t.TempDir(), fake)
	w := watch(t, p, "rig")
	w.await("mining.notify")
	clock(5 * time.Minute)
	info := awaitHealth(t, p, "clocks differ from this computer's: the Bitcoin node's by +")
	if len(info.Health) != 1 {
		t.Errorf("%q", info.Health)
	}
	clock(-20 * time.Minute)
	w.message(fake, "clock and the Bitcoin node's differ by more than 10 minutes")
	awaitHealth(t, p, "miners get no work: this computer's clock", "the Bitcoin node's by -")
	clock(0)
	w.await("mining.notify")
	awaitInfo(t, p, "the node works", healthy)
	p.stop(t)
}

// TestRefusesFullDisk: below the floor of free space there is no work; more than one
// reason is told at once.
func TestRefusesFullDisk(t *testing.T) {
	if _, err := freeSpace(t.TempDir()); err != nil {
		t.Skip(err)
	}
	withHome(t)
	fake := newFake(t)
	p, n := startNode(t, t.TempDir(), fake, "--minfreespace=1000000000")
	told(t, p, fake, "the disk is nearly full: less than 1000000000 MiB are free")
	info := awaitHealth(t, p, "miners get no work: the disk is nearly full")
	if len(info.Health) != 1 || n.generator.Work() != nil {
		t.Errorf("%q", info.Health)
	}
	fake.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) {
		m["curtime"] = time.Now().Add(time.Hour).Unix()
	}})
	refresh(t, fake)
	info = awaitHealth(t, p, "the disk is nearly full", "this computer's clock", "clocks differ")
	if len(info.Health) != 3 || !strings.Contains(info.Health[0], "disk") {
		t.Errorf("%q", info.Health)
	}
	p.stop(t)
}

// TestRefusesAlone: on a public pool a node without peers gives no work.
func TestRefusesAlone(t *testing.T) {
	withHome(t)
	fake := bitcoindtest.NewFakeTest(t, &chaincfg.SigNetParams, false)
	dir := t.TempDir()
	args := []string{
		"--network=signet", "--datadir=" + dir, "--bitcoind=" + fake.URL(), "--address=" + testP2WPKH,
		"--nolisten", "--nodnsseed", "--nomdns", "--stratumlisten=127.0.0.1:0", "--rpclisten=127.0.0.1:0",
	}
	p, _ := startConfig(t, dir, mustLoad(t, args...))
	p.cookie = filepath.Join(dir, "signet-main", ".cookie")
	if _, err := os.Stat(p.cookie); err != nil {
		t.Fatal(err)
	}
	told(t, p, fake, "no peers: what a node mines alone on a public pool is worth nothing")
	if info := awaitHealth(t, p, "miners get no work: no peers", unsignedSignet); len(info.Health) != 2 {
		t.Errorf("%q", info.Health)
	}
	p.stop(t)
}
