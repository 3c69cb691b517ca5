package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/bench"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/poolserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/stratum"
)

// oneJob is a stratum.Source with one work for ever.
type oneJob struct {
	job       mining.Job
	solutions chan mining.Solution
}

func (o *oneJob) Work() stratum.Work                        { return o }
func (o *oneJob) Reason() string                            { return "" }
func (o *oneJob) Watch(ctx context.Context, changed func()) { <-ctx.Done() }

func (o *oneJob) PrevBlock() chainhash.Hash { return o.job.PrevBlock }

func (o *oneJob) Tip() *blockchain.Tip { return new(blockchain.Tip) }

func (o *oneJob) Job([]byte, share.Class) (*mining.Job, error) {
	job := o.job
	return &job, nil
}

func (o *oneJob) Submit(ctx context.Context, job *mining.Job, s mining.Solution) (mining.Outcome, error) {
	header := job.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
	hash := header.BlockHash()
	if !target.HashMeets(&hash, &job.ShareTarget) {
		return mining.Outcome{}, errors.New("not a share")
	}
	select {
	case o.solutions <- s:
	case <-ctx.Done():
	}
	return mining.Outcome{Hash: hash, Share: true}, nil
}

// The miner and the node's own server understand one another: over real TCP,
// at difficulties as small as those of a young regtest chain.
func TestAgainstTheRealServer(t *testing.T) {
	now := uint32(time.Now().Unix())
	source := &oneJob{solutions: make(chan mining.Solution), job: mining.Job{
		PrevBlock: chainhash.Hash{1, 2, 3}, Version: 0x20000000, Bits: 0x207fffff,
		Time: now, MinTime: now - 600, MaxTime: now + 7000,
		Head: bytes.Repeat([]byte{1}, 90), Coinb2: bytes.Repeat([]byte{2}, 50_000),
		Branch:      make([]chainhash.Hash, 12),
		ShareTarget: target.FromDifficulty(1e-7), BlockTarget: target.FromDifficulty(1e-5),
	}}
	server, err := stratum.New(stratum.Config{
		Listen: []string{"127.0.0.1:0"}, Source: source, Params: &chaincfg.RegressionNetParams,
		Payees: append(stratum.FixedPayee{0, 20}, make([]byte, 20)...),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served, mined := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Run(ctx) }()

	const user = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.test"
	var out bytes.Buffer
	cfg := &settings{addr: server.Addrs()[0].String(), user: user, pass: "x", threads: 2}
	minerCtx, stopMiner := context.WithCancel(t.Context())
	defer stopMiner()
	go func() { mined <- mine(minerCtx, cfg, newPrinter(&out, &out)) }()

	versions := make(map[int32]bool)
	for range 50 {
		select {
		case s := <-source.solutions:
			if s.Worker != user {
				t.Fatalf("solution %+v", s)
			}
			versions[s.Version] = true
		case err := <-mined:
			t.Fatalf("miner ended: %v\n%s", err, out.String())
		case <-time.After(30 * time.Second):
			t.Fatal("no share in 30 s")
		}
	}
	stopMiner()
	go func() {
		for range source.solutions { // what was still under way
		}
	}()
	if err := <-mined; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	close(source.solutions)
	if printed := out.String(); !strings.Contains(printed, "rejected 0") {
		t.Errorf("printed:\n%s", printed)
	}
	if info := server.Workers()[0]; info.Name != user || info.Class != share.Class1152 ||
		info.Shares < 50 || info.Duplicate+info.LowDifficulty+info.Invalid != 0 {
		t.Errorf("statistics %+v", info)
	}
	if len(versions) < 2 {
		t.Error("version bits were not rolled")
	}
}

// The load generator's flags and output, as JSON.
func TestBench(t *testing.T) {
	now := uint32(time.Now().Unix())
	source := &oneJob{job: mining.Job{
		Version: 0x20000000, Bits: 0x207fffff, Time: now, MinTime: now - 600, MaxTime: now + 7000,
		Head: make([]byte, 90), Coinb2: make([]byte, 4), ShareTarget: target.FromDifficulty(1), BlockTarget: target.FromDifficulty(1),
	}}
	_, addr := poolserver.Serve(t, stratum.Config{Source: source, MinDifficulty: 1e-9})

	var out, errOut bytes.Buffer
	code := run([]string{"--bench", "--url=stratum+tcp://" + addr, "--connections=20",
		"--rate=200", "--duration=100ms", "--prepare=0s", "--json", "--threads=1"}, &out, &errOut)
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out.String(), errOut.String())
	}
	// At this rate there are 20, or fewer if the machine is busy.
	if n := report.Submits.Accepted; report.Logins.Succeeded != 20 || n == 0 || n > 20 {
		t.Errorf("%+v", report)
	}
	if !strings.Contains(errOut.String(), "load test of 127.0.0.1") {
		t.Errorf("progress %q", errOut.String())
	}
}
