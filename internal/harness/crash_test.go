package harness_test

import (
	"context"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/internal/harness"
)

const (
	// killsVariable in the environment is the number of kills, if not defaultKills.
	killsVariable = "P2POOL_KILLS"
	defaultKills  = 100
	// manyKills are worth a minute's work for a chain that is nearly as long as what a
	// node keeps, so that it prunes between the kills.
	manyKills = 500
	// checkEvery is how many kills lie between two runs of p2poold --checkdb.
	checkEvery = 10
	// earlyKills is how many kills there are for one while the node starts up.
	earlyKills = 6
	// longestWork and longestStart bound the time to the kill, of a node that serves
	// and of one that starts.
	longestWork  = 300 * time.Millisecond
	longestStart = 250 * time.Millisecond
	// hasherRate lets each of two miners find 6 shares a second. From 11 on the main
	// chain the times of shares, whose median has to grow, run ahead of the clock.
	hasherRate = 4e5
)

// crashed is a node under test with its miners and witness.
type crashed struct {
	*testing.T
	*harness.Node
	witness
	dir          string
	retention    uint32
	starts       []time.Duration // from the start of the process to the first answer
	checks, lost int
}

// serve starts the node, waits for its first answer and looks for what was told
// before, if look is set.
func (c *crashed) serve(look bool) {
	c.Helper()
	begun := time.Now()
	if err := c.Launch(); err != nil {
		c.Fatal(err)
	}
	for c.Call(c.Context(), nil, "getsharechaininfo") != nil {
		select {
		case <-c.Process().Done():
			c.Fatalf("p2poold ended: %v; it said:\n%s", c.Process().Err(), c.Process().Output())
		case <-time.After(redial):
		}
		if time.Since(begun) > waitTimeout {
			c.Fatalf("p2poold does not answer:\n%s", c.Process().Output())
		}
	}
	c.starts = append(c.starts, time.Since(begun))
	if look {
		c.lookFor(c.take())
	}
}

// lookFor counts those of the shares that the node has lost, and checks that its
// tip has the most work of all.
func (c *crashed) lookFor(ids []string) {
	c.Helper()
	for _, id := range ids {
		var s struct {
			Status string `json:"status"`
			Work   string `json:"work"`
			Data   struct {
				Height uint32 `json:"height"`
			} `json:"data"`
		}
		if err := c.Call(c.Context(), &s, "getshare", id); err != nil {
			if info := call[chainInfo](c.T, c.Node, "getsharechaininfo"); c.pruned(id, info.Height) {
				continue
			}
			c.lost++
			c.Errorf("share %s is gone: %v", id, err)
			continue
		}
		c.tell(id, s.Data.Height)
		if info := call[chainInfo](c.T, c.Node, "getsharechaininfo"); info.Work < s.Work {
			c.Errorf("share %s has work %s, the tip %s has %s", id, s.Work, info.Tip, info.Work)
		}
	}
}

// pruned reports whether the node may have forgotten a share. That of a miner, whose
// height is not known, is looked for before it is so old.
func (c *crashed) pruned(id string, tip uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	height := c.told[id]
	return height > 0 && height+c.retention <= tip
}

type chainInfo struct {
	Tip        string `json:"tip"`
	Height     uint32 `json:"height"`
	Work       string `json:"work"`
	Shares     int    `json:"shares"`
	Uncles     int    `json:"uncles"`
	SideShares int    `json:"sideshares"`
}

// stored is the number of all shares that the node has.
func (i chainInfo) stored() int { return i.Shares + i.Uncles + i.SideShares }

// check runs --checkdb on the stopped node.
func (c *crashed) check() checkReport {
	c.Helper()
	c.checks++
	r := checkDatabase(c.T, c.dir)
	if r.code != 0 || len(r.problems) > 0 {
		c.Fatalf("--checkdb found problems:\n%s", r.text)
	}
	if r.checked != r.shares && c.witness.tip < c.retention {
		c.Errorf("--checkdb has recomputed the payouts of %d of %d shares", r.checked, r.shares)
	}
	return r
}

// TestKillAtRandom kills a mining node with signal 9 at random moments, while it works
// and while it starts. Whatever share a miner was told is accepted, or the RPC has
// shown, is there afterwards, without any peer's help, and the shares of all Bitcoin
// blocks; the tip is the one that the stored shares amount to; and nobody is paid twice.
func TestKillAtRandom(t *testing.T) {
	kills := fromEnvironment(t, killsVariable, defaultKills)
	p := startPool(t, 1)
	c := &crashed{T: t, Node: p.Nodes[0], dir: filepath.Join(p.Dir, "node0"), retention: params(t).RetentionShares}
	c.told = make(map[string]uint32)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(databaseOf(c.dir, params(t))); err != nil {
		t.Fatal(err)
	}
	begin := 1
	if kills >= manyKills {
		begin = int(c.retention) - kills/10
	}
	startLate(t, c.dir, begin)
	stop := c.observe(p)
	rng := rand.New(rand.NewPCG(7, 8))
	for round := range kills {
		if rng.IntN(earlyKills) == 0 {
			if err := c.Launch(); err != nil {
				t.Fatal(err)
			}
			c.killAfter(rng, longestStart)
		} else {
			c.serve(rng.IntN(2) == 0)
			c.killAfter(rng, longestWork)
		}
		if round%checkEvery == checkEvery-1 {
			c.check()
		}
		if t.Failed() {
			t.Fatalf("kill %d", round+1)
		}
	}
	c.serve(true)
	stop()
	c.finish(p, kills)
}

