package main

import (
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/mergedtest"
)

// auxJob waits for a job that commits to something of other chains, and not to the
// same as an old one.
func auxJob(t *testing.T, n *node, old *mining.Job) *mining.Job {
	t.Helper()
	changed, cancel := n.generator.Subscribe()
	defer cancel()
	payee, err := payeeScript(regP2WPKH, n.cfg.params)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if w := n.generator.Work(); w != nil {
			j, err := w.Job(payee, share.Class12)
			if err != nil {
				t.Fatal(err)
			}
			if !j.AuxTarget.IsZero() && (old == nil || j.AuxTarget != old.AuxTarget) {
				return j
			}
		}
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("no job that commits to another chain")
		}
	}
}

// TestMergedMining is a whole node with the nodes of two other chains, one of which
// comes later.
func TestMergedMining(t *testing.T) {
	withHome(t)
	noLeaks(t)
	aux, late := mergedtest.NewNode(t, 1, 0x207ffffe), mergedtest.NewNode(t, 20, 0x207fffff)
	late.SetFaults(mergedtest.Faults{Status: 503})
	p, n := startNode(t, t.TempDir(), newFake(t), "--tag=abcd", "--mergedmining="+aux.URL(), "--mergedmining="+late.URL())
	awaitInfo(t, p, "the node works", healthy)
	j := auxJob(t, n, nil)
	chains := call[[]rpcserver.MergedChain](t, p, "getmergedmining")
	if len(chains) != 2 || !chains[0].Healthy || chains[0].ChainID != 1 || chains[0].Address != mergedtest.Address || chains[0].Hash == "" ||
		chains[1].Healthy || chains[1].ChainID != -1 || !strings.Contains(chains[1].Error, "503") {
		t.Errorf("%+v", chains)
	}
	late.SetFaults(mergedtest.Faults{})
	j = auxJob(t, n, j) // the second chain's target is easier
	out, err := n.generator.Submit(t.Context(), j, solve(t, j, &j.BlockTarget))
	if err != nil || !out.Block || !out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	for deadline := time.Now().Add(patience); len(aux.Accepted()) == 0 || len(late.Accepted()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("refused: %q, %q", aux.Refused(), late.Refused())
		}
	}
	if data := call[rpcserver.Share](t, p, "gettip").Data; len(data.MergedMining) != 2*share.MergedMiningSize {
		t.Errorf("share data %+v", data)
	}
	p.stop(t)
	log := p.stdout.String()
	for _, words := range []string{"of chain 1 at height", "of chain 20 at height", "Stock Antminers", "no block from http://127.0.0.1:"} {
		if !strings.Contains(log, words) {
			t.Errorf("the log lacks %q:\n%s", words, log)
		}
	}
	if strings.Contains(log, mergedtest.Pass) {
		t.Errorf("the log has the password:\n%s", log)
	}
}

// TestNoMergedMining: without the option there is nothing of it.
func TestNoMergedMining(t *testing.T) {
	withHome(t)
	p, _ := startNode(t, t.TempDir(), newFake(t), "--tag=sixteen letters!")
	if chains := call[[]rpcserver.MergedChain](t, p, "getmergedmining"); len(chains) != 0 {
		t.Errorf("%+v", chains)
	}
	p.stop(t)
}
