package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// coldShares is the length of the chain that TestColdSync syncs.
	coldShares = 20_000
	// coldTimeout bounds a sync.
	coldTimeout = 5 * time.Minute
	// coldBatch is how many shares the serving node is given at a time.
	coldBatch = 256
)

// fill gives a node a chain of at least so many shares, uncles counted.
func (n *joinNode) fill(shares int) {
	n.net.Helper()
	chain := blockchain.New(n.net.params)
	if err := chain.AddBitcoinHeader(&n.net.header, 0); err != nil {
		n.net.Fatal(err)
	}
	var batch []*share.Share
	for shares > 0 || len(batch) > 0 {
		if shares > 0 {
			for _, s := range n.net.next(chain) {
				if _, err := chain.Accept(s, n.net.clock()); err != nil {
					n.net.Fatalf("share at height %d: %v", s.Data.Height, err)
				}
				batch = append(batch, s)
				shares--
			}
		}
		if len(batch) < coldBatch && shares > 0 {
			continue
		}
		for i, err := range n.chain.AcceptAll(batch, chainhash.Hash{}) {
			if err != nil {
				n.net.Fatalf("share at height %d: %v", batch[i].Data.Height, err)
			}
		}
		batch = batch[:0]
	}
}

// sync waits until the node has the tip.
func (n *joinNode) sync(tip chainhash.Hash) time.Duration {
	n.net.Helper()
	begun := time.Now()
	n.net.until("the newcomer has synced", coldTimeout, func() bool { return n.chain.Tip().ID == tip })
	return time.Since(begun)
}

// TestColdSync: a newcomer gets a long chain from the first share on, and agrees about
// everything. The rate is for information; BenchmarkColdSync measures it properly.
func TestColdSync(t *testing.T) {
	noLeaks(t)
	shares := coldShares
	if raceDetector {
		shares /= 10
	}
	net := newJoinNet(t, 1_000)
	old := net.start(t.TempDir())
	old.fill(shares)
	newcomer := net.start(t.TempDir(), old.addr())
	took := newcomer.sync(old.chain.Tip().ID)
	net.agree(old, newcomer)
	a, b := old.chain.Stats(), newcomer.chain.Stats()
	if a != b || newcomer.store.Len() != old.store.Len() {
		t.Errorf("the newcomer has %+v and stores %d, the other %+v and %d", b, newcomer.store.Len(), a, old.store.Len())
	}
	stored := int(newcomer.store.Len())
	t.Logf("%d shares in %v over loopback, %.0f shares/s for both nodes together on one machine",
		stored, took.Round(time.Millisecond), float64(stored)/took.Seconds())
}

// BenchmarkColdSync is the way into the pool for a newcomer in a process of its own: a
// full retention of shares of class 144 with 12 branches, every tenth with an uncle, from
// 10,000 payees, from a node that has pruned the beginning.
func BenchmarkColdSync(b *testing.B) {
	net := newJoinNet(b, 10_000)
	old := net.start(b.TempDir())
	old.fill(int(net.params.RetentionShares) * 112 / 100)
	if old.store.Base() == 0 {
		b.Fatal("nothing is pruned")
	}
	tip := old.chain.Tip().ID
	b.ResetTimer()
	var shares int
	var took time.Duration
	var resident, disk int64
	for b.Loop() {
		r := net.child(b, old.addr(), tip)
		shares, took = shares+r.shares, took+r.took
		resident, disk = max(resident, r.resident), max(disk, r.disk)
	}
	b.ReportMetric(float64(shares)/took.Seconds(), "shares/s")
	b.ReportMetric(float64(shares)/float64(b.N), "shares")
	b.ReportMetric(float64(resident)/1e6, "MB-resident")
	b.ReportMetric(float64(disk)/1e6, "MB-disk")
}

// coldResult is what a newcomer in a process of its own reports.
type coldResult struct {
	shares         int
	took           time.Duration
	resident, disk int64 // bytes
}

// coldVariable in the environment makes the test binary a newcomer: the address of the
// other node, a folder, the tip to sync to and the time, in lines.
const coldVariable = "P2POOLD_COLD_SYNC"

func (j *joinNet) child(b *testing.B, addr string, tip chainhash.Hash) (r coldResult) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe, "-test.run=^TestColdSyncChild$")
	cmd.Env = append(os.Environ(), coldVariable+"="+fmt.Sprintf("%s\n%s\n%v\n%d", addr, b.TempDir(), tip, j.now.Load()))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatalf("newcomer: %v: %s", err, out.String())
	}
	if _, err := fmt.Sscan(out.String(), &r.shares, (*int64)(&r.took), &r.resident, &r.disk); err != nil {
		b.Fatalf("newcomer: %q: %v", out.String(), err)
	}
	return r
}

// TestColdSyncChild is the newcomer of BenchmarkColdSync.
func TestColdSyncChild(t *testing.T) {
	lines := strings.Split(os.Getenv(coldVariable), "\n")
	if len(lines) != 4 {
		return // the test runs by itself
	}
	net := newJoinNet(t, 1)
	now, err := strconv.ParseInt(lines[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	tip, err := chainhash.NewHashFromStr(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	net.now.Store(now)
	n := net.start(lines[1], lines[0])
	took := n.sync(*tip)
	if _, err := n.chain.Payouts(*tip, net.params.Bitcoin.PowLimitBits, 1e8, share.Class144); err != nil {
		t.Fatal(err)
	}
	shares := n.store.Len()
	n.stop()
	fmt.Println(shares, took.Nanoseconds(), peakResident(t, os.Getpid()), diskUsed(t, lines[1]))
	os.Exit(0) // without the test's own output
}

// peakResident returns the most memory that a process ever had resident, in bytes,
// and 0 where the system does not tell.
func peakResident(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func diskUsed(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