func (c *crashed) killAfter(rng *rand.Rand, longest time.Duration) {
	select {
	case <-c.Process().Done():
		c.Fatalf("p2poold ended: %v; it said:\n%s", c.Process().Err(), c.Process().Output())
	case <-time.After(time.Duration(rng.Int64N(int64(longest)))):
	}
	c.Kill()
}

// observe starts two miners, who are paid apart, and those who ask the node. They
// end with the returned function, or with the test.
func (c *crashed) observe(p *harness.Pool) (stop func()) {
	c.Helper()
	second, err := harness.NewPayee(1)
	if err != nil {
		c.Fatal(err)
	}
	p.Payees = append(p.Payees, second)
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	for i, payee := range p.Payees {
		h := &hasher{
			addr: c.Stratum, user: payee.Address, goal: params(c.T).EasiestTarget, rate: hasherRate, serial: uint64(i) << 32,
			accepted: func(id chainhash.Hash) { c.tell(id.String(), 0) },
		}
		wg.Go(func() { h.run(ctx) })
	}
	wg.Go(func() { c.poll(ctx, c.Node) })
	stop = func() {
		cancel()
		wg.Wait()
	}
	c.Cleanup(stop)
	return stop
}

// finish looks at everything once more and reports.
func (c *crashed) finish(p *harness.Pool, kills int) {
	c.Helper()
	c.lookFor(slices.Sorted(maps.Keys(c.told)))
	info := call[chainInfo](c.T, c.Node, "getsharechaininfo")
	blocks := c.recompute(p, info)
	if err := c.Stop(); err != nil {
		c.Error(err)
	}
	report := c.check()
	if report.tip != info.Tip || report.shares != info.stored() {
		c.Errorf("--checkdb has %d shares and the tip %s, the node had %d and %s", report.shares, report.tip, info.stored(), info.Tip)
	}
	slices.Sort(c.starts)
	c.Logf("%d kills; %d shares were told of, %d lost; %d stored, height %d; %d Bitcoin blocks' payouts recomputed; %d checks of the database; "+
		"start to first answer %v at most, %v in the median",
		kills, len(c.told), c.lost, report.shares, info.Height, blocks, c.checks,
		c.starts[len(c.starts)-1].Round(time.Millisecond), c.starts[len(c.starts)/2].Round(time.Millisecond))
}

// recompute walks over the main chain: no share is on it twice, as a share or an
// uncle, and they add up to the work of the tip. It also recomputes the payouts of
// some Bitcoin blocks and returns their number.
func (c *crashed) recompute(p *harness.Pool, info chainInfo) (blocks int) {
	c.Helper()
	seen := map[string]bool{}
	work := new(big.Int)
	count := func(id string, bits uint32) {
		if seen[id] {
			c.Errorf("share %s is on the chain twice", id)
		}
		seen[id] = true
		work.Add(work, workOf(bits))
	}
	chain := loadAncestors(c.T, c.Node, info.Tip, info.Shares)
	for _, s := range chain {
		count(s.ID().String(), s.Data.Bits)
		for _, id := range s.Data.Uncles {
			if uncle := id.String(); int(info.Height)+1 == info.Shares {
				count(uncle, loadShare(c.T, c.Node, uncle).Data.Bits)
			}
		}
	}
	if want, ok := new(big.Int).SetString(info.Work, 16); !ok || int(info.Height)+1 == info.Shares && want.Cmp(work) != 0 {
		c.Errorf("the shares add up to work %x, the tip states %s", work, info.Work)
	}
	const most = 5
	for _, b := range call[[]foundBlock](c.T, c.Node, "getblocksfound", 10*most) {
		if b.ShareHeight+c.retention > info.Height && c.Call(c.Context(), nil, "getshare", b.Hash) != nil {
			c.Errorf("the share of block %s at height %d is gone", b.Hash, b.ShareHeight)
		}
		if blocks == most || b.Confirmations < 1 { // or another has its place
			continue
		}
		if verifyBlock(c.T, p, b.Hash) {
			blocks++
		}
	}
	if blocks == 0 {
		c.Error("no Bitcoin block pays both miners")
	}
	return blocks
}
