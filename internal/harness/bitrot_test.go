package harness_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/internal/harness"
)

const (
	// flipsVariable in the environment is the number of flipped bits, if not
	// defaultFlips.
	flipsVariable = "P2POOL_FLIPS"
	defaultFlips  = 40
	// rottenShares is how many shares the damaged database has, at least.
	rottenShares = 240
	// maxReindexed is how many of the refused databases are rebuilt.
	maxReindexed = 3
)

// files is the content of a folder by name.
type files map[string][]byte

func readFolder(t *testing.T, dir string) files {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := make(files)
	for _, e := range entries {
		if f[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// write makes dir hold these files only.
func (f files) write(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, content := range f {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (f files) equal(other files) bool { return maps.EqualFunc(f, other, bytes.Equal) }

// rotting is a pool whose only node is stopped and has a healthy database.
type rotting struct {
	*testing.T
	pool    *harness.Pool
	node    *harness.Node
	dir     string // the node's data directory
	path    string // of its database
	healthy files
	want    chainInfo
}

// newRotting has a node mine in two runs, so that its database has tables and a
// journal.
func newRotting(t *testing.T) *rotting {
	t.Helper()
	p := startPool(t, 1)
	r := &rotting{T: t, pool: p, node: p.Nodes[0], dir: filepath.Join(p.Dir, "node0")}
	r.path = databaseOf(r.dir, params(t))
	if err := errors.Join(r.node.Stop(), os.RemoveAll(r.path)); err != nil {
		t.Fatal(err)
	}
	startLate(t, r.dir, 1)
	for _, stored := range []int{rottenShares / 2, rottenShares} {
		if err := r.node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.mine(stored)
		r.want = call[chainInfo](t, r.node, "getsharechaininfo")
		if err := r.node.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	r.healthy = readFolder(t, r.path)
	return r
}

// mine runs two miners until the node has that many shares, and no two that could be
// the tip: which of them was first is forgotten when a database is rebuilt.
func (r *rotting) mine(stored int) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	var w witness
	w.told = make(map[string]uint32)
	for i := range 2 {
		payee, err := harness.NewPayee(i)
		if err != nil {
			r.Fatal(err)
		}
		h := &hasher{
			addr: r.node.Stratum, user: payee.Address, goal: params(r.T).EasiestTarget, rate: 2e6,
			serial: uint64(i) << 32,
		}
		h.accepted = func(id chainhash.Hash) { w.tell(id.String(), 0) }
		h.unanswered = h.accepted
		wg.Go(func() { h.run(ctx) })
	}
	wait(r.T, fmt.Sprintf("%d shares", stored), func() bool {
		return call[chainInfo](r.T, r.node, "getsharechaininfo").stored() >= stored
	})
	cancel()
	wg.Wait()
	wait(r.T, "no miners", func() bool { return call[info](r.T, r.node, "getinfo").StratumConnections == 0 })
	if now := call[chainInfo](r.T, r.node, "getsharechaininfo"); r.tied(now, w.take()) {
		r.mine(now.stored() + 1)
	}
}

// tied reports whether one of the shares, which need not all exist, has as much work
// as the tip.
func (r *rotting) tied(now chainInfo, ids []string) bool {
	r.Helper()
	return slices.ContainsFunc(ids, func(id string) bool {
		var s struct {
			Work string `json:"work"`
		}
		return r.node.Call(r.Context(), &s, "getshare", id) == nil && id != now.Tip && s.Work == now.Work
	})
}

// run starts a node and returns nil when it serves, or why it ended.
func (r *rotting) run(n *harness.Node) (ended *exec.ExitError) {
	r.Helper()
	if err := n.Launch(); err != nil {
		r.Fatal(err)
	}
	deadline := time.Now().Add(waitTimeout)
	for n.Call(r.Context(), nil, "getsharechaininfo") != nil {
		select {
		case <-n.Process().Done():
			ended, ok := errors.AsType[*exec.ExitError](n.Process().Err())
			if !ok {
				r.Fatalf("p2poold ended: %v", n.Process().Err())
			}
			return ended
		case <-time.After(redial):
		}
		if time.Now().After(deadline) {
			r.Fatalf("p2poold neither serves nor ends:\n%s", n.Process().Output())
		}
	}
	return nil
}

// start starts the node on a damaged database. It refuses, says what to do and leaves
// everything as it was, or it has all shares.
func (r *rotting) start(damaged files) (refused bool) {
	r.Helper()
	damaged.write(r.T, r.path)
	if ended := r.run(r.node); ended != nil {
		if code := ended.ExitCode(); code != 1 || !strings.Contains(r.node.Process().Output(), "--reindex") {
			r.Errorf("refused with exit code %d:\n%s", code, r.node.Process().Output())
		}
		if !damaged.equal(readFolder(r.T, r.path)) {
			r.Error("the damaged database has been changed")
		}
		return true
	}
	got := call[chainInfo](r.T, r.node, "getsharechaininfo")
	if got != r.want {
		r.Errorf("the node runs with %+v, it had %+v", got, r.want)
	}
	r.node.Kill()
	return false
}

// TestDamagedDatabase: see the subtests, which share a node that mined.
func TestDamagedDatabase(t *testing.T) {
	r := newRotting(t)
	t.Run("flipped bits", r.flipBits)
	t.Run("healthy", r.reindexHealthy)
	t.Run("interrupted", r.interruptReindex)
}

// in returns r for a subtest.
func (r *rotting) in(t *testing.T) *rotting {
	sub := *r
	sub.T = t
	return &sub
}

// flipBits flips single bits in the database of the stopped node. p2poold says so, and
// --checkdb what is wrong, or they have all shares. With --reindex and a peer everything
// comes back.
func (r *rotting) flipBits(t *testing.T) {
	r = r.in(t)
	peer := r.newPeer()
	rng := rand.New(rand.NewPCG(9, 10))
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(r.healthy)), func(name string) bool { return len(r.healthy[name]) == 0 })
	flips, refusals, reindexed := fromEnvironment(t, flipsVariable, defaultFlips), map[string]int{}, map[string]bool{}
	total := 0
	for i := range flips {
		name := names[i%len(names)]
		damaged := maps.Clone(r.healthy)
		b := slices.Clone(damaged[name])
		bit := rng.IntN(8 * len(b))
		b[bit/8] ^= 1 << (bit % 8)
		damaged[name] = b
		kind := strings.TrimLeft(name, "0123456789-")
		refused := r.start(damaged)
		report := checkDatabase(t, r.dir)
		if refused {
			total++
			refusals[kind]++
			if report.code != 1 || len(report.problems) == 0 || !damaged.equal(readFolder(t, r.path)) {
				t.Errorf("--checkdb ended with %d:\n%s", report.code, report.text)
			}
			if !reindexed[kind] && len(reindexed) < maxReindexed {
				reindexed[kind] = true
				r.reindex("reindexed"+kind, damaged, peer)
			}
		} else if report.code != 0 || report.tip != r.want.Tip || report.shares != r.want.stored() {
			t.Errorf("--checkdb ended with %d:\n%s", report.code, report.text)
		}
		if t.Failed() {
			t.Fatalf("flip %d: %s of %d bytes, bit %d", i, name, len(b), bit)
		}
	}
	t.Logf("%d shares, %d bits flipped: %d refused %v, %d harmless, 0 silent; %d rebuilt",
		r.want.stored(), flips, total, refusals, flips-total, len(reindexed))
}

// newPeer runs a second node with the same shares.
func (r *rotting) newPeer() *harness.Node {
	r.Helper()
	n, dir := r.newNode("peer")
	r.healthy.write(r.T, databaseOf(dir, params(r.T)))
	if err := n.Start(r.Context()); err != nil {
		r.Fatal(err)
	}
	return n
}

// newNode makes one that ends with the test, and returns its data directory.
func (r *rotting) newNode(name string, args ...string) (n *harness.Node, dir string) {
	r.Helper()
	dir = filepath.Join(r.pool.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	n, err := harness.NewNode(programs(r.T), harness.NodeOptions{Dir: dir, Bitcoind: r.pool.Bitcoin.URL(), Args: args})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := n.Stop(); err != nil {
			r.Error(err)
		}
		if r.Failed() && n.Process() != nil {
			r.Logf("end of %s's log:\n%s", name, n.Process().Output())
		}
	})
	return n, dir
}
