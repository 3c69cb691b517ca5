package solutions

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// fixture is a Journal on a fake node.
type fixture struct {
	*testing.T
	*Journal
	dir  string
	fake *bitcoindtest.Fake // the node
	away *bitcoindtest.Fake // where blocks come from that the node doesn't have
	node *bitcoind.Client

	mu  sync.Mutex
	now time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, dir: filepath.Join(t.TempDir(), "blocks-found"), now: time.Unix(1_700_000_000, 0)}
	f.fake = bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.away = bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.node = f.client(f.fake)
	f.open()
	t.Cleanup(func() { f.writers.Wait() })
	return f
}

func (f *fixture) client(fake *bitcoindtest.Fake) *bitcoind.Client {
	f.Helper()
	client, err := bitcoind.New(bitcoind.Config{URL: fake.URL(), Params: &chaincfg.RegressionNetParams})
	if err != nil {
		f.Fatal(err)
	}
	return client
}

// open opens the Journal, again after a restart of the program.
func (f *fixture) open() {
	f.Journal = Open(Config{Dir: f.dir, Node: f.node, Now: f.clock})
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// payee is that of all shares here.
var payee = append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...)

// solve makes a block that only the other node has.
func (f *fixture) solve(own bool) *mining.SolvedBlock {
	f.Helper()
	hash := f.away.Mine(1)
	block, err := f.client(f.away).Block(f.Context(), hash)
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	if err := block.Serialize(&buf); err != nil {
		f.Fatal(err)
	}
	_, height := f.away.Tip()
	return &mining.SolvedBlock{
		Share: &share.Share{
			Header: block.Header, Link: share.NewLink(make([]byte, share.MinCoinbasePrefix)),
			Data: share.Data{
				Version: share.Version, BitcoinHeight: uint32(height), Height: 77, Time: 1_600_000_000, Payee: payee, CoinbaseValue: 5e9,
			},
		},
		Raw: mining.RawBlock{buf.Bytes()}, Worker: "rig", Own: own,
	}
}

// submit does what mining does.
func (f *fixture) submit(b *mining.SolvedBlock) {
	f.Helper()
	f.Keep(b)
	f.Submitted(b.Share.ID(), f.node.SubmitBlock(f.Context(), b.Raw, nil))
}

// check runs a round and compares the newest block with what is wanted.
func (f *fixture) check(status Status, confirmations int64, final bool) Record {
	f.Helper()
	f.pass(2 * lookGap)
	f.Refresh(f.Context())
	f.writers.Wait()
	list := f.List(1)
	if len(list) != 1 {
		f.Fatal("no block")
	}
	if r := list[0]; r.Status != status || r.Confirmations != confirmations || r.Final != final {
		f.Errorf("%s with %d confirmations, final %v; want %s, %d, %v", r.Status, r.Confirmations, r.Final, status, confirmations, final)
	}
	return list[0]
}

// files returns the names in the directory, and how many are blocks.
func (f *fixture) files() (names []string, blocks int) {
	f.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
		if strings.HasSuffix(e.Name(), blockSuffix) {
			blocks++
		}
	}
	return names, blocks
}

// wantFiles checks how many blocks are on disk.
func (f *fixture) wantFiles(want int) {
	f.Helper()
	if names, blocks := f.files(); blocks != want {
		f.Errorf("%d blocks on disk, want %d: %v", blocks, want, names)
	}
}
