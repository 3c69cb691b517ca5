package harness_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/harness"
)

// reindex rebuilds a damaged database with a peer's help.
func (r *rotting) reindex(name string, damaged files, peer *harness.Node) {
	r.Helper()
	n, dir := r.newNode(name, "--reindex", "--addnode="+peer.P2P)
	path := databaseOf(dir, params(r.T))
	damaged.write(r.T, path)
	if ended := r.run(n); ended != nil {
		r.Fatalf("--reindex: %v:\n%s", ended, n.Process().Output())
	}
	salvaged := call[chainInfo](r.T, n, "getsharechaininfo").stored()
	var got chainInfo
	defer func() {
		if r.Failed() {
			r.Logf("%d salvaged, the node has %+v, wanted %+v", salvaged, got, r.want)
		}
	}()
	wait(r.T, "all shares", func() bool {
		got = call[chainInfo](r.T, n, "getsharechaininfo")
		return got.Tip == r.want.Tip && got.Shares == r.want.Shares && got.Uncles == r.want.Uncles
	})
	// Peers have no use for shares that nothing refers to.
	if got.Work != r.want.Work || got.SideShares > r.want.SideShares {
		r.Errorf("after --reindex %+v, before %+v", got, r.want)
	}
	if err := n.Stop(); err != nil {
		r.Error(err)
	}
	r.keptAside(path, damaged)
	if report := checkDatabase(r.T, dir); report.code != 0 || report.tip != r.want.Tip || report.shares != got.stored() {
		r.Errorf("--checkdb after --reindex ends with %d:\n%s", report.code, report.text)
	}
	r.Logf("--reindex kept %d of %d shares, the peer gave the others", salvaged, r.want.stored())
}

// keptAside checks that the damaged database is still there under another name, and
// that nothing was left half done.
func (r *rotting) keptAside(path string, damaged files) {
	r.Helper()
	beside, err := filepath.Glob(path + ".*")
	if err != nil {
		r.Fatal(err)
	}
	kept := false
	for _, other := range beside {
		if strings.HasPrefix(other, path+".left-") {
			continue // what was rebuilt gave way to the peer's chain
		}
		if !strings.HasPrefix(other, path+".bad-") {
			r.Errorf("%s was left behind", other)
			continue
		}
		kept = kept || damaged.equal(readFolder(r.T, other))
	}
	if !kept {
		r.Errorf("the damaged database was not kept, only %q", beside)
	}
}

// reindexHealthy: --reindex of a healthy database keeps every share, those beside the
// main chain too, without any peer.
func (r *rotting) reindexHealthy(t *testing.T) {
	r = r.in(t)
	n, dir := r.newNode("healthy", "--reindex")
	path := databaseOf(dir, params(t))
	r.healthy.write(t, path)
	if ended := r.run(n); ended != nil {
		t.Fatalf("--reindex: %v:\n%s", ended, n.Process().Output())
	}
	if got := call[chainInfo](t, n, "getsharechaininfo"); got != r.want {
		t.Errorf("after --reindex %+v, before %+v", got, r.want)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
	r.keptAside(path, r.healthy)
}

const (
	// interruptions is how often a rebuild is interrupted, alternately by kill -9 and
	// Ctrl-C, and longestRebuild the time until then, with the start of the process.
	interruptions  = 16
	longestRebuild = 60 * time.Millisecond
)

// interruptReindex ends p2poold --reindex at random moments, of which some lie in the
// rebuild. When it is repeated, no less is salvaged than by the first one, had it not
// been interrupted, and the damaged database is still there.
func (r *rotting) interruptReindex(t *testing.T) {
	r = r.in(t)
	rng := rand.New(rand.NewPCG(11, 12))
	damaged := maps.Clone(r.healthy)
	for name, content := range damaged {
		if strings.HasSuffix(name, ".log") {
			content = slices.Clone(content)
			content[len(content)/2] ^= 1
			damaged[name] = content
		}
	}
	salvaged := 0
	before, after := 0, 0 // interruptions before and after the change of folders
	for i := range interruptions {
		n, dir := r.newNode(fmt.Sprintf("interrupted%d", i), "--reindex")
		path := databaseOf(dir, params(t))
		damaged.write(t, path)
		if i > 0 { // the first is not interrupted
			r.interrupt(n, i%2 == 0, time.Duration(rng.Int64N(int64(longestRebuild))))
			if aside, err := filepath.Glob(path + ".bad-*"); err != nil || len(aside) == 0 {
				before++
				if there, err := os.Stat(path); err == nil && there.IsDir() && !damaged.equal(readFolder(t, path)) {
					t.Error("an interrupted rebuild has changed the database")
				}
			} else {
				after++
			}
		}
		if ended := r.run(n); ended != nil {
			t.Fatalf("--reindex: %v:\n%s", ended, n.Process().Output())
		}
		got := call[chainInfo](t, n, "getsharechaininfo").stored()
		if i == 0 {
			salvaged = got
		}
		if got != salvaged || got == 0 {
			t.Errorf("%d shares after interruption %d, %d without", got, i, salvaged)
		}
		n.Kill()
		r.keptAside(path, damaged)
	}
	t.Logf("%d times interrupted before the new database took its place, %d times after; %d of %d shares salvaged each time",
		before, after, salvaged, r.want.stored())
}

// interrupt starts a node and ends it after some time.
func (r *rotting) interrupt(n *harness.Node, kill bool, after time.Duration) {
	r.Helper()
	if err := n.Launch(); err != nil {
		r.Fatal(err)
	}
	select {
	case <-n.Process().Done():
		r.Fatalf("--reindex ended: %v:\n%s", n.Process().Err(), n.Process().Output())
	case <-time.After(after):
	}
	if kill {
		n.Kill()
	} else if err := n.Stop(); err != nil {
		r.Error(err)
	}
}
