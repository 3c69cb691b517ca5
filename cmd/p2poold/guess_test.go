package main

import (
	"errors"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// guessing is a node that works on a block which its Bitcoin node hasn't validated.
type guessing struct {
	*testing.T
	*node
	p    *program
	fake *bitcoindtest.Fake
}

// job returns one on the given block as soon as there is work on it.
func (g *guessing) job(on shareID) *mining.Job {
	g.Helper()
	awaitInfo(g.T, g.p, "work", func(*rpcserver.Info) bool {
		w := g.generator.Work()
		return w != nil && w.PrevBlock() == on
	})
	job, err := g.generator.Work().Job(payTo(g.T, g.node), share.Class12)
	if err != nil {
		g.Fatal(err)
	}
	return job
}

// submit solves a job, not as a Bitcoin block, and returns the share, and whether it is
// undecided. Each worker finds another share.
func (g *guessing) submit(job *mining.Job, worker byte) (id shareID, waits bool) {
	g.Helper()
	s := mining.Solution{Version: job.Version, Time: job.Time, Worker: "test"}
	s.Extranonce[0] = worker
	header := job.Header(s.Extranonce, s.Version, s.Time, 0)
	for hash := header.BlockHash(); !target.HashMeets(&hash, &job.ShareTarget) || target.HashMeets(&hash, &job.BlockTarget); hash = header.BlockHash() {
		header.Nonce++
	}
	s.Nonce = header.Nonce
	out, err := g.generator.Submit(g.Context(), job, s)
	_, waits = errors.AsType[*blockchain.UndecidedError](err)
	if err != nil && !waits {
		g.Fatal(err)
	}
	return out.Hash, waits
}

// TestGuess: shares on a block that the Bitcoin node hasn't validated wait for that. If
// it is invalid they are dropped, and work goes on at once.
func TestGuess(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, n := startNode(t, t.TempDir(), fake)
	awaitInfo(t, p, "the node works", healthy)
	g := &guessing{t, n, p, fake}
	root, height := fake.Tip()
	was := n.templates.latest()

	header := fake.Header(root)
	header.PrevBlock, header.Bits, header.Timestamp = root, was.Bits, header.Timestamp.Add(600e9)
	bitcoindtest.Solve(&header)
	bad := header.BlockHash()
	n.templates.putTip(bitcoind.Tip{Hash: bad, Header: header, Height: uint32(height + 1), Guessed: true})
	late := g.job(bad)
	if _, waits := g.submit(late, 1); !waits {
		t.Error("a share on a block that may be invalid was accepted")
	}
	again := *was
	n.templates.put(&again)
	job := g.job(root)
	if _, waits := g.submit(late, 2); !waits {
		t.Error("a late share on an invalid block was accepted")
	}
	id, waits := g.submit(job, 3)
	if tip := n.chain.Tip().ID; waits || tip != id {
		t.Errorf("tip %v, want the share %v", tip, id)
	}

	// The same with a block that is valid: its share is the next on the chain.
	good := fake.Mine(1)
	g.job(good)
	next := *n.templates.latest()
	fake.Back(root)
	g.job(root)
	n.templates.putTip(bitcoind.Tip{Hash: good, Header: fake.Header(good), Height: uint32(height + 1), Guessed: true})
	id, waits = g.submit(g.job(good), 4)
	if !waits {
		t.Error("a share on a block that may be invalid was accepted")
	}
	n.templates.put(&next)
	awaitInfo(t, p, "the share", func(info *rpcserver.Info) bool { return info.Tip == id.String() })
	if _, waits := g.submit(g.job(good), 5); waits {
		t.Error("a share waits for a block that is there")
	}
	p.stop(t)
}
