package harness_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/harness"
)

// built holds the programs under test, compiled once for all tests.
var built = struct {
	once     sync.Once
	dir      string
	programs harness.Programs
	err      error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

func programs(t *testing.T) harness.Programs {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "p2poold-test-"); built.err == nil {
			built.programs, built.err = harness.Build(context.Background(), built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.programs
}

// waitTimeout bounds how long a test waits for what a pool does within seconds
// on an idle machine. Two Bitcoin blocks take 64 shares on average; the chance
// that 300, five minutes' worth, do not bring them is below 0.1 %.
const waitTimeout = 5 * time.Minute

// wait polls until f returns true.
func wait(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", waitTimeout, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// startPool runs a Bitcoin node and p2poold nodes until the end of the test. A
// failed test shows the ends of their logs.
func startPool(t *testing.T, nodes int, args ...string) *harness.Pool {
	t.Helper()
	p, err := harness.StartPool(t.Context(), programs(t), t.TempDir(), nodes, args...)
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for i, n := range p.Nodes {
				t.Logf("end of node %d's log:\n%s", i, n.Process().Output())
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func call[T any](t *testing.T, n *harness.Node, method string, params ...any) T {
	t.Helper()
	var result T
	if err := n.Call(context.Background(), &result, method, params...); err != nil {
		t.Fatal(err)
	}
	return result
}

// info is the part of getinfo that the tests look at.
type info struct {
	Tip                string   `json:"tip"`
	Height             uint32   `json:"height"`
	Peers              int      `json:"peers"`
	StratumConnections int      `json:"stratumconnections"`
	Syncing            bool     `json:"syncing"`
	Healthy            bool     `json:"healthy"`
	Health             []string `json:"health"`
}

type foundBlock struct {
	Hash          string `json:"hash"`
	Confirmations int64  `json:"confirmations"`
	ShareHeight   uint32 `json:"shareheight"`
}

func stopMiners(t *testing.T, p *harness.Pool) {
	t.Helper()
	for _, m := range p.Miners {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	}
	p.Miners = nil
}

// sameTip waits until all nodes have the same tip. Two shares of the same moment can
// tie, and each node keeps what it saw first; then somebody has to mine on.
func sameTip(t *testing.T, p *harness.Pool) string {
	t.Helper()
	for range 5 {
		first, ties := info{}, 0
		wait(t, "one tip on all nodes, or a tie", func() bool {
			first = call[info](t, p.Nodes[0], "getinfo")
			same, level := true, true
			for _, n := range p.Nodes[1:] {
				other := call[info](t, n, "getinfo")
				same, level = same && other.Tip == first.Tip, level && other.Height == first.Height
			}
			if ties++; !level {
				ties = 0
			}
			return same || ties > settled
		})
		if ties <= settled {
			return first.Tip
		}
		if err := p.StartMiners(programs(t), "1M"); err != nil {
			t.Fatal(err)
		}
		wait(t, "another share", func() bool { return call[info](t, p.Nodes[0], "getinfo").Height > first.Height })
		stopMiners(t, p)
	}
	t.Fatal("the nodes do not come to one tip")
	return ""
}

// settled is after how many looks that find different tips sameTip takes them for a
// tie: a share takes milliseconds from one node to another.
const settled = 20

// TestTwoNodesPayBothMiners is the whole way from a Bitcoin template to a paid
// block: two nodes, a miner on each, one sharechain, and Bitcoin blocks whose
// coinbases the test recomputes from the shares by the definitions.
func TestTwoNodesPayBothMiners(t *testing.T) {
	p := startPool(t, 2)
	if err := p.StartMiners(programs(t), "1M"); err != nil {
		t.Fatal(err)
	}
	// Blocks that pay both miners for past work.
	const wantBlocks = 2
	verified := map[string]bool{}
	wait(t, "two Bitcoin blocks that pay both miners", func() bool {
		for _, b := range call[[]foundBlock](t, p.Nodes[0], "getblocksfound", 50) {
			if b.Confirmations > 0 && !verified[b.Hash] && verifyBlock(t, p, b.Hash) {
				verified[b.Hash] = true
			}
		}
		return len(verified) >= wantBlocks
	})
	stopMiners(t, p)
	tip := sameTip(t, p)

	// Shares of both miners are on the one chain.
	chain := loadChain(t, p.Nodes[1], tip)
	count := map[string]int{}
	for _, s := range chain {
		count[string(s.Data.Payee)]++
	}
	for i, payee := range p.Payees {
		if count[string(payee.Script)] == 0 {
			t.Errorf("no share of miner %d among %d", i, len(chain))
		}
	}
	t.Logf("%d blocks verified; %d shares on the main chain, %v per miner", len(verified), len(chain),
		[]int{count[string(p.Payees[0].Script)], count[string(p.Payees[1].Script)]})
}

// TestLateNodeSyncs starts a node when the chain is there already.
func TestLateNodeSyncs(t *testing.T) {
	p := startPool(t, 1)
	if err := p.StartMiners(programs(t), "1M"); err != nil {
		t.Fatal(err)
	}
	wait(t, "80 shares", func() bool { return call[info](t, p.Nodes[0], "getinfo").Height >= 80 })
	dir := filepath.Join(p.Dir, "late")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	late, err := harness.NewNode(programs(t), harness.NodeOptions{Dir: dir, Bitcoind: p.Bitcoin.URL(), Connect: []string{p.Nodes[0].P2P}})
	if err != nil {
		t.Fatal(err)
	}
	p.Nodes = append(p.Nodes, late)
	if err := late.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, "the late node to catch up while mining goes on", func() bool {
		return call[info](t, late, "getinfo").Height+10 > call[info](t, p.Nodes[0], "getinfo").Height
	})
	stopMiners(t, p)
	tip := sameTip(t, p)
	if a, b := len(loadChain(t, p.Nodes[0], tip)), len(loadChain(t, late, tip)); a != b {
		t.Errorf("%d shares, the late node has %d", a, b)
	}
}

// TestBitcoinNodeGoesAndReturns: miners stay connected, the node says what is
// wrong, and recovers by itself.
func TestBitcoinNodeGoesAndReturns(t *testing.T) {
	p := startPool(t, 1)
	n := p.Nodes[0]
	if err := p.StartMiners(programs(t), "1M"); err != nil {
		t.Fatal(err)
	}
	wait(t, "shares", func() bool { return call[info](t, n, "getinfo").Height >= 20 })
	if err := p.Bitcoin.Stop(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the node to report itself unhealthy", func() bool {
		i := call[info](t, n, "getinfo")
		return !i.Healthy && strings.Contains(strings.Join(i.Health, " "), "unreachable")
	})
	if got := call[info](t, n, "getinfo").StratumConnections; got != 1 {
		t.Errorf("%d miners connected while the Bitcoin node is away, want 1", got)
	}
	if err := p.Bitcoin.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, "recovery", func() bool { return call[info](t, n, "getinfo").Healthy })
	height := call[info](t, n, "getinfo").Height
	wait(t, "new shares", func() bool { return call[info](t, n, "getinfo").Height > height })
	if log := p.Miners[0].Output(); strings.Count(log, "Connected to") != 1 {
		t.Errorf("the miner was disconnected:\n%s", log)
	}
}
