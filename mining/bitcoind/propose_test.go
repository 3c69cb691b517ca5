package bitcoind

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestRealProposal: a real node judges blocks without proof of work.
func TestRealProposal(t *testing.T) {
	ctx := t.Context()
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	c := realClient(t, n)
	if _, err := n.Generate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	tmpl, err := c.fetchTemplate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	unsolved := func(tmpl *mining.Template) []byte {
		block := solve(t, tmpl, anyone)
		for hash := block.BlockHash(); hash[31] < 0x80; hash = block.BlockHash() {
			block.Header.Nonce++ // no solution even on regtest
		}
		return serialize(t, block)
	}
	if err := c.ProposeBlock(ctx, unsolved(tmpl)); err != nil {
		t.Errorf("a good block: %v", err)
	}
	greedy := *tmpl
	greedy.CoinbaseValue++
	if err := c.ProposeBlock(ctx, unsolved(&greedy)); !errors.Is(err, mining.ErrBlockRefused) {
		t.Errorf("a block that pays too much: %v", err)
	}
	if err := c.ProposeBlock(ctx, []byte{1, 2, 3}); !errors.Is(err, mining.ErrBlockRefused) {
		t.Errorf("no block: %v", err)
	}
	if _, err := n.Generate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.ProposeBlock(ctx, unsolved(tmpl)); err == nil || errors.Is(err, mining.ErrBlockRefused) {
		t.Errorf("a block on an older one: %v", err)
	}
}

func TestProposalResult(t *testing.T) {
	for reply, want := range map[string]string{
		`null`: "valid", `"bad-txnmrklroot"`: "refused", `"rejected: bad-cb-amount"`: "refused",
		`"inconclusive-not-best-prevblk"`: "undecided", `"duplicate"`: "undecided", `"bad-prevblk"`: "undecided",
		`"rejected: already have block 00"`: "undecided", `{}`: "undecided", `7`: "undecided",
	} {
		err := proposalResult(json.RawMessage(reply))
		got := "undecided"
		switch {
		case err == nil:
			got = "valid"
		case errors.Is(err, mining.ErrBlockRefused):
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %v", reply, err)
		}
	}
}
