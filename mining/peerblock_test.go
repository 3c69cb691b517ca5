package mining

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// found makes a Generator remember what it found.
func (f *fixture) found() *[]*Found {
	list := new([]*Found)
	f.cfg.Found = func(found *Found) { *list = append(*list, found) }
	return list
}

// TestPeerBlock: what another node is told of a block is enough to make the very
// same one.
func TestPeerBlock(t *testing.T) {
	f := newFixture(t)
	found := f.found()
	j, s := f.blockSolution()
	if _, err := f.Submit(t.Context(), j, s); err != nil {
		t.Fatal(err)
	}
	if len(*found) != 1 || !(*found)[0].Block {
		t.Fatalf("told of %v", *found)
	}
	told := (*found)[0]
	other := newFixture(t)
	if err := other.CheckBlock(told.Share); !errors.Is(err, errNoTemplate) {
		t.Errorf("without a template: %v", err)
	}
	other.SetTemplate(other.template(0))
	if err := other.CheckBlock(told.Share); err != nil {
		t.Error(err)
	}
	other.SubmitPeerBlock(told.Share, told.Coinbase, told.Template.rawTxs())
	other.Wait()
	f.Wait()
	mine, theirs := f.node.submitted(), other.node.submitted()
	if len(mine) != 1 || len(theirs) != 1 || !bytes.Equal(mine[0], theirs[0]) {
		t.Error("another block was submitted")
	}
	checkBlock(t, f.Generator, theirs[0], int32(j.BitcoinHeight))
}

// TestFoundShare: shares that are no blocks are told of as well, before the chain
// has them, and blocks that are no shares are not.
func TestFoundShare(t *testing.T) {
	f := newFixture(t)
	found := f.found()
	f.chain.accept = func(*share.Share) error {
		if len(*found) != 1 {
			t.Error("the chain was told first")
		}
		return nil
	}
	f.SetTemplate(f.template(1))
	j := f.job(payee(0), share.Class12)
	if _, err := f.Submit(t.Context(), j, solve(t, j, meets(&j.ShareTarget, &j.BlockTarget))); err != nil {
		t.Fatal(err)
	}
	if len(*found) != 1 || (*found)[0].Block || (*found)[0].Template != j.template {
		t.Errorf("told of %v", *found)
	}
}

// TestNoBlock: what can't be a Bitcoin block is refused, and what may be one is not.
func TestNoBlock(t *testing.T) {
	f := newFixture(t)
	f.SetTemplate(f.template(1))
	j := f.job(payee(0), share.Class12)
	sh := j.share(solve(t, j, meets(&j.ShareTarget, &j.BlockTarget)))
	refused := func(name string, f *fixture, sh *share.Share) {
		t.Helper()
		rule, ok := errors.AsType[share.RuleError](f.CheckBlock(sh))
		if !ok || rule.Kind != ErrNoBlock {
			t.Errorf("%s: %v", name, f.CheckBlock(sh))
		}
	}
	refused("a mere share", f, sh)
	bad := *sh
	bad.Header.Bits = 0
	refused("no target", f, &bad)
	bad = *sh
	bad.Data.Bits = 0
	refused("no share target", f, &bad)

	// Where Bitcoin's difficulty counts: a quarter of ours may be one, less may not.
	hard := newFixture(t, func(p *chainparams.Params) {
		p.BlockEvery = 1
		net := *p.Bitcoin
		net.ReduceMinDifficulty = false
		p.Bitcoin = &net
	})
	tmpl := hard.template(1)
	tmpl.Bits = 0x1f00ffff
	hard.SetTemplate(tmpl)
	easy := *sh
	easy.Header.Bits = 0x1f040000
	refused("four times easier and more", hard, &easy)
	easy.Header.Bits = 0x1f03fffc
	for hash := easy.ID(); hash[31] != 0 || hash[30] > 1; hash = easy.ID() {
		easy.Header.Nonce++
	}
	if err := hard.CheckBlock(&easy); err != nil {
		t.Errorf("four times easier: %v", err)
	}
}

// TestRefusedPeerBlock: a block that the node refuses is no error of ours.
func TestRefusedPeerBlock(t *testing.T) {
	f := newFixture(t)
	f.node.submit = func(context.Context) error { return errors.New("prev-blk-not-found") }
	j, s := f.blockSolution()
	f.SubmitPeerBlock(j.share(s), j.coinbase(s.Extranonce), nil)
	f.Wait()
	if len(f.node.submitted()) != 1 {
		t.Error("not submitted")
	}
}
