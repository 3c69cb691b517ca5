package chainman

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// The promises for a full retention: shares of class 144 with 12 branches, every
// tenth with an uncle, from 10,000 payees.
const (
	retentionPayees = 10_000
	maxResident     = 200 << 20 // bytes
	maxDisk         = 120e6     // bytes
)

// retention writes a full retention and a little more into a file, each share
// behind its length, and returns the file's name and the tip.
func retention(t testing.TB) (name string, tip chainhash.Hash) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "shares")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	m := newBulkMiner(t, retentionPayees)
	for range m.params.RetentionShares + 1_000 {
		for _, s := range m.next() {
			raw := s.Encode()
			w.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(raw))))
			w.Write(raw)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name, m.chain.Tip().ID
}

// TestFullRetention: a node takes in a full retention of shares and restarts with
// it, in a process of its own, within the promised memory and disk.
func TestFullRetention(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes ten times the memory and time; TestRestart has the same steps")
	}
	shares, tip := retention(t)
	dir := t.TempDir()
	for _, step := range []string{"sync", "restart"} {
		r := inProcess(t, step, shares, dir)
		t.Logf("%s: %d shares, %.1f s, %.0f MB resident at most, %.0f MB on disk",
			step, r.shares, r.took.Seconds(), float64(r.resident)/1e6, float64(r.disk)/1e6)
		if r.tip != tip.String() || r.shares < 138_240 {
			t.Errorf("%s: %d shares, tip %s, want %s", step, r.shares, r.tip, tip)
		}
		if r.disk > maxDisk {
			t.Errorf("%s: %d bytes on disk, %d are promised", step, r.disk, int64(maxDisk))
		}
		if r.resident > maxResident {
			t.Errorf("%s: %d bytes resident, %d are promised", step, r.resident, int64(maxResident))
		}
	}
}

// result is what a process reports of itself.
type result struct {
	tip            string
	shares         int
	took           time.Duration
	resident, disk int64 // bytes
}

// stepVariable in the environment makes the test binary take a step of
// TestFullRetention: the step, the file of shares and the folder.
const stepVariable = "CHAINMAN_STEP"

func inProcess(t testing.TB, step, shares, dir string) (r result) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestStep$")
	cmd.Env = append(os.Environ(), stepVariable+"="+strings.Join([]string{step, shares, dir}, "\n"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", step, err, out.String())
	}
	if _, err := fmt.Sscan(out.String(), &r.tip, &r.shares, (*int64)(&r.took), &r.resident, &r.disk); err != nil {
		t.Fatalf("%s: %q: %v", step, out.String(), err)
	}
	return r
}

// TestStep is a step of TestFullRetention in a process of its own.
func TestStep(t *testing.T) {
	step, rest, ok := strings.Cut(os.Getenv(stepVariable), "\n")
	if !ok {
		return // the test runs by itself
	}
	shares, dir, _ := strings.Cut(rest, "\n")
	// Until here the runtime has used next to nothing, and the miner is not built.
	m := newBulkMiner(t, retentionPayees)
	start := time.Now()
	store := openStore(t, dir, m.params)
	manager := New(Config{Params: m.params, Store: store, Bitcoin: m, Now: func() time.Time { return m.now }})
	if err := manager.Load(t.Context(), m.header.BlockHash()); err != nil {
		t.Fatal(err)
	}
	if step == "sync" {
		feed(t, manager, shares)
	} else if _, err := manager.Payouts(manager.Tip().ID, m.params.Bitcoin.PowLimitBits, 1e8, share.Class144); err != nil {
		t.Fatal(err) // a restart is not over before there are jobs
	}
	took := time.Since(start)
	n, tip := manager.Stats().Main, manager.Tip().ID
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Println(tip, n, took.Nanoseconds(), peakResident(t), folderSize(t, dir))
	runtime.KeepAlive(manager)
	os.Exit(0) // without the test's own output
}

// feedBatch is how many shares arrive together, as from a peer.
const feedBatch = 64

// feed has the Manager accept a file of shares and returns their number.
func feed(t testing.TB, m *Manager, name string) (n int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var batch []*share.Share
	flush := func() {
		for i, err := range m.AcceptAll(batch, chainhash.Hash{}) {
			if err != nil {
				t.Fatalf("share at height %d: %v", batch[i].Data.Height, err)
			}
		}
		batch = batch[:0]
	}
	eachShare(t, f, func(raw []byte) {
		s, err := share.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if batch = append(batch, s); len(batch) == feedBatch {
			flush()
		}
	})
	flush()
	return n
}

// peakResident returns the most memory that the process ever had resident, in
// bytes; of the heap where the system does not tell.
func peakResident(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.Sys)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

func folderSize(t testing.TB, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
