package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
	"github.com/p2poold/p2poold/mining/solutions"
)

// payTo returns the output script that the tests' jobs pay.
func payTo(t *testing.T, n *node) []byte {
	t.Helper()
	script, err := payeeScript(regP2WPKH, n.cfg.params)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// TestFoundBlocks follows a block through everything that can become of it.
func TestFoundBlocks(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	dir := t.TempDir()
	p, n := startNode(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	if rows := call[[]rpcserver.FoundBlock](t, p, "getblocksfound"); len(rows) != 0 {
		t.Errorf("found %+v", rows)
	}
	parent := n.generator.Template().PrevBlock
	job, err := n.generator.Work().Job(payTo(t, n), share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	block, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget))
	if err != nil || !block.Block || !block.Share {
		t.Fatalf("%+v, %v", block, err)
	}
	check := func(status string, confirmations int64) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for {
			rows := call[[]rpcserver.FoundBlock](t, p, "getblocksfound", 5)
			if len(rows) == 1 && rows[0].Status == status && rows[0].Confirmations == confirmations {
				if b := rows[0]; b.Hash != block.Hash.String() || b.Height != 4 || b.Address != regP2WPKH || b.Value <= 0 ||
					!b.Own || b.Worker != "test" || b.Changed == 0 {
					t.Errorf("%+v", b)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("want %s with %d confirmations, got %+v", status, confirmations, rows)
			}
			time.Sleep(time.Millisecond)
		}
	}
	check(rpcserver.BlockAccepted, 1)
	fake.MineOn(fake.MineOn(parent)) // a longer branch beside it
	check(rpcserver.BlockOrphaned, -1)
	fake.MarkInvalid(block.Hash)
	check(rpcserver.BlockRejected, -1)
	tip := block.Hash
	for range 99 { // its own branch is the longest again
		tip = fake.MineOn(tip)
	}
	check(rpcserver.BlockAccepted, 100)
	fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"getblockheader": btcjson.NewRPCError(btcjson.ErrRPCBlockNotFound, "Block not found")}})
	check(rpcserver.BlockPending, 0)
	fake.SetFaults(bitcoindtest.Faults{})
	check(rpcserver.BlockAccepted, 100)
	fake.Down()
	check(rpcserver.BlockAccepted, 100) // as far as is known
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	fake.MineOn(tip)
	check(rpcserver.BlockMatured, 101)
	p.stop(t)

	// It isn't forgotten with the share, nor by a new start.
	if err := os.RemoveAll(n.cfg.databaseDir()); err != nil {
		t.Fatal(err)
	}
	p, _ = startNode(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	check(rpcserver.BlockMatured, 101)
	p.stop(t)
}

// knowing is the argument for a Bitcoin node that has changed its password, as loseBlock makes
// it do.
func knowing(fake *bitcoindtest.Fake) string {
	return "--bitcoind=http://" + bitcoindtest.FakeUser + ":another@" + fake.Addr()
}

// loseBlock has a program find a block after its Bitcoin node has changed its password, and
// returns a data directory such as a crash at that moment would leave.
func loseBlock(t *testing.T, fake *bitcoindtest.Fake) (p *program, block mining.Outcome, dir string) {
	t.Helper()
	p, n := startNode(t, t.TempDir(), fake)
	awaitInfo(t, p, "the node works", healthy)
	job, err := n.generator.Work().Job(payTo(t, n), share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	fake.SetFaults(bitcoindtest.Faults{Pass: "another"})
	block, err = n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget))
	if err != nil || !block.Block {
		t.Fatalf("%+v, %v", block, err)
	}
	dir = t.TempDir()
	found := filepath.Join(dir, n.cfg.params.DataDirName(), "blocks-found")
	if err := os.CopyFS(found, os.DirFS(n.cfg.foundDir())); err != nil {
		t.Fatal(err)
	}
	return p, block, dir
}

// TestFailedStartTellsPeers: a block that the Bitcoin node never got from the run that found
// it reaches peers, who submit it, though the next start fails for the node's sake.
func TestFailedStartTellsPeers(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, block, dir := loseBlock(t, fake)

	peer, other := startNode(t, t.TempDir(), fake, knowing(fake))
	awaitInfo(t, peer, "the peer works", healthy)
	again := start(t, dir, fake, "--addnode="+other.peers.Addr().String())
	again.await(t, `The start has failed; for \S+ peers can still get found blocks`)
	awaitInfo(t, peer, "the peer submits the block", func(*rpcserver.Info) bool {
		tip, _ := fake.Tip()
		return tip == block.Hash
	})
	again.stop(t)
	peer.stop(t)
	fake.SetFaults(bitcoindtest.Faults{})
	p.stop(t)
}

// TestRestartSubmitsBlock: a block that the Bitcoin node never got from the run that
// found it is submitted by the next one, which has also the share that it is.
func TestRestartSubmitsBlock(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, block, dir := loseBlock(t, fake)
	again, _ := startNode(t, dir, fake, knowing(fake))
	awaitInfo(t, again, "the node works", healthy)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		rows := call[[]rpcserver.FoundBlock](t, again, "getblocksfound")
		if len(rows) == 1 && rows[0].Hash == block.Hash.String() && rows[0].Status == rpcserver.BlockAccepted {
			if !rows[0].Own || rows[0].Worker != "test" {
				t.Errorf("%+v", rows[0])
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", rows)
		}
	}
	if tip, _ := fake.Tip(); tip != block.Hash {
		t.Errorf("tip %v", tip)
	}
	awaitInfo(t, again, "the share", func(info *rpcserver.Info) bool { return info.Tip == block.Hash.String() })
	again.stop(t)
	fake.SetFaults(bitcoindtest.Faults{})
	p.stop(t)
}

// TestUnwritableBlocks: health tells of a directory that can't be written, and a block
// is submitted all the same.
func TestUnwritableBlocks(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	dir := t.TempDir()
	cfg := mustLoad(t, arguments(dir, fake)...)
	if err := os.MkdirAll(cfg.netDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.foundDir(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, n := startNode(t, dir, fake)
	awaitInfo(t, p, "work", func(*rpcserver.Info) bool { return n.generator.Work() != nil })
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		info := awaitInfo(t, p, "an answer", func(*rpcserver.Info) bool { return true })
		if !info.Healthy && strings.Contains(strings.Join(info.Health, "\n"), "found blocks can't be saved") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("health %q", info.Health)
		}
	}
	job, err := n.generator.Work().Job(payTo(t, n), share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	block, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget))
	if err != nil || !block.Block {
		t.Fatalf("%+v, %v", block, err)
	}
	if tip, _ := fake.Tip(); tip != block.Hash {
		t.Errorf("tip %v", tip)
	}
	p.stop(t)
}

// TestBitcoinReorg: two blocks are replaced by three. The shares stay, and jobs move to
// the new branch.
func TestBitcoinReorg(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, n := startNode(t, t.TempDir(), fake)
	awaitInfo(t, p, "the node works", healthy)
	root, _ := fake.Tip()
	on := func(what string) {
		t.Helper()
		tip, _ := fake.Tip()
		awaitInfo(t, p, what, func(*rpcserver.Info) bool {
			w := n.generator.Work()
			return w != nil && !w.Template().Empty && w.Template().PrevBlock == tip
		})
		job, err := n.generator.Work().Job(payTo(t, n), share.Class12)
		if err != nil {
			t.Fatal(err)
		}
		if job.PrevBlock != tip {
			t.Errorf("%s: job on %v, want %v", what, job.PrevBlock, tip)
		}
		before := n.chain.Tip()
		out, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.ShareTarget))
		if err != nil || !out.Share {
			t.Fatalf("%s: %+v, %v", what, out, err)
		}
		if after := n.chain.Tip(); after.Height != before.Height+1 && !before.Empty {
			t.Errorf("%s: the chain went from height %d to %d", what, before.Height, after.Height)
		}
	}
	on("work at the start")
	fake.MineOn(fake.MineOn(root))
	on("two blocks")
	fake.MineOn(fake.MineOn(fake.MineOn(root)))
	on("three others")
	// Back to the old tip, which the sharechain must not follow; then on from there.
	fake.Back(root)
	awaitInfo(t, p, "no work", func(info *rpcserver.Info) bool {
		return strings.Contains(strings.Join(info.Health, "\n"), "the Bitcoin node is behind")
	})
	tip := root
	for range 4 {
		tip = fake.MineOn(tip)
	}
	on("four others")
	p.stop(t)
}

// leaveBlock makes blocks-found hold a block that the Bitcoin node lacks, as a crash
// leaves it.
func leaveBlock(t *testing.T, cfg *config) chainhash.Hash {
	t.Helper()
	away := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	hash := away.Mine(1)
	client, err := bitcoind.New(bitcoind.Config{URL: away.URL(), Params: &chaincfg.RegressionNetParams})
	if err != nil {
		t.Fatal(err)
	}
	block, err := client.Block(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	found := solutions.Open(solutions.Config{Dir: cfg.foundDir(), Node: client})
	defer found.Close()
	found.Keep(&mining.SolvedBlock{
		Share: &share.Share{
			Header: block.Header, Link: share.NewLink(make([]byte, share.MinCoinbasePrefix)), Data: share.Data{BitcoinHeight: 1},
		},
		Raw: mining.RawBlock{raw.Bytes()}, Worker: "test", Own: true,
	})
	return hash
}

// TestFailingStartSubmitsBlock: a start that fails submits what the last run left all the
// same, and names what no node takes.
func TestFailingStartSubmitsBlock(t *testing.T) {
	withHome(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, name := range []string{"database", "port", "refused"} {
		t.Run(name, func(t *testing.T) {
			dir, fake := t.TempDir(), newFake(t)
			cfg := mustLoad(t, arguments(dir, fake)...)
			hash := leaveBlock(t, cfg)
			args := arguments(dir, fake)
			if name == "port" {
				args[slices.Index(args, "--rpclisten=127.0.0.1:0")] = "--rpclisten=" + taken.Addr().String()
			} else { // a file where the database's folder should be
				writeFile(t, cfg.databaseDir(), []byte("nonsense"))
			}
			if name == "refused" {
				fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
					"submitblock": btcjson.NewRPCError(btcjson.ErrRPCVerify, "prev-blk-not-found")}})
				runFails(t, exitRun, args, "not submitted yet", hash.String(), "height 1")
				return
			}
			if message := runFails(t, exitRun, args); strings.Contains(message, "not submitted") {
				t.Error(message)
			}
			if n := fake.Calls("submitblock"); n != 1 {
				t.Errorf("submitted %d times", n)
			}
		})
	}
}
