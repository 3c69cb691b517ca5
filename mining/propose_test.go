package mining

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
)

// proposals is a node that judges blocks beforehand.
type proposals struct {
	fakeNode
	mu     sync.Mutex
	blocks [][]byte
	judge  func(txs int) error
}

func (n *proposals) ProposeBlock(_ context.Context, block []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blocks = append(n.blocks, block)
	return n.judge(int(block[80]) - 1) // fewer than 253 transactions
}

func newProposer(t *testing.T, judge func(txs int) error) (*fixture, *proposals) {
	f := newFixture(t)
	node := &proposals{judge: judge}
	f.cfg.Node = node
	return f, node
}

func refusal(text string) error { return fmt.Errorf("%w: %s", ErrBlockRefused, text) }

// TestProposal: each template is proposed once, as a block that btcd finds sane.
func TestProposal(t *testing.T) {
	f, node := newProposer(t, func(int) error { return nil })
	for i := range 3 {
		f.SetTemplate(f.template(5))
		f.ChainChanged() // more work on the same template
		f.Wait()
		if len(node.blocks) != i+1 {
			t.Fatalf("%d proposals of %d templates", len(node.blocks), i+1)
		}
	}
	if n := len(parseBlock(t, node.blocks[0]).Transactions()); n != 6 {
		t.Errorf("%d transactions", n)
	}
	empty := f.template(0)
	empty.Empty, empty.PrevBlock[0] = true, empty.PrevBlock[0]+1
	f.SetTemplate(empty)
	f.Wait()
	if len(node.blocks) != 3 {
		t.Error("a block was proposed on one that the node may not have")
	}
}

// TestRefusedTemplate: transactions that the node refuses are not mined.
func TestRefusedTemplate(t *testing.T) {
	f, _ := newProposer(t, func(txs int) error {
		if txs > 0 {
			return refusal("bad-txns")
		}
		return nil
	})
	bad := f.template(5)
	f.SetTemplate(bad)
	f.Wait()
	w := f.Work()
	if w == nil || len(w.template.Txs) != 0 || w.template.CoinbaseValue != bad.Subsidy() {
		t.Fatalf("work %+v, %s", w, f.Reason())
	}
	f.job(payee(0), share.Class12)
}

// TestRefusedCoinbase: if the fault is with us there is no work, until another
// template comes that the node takes.
func TestRefusedCoinbase(t *testing.T) {
	verdict := refusal("bad-cb-length")
	f, _ := newProposer(t, func(int) error { return verdict })
	f.SetTemplate(f.template(5))
	f.Wait()
	if f.Work() != nil || !strings.Contains(f.Reason(), "bad-cb-length") {
		t.Errorf("work %v, %q", f.Work(), f.Reason())
	}
	verdict = nil
	f.SetTemplate(f.template(5))
	f.Wait()
	if f.Work() == nil {
		t.Errorf("no work: %s", f.Reason())
	}
}

// TestUndecidedProposal: a node that cannot tell stops nothing.
func TestUndecidedProposal(t *testing.T) {
	f, _ := newProposer(t, func(int) error { return errors.New("inconclusive-not-best-prevblk") })
	tmpl := f.template(5)
	f.SetTemplate(tmpl)
	f.Wait()
	if w := f.Work(); w == nil || w.template != tmpl {
		t.Errorf("work %v, %s", w, f.Reason())
	}
}

// TestSkippedProposal: a template that comes while another is proposed has its turn.
func TestSkippedProposal(t *testing.T) {
	asked, answer := make(chan int), make(chan error)
	f, _ := newProposer(t, func(txs int) error {
		asked <- txs
		return <-answer
	})
	f.SetTemplate(f.template(5))
	<-asked
	for n := range 3 { // only the last of which still matters
		f.SetTemplate(f.template(1 + n))
	}
	answer <- nil
	if n := <-asked; n != 3 {
		t.Errorf("%d transactions were proposed next", n)
	}
	answer <- refusal("bad-txns")
	if n := <-asked; n != 0 {
		t.Errorf("%d transactions were proposed after a refusal", n)
	}
	answer <- nil
	f.Wait()
	if w := f.Work(); w == nil || len(w.template.Txs) != 0 {
		t.Errorf("work %+v, %s", w, f.Reason())
	}
}

// TestProposalSamples: what is proposed takes turns between classes and payees, of
// templates that make room for the outputs too.
func TestProposalSamples(t *testing.T) {
	f, node := newProposer(t, func(int) error { return nil })
	f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, payee) })
	tight := 0
	for i := range 2 * len(proposalSamples) {
		tmpl := f.template(200)
		tmpl.WeightLimit = tmpl.Weight() + 40_000 // room for class 144, not for 1152
		f.SetTemplate(tmpl)
		f.Wait()
		if len(node.blocks) != i+1 {
			t.Fatalf("%d proposals of %d templates", len(node.blocks), i+1)
		}
		block := parseBlock(t, node.blocks[i])
		sample := proposalSamples[i%len(proposalSamples)]
		outputs := block.MsgBlock().Transactions[0].TxOut
		if !bytes.Equal(outputs[0].PkScript, sample.payee) {
			t.Errorf("proposal %d pays %x", i, outputs[0].PkScript)
		}
		if n := len(block.Transactions()) - 1; n < len(tmpl.Txs) {
			tight++
			if len(outputs) < 200 {
				t.Errorf("proposal %d has %d outputs and %d transactions", i, len(outputs), n)
			}
		}
	}
	if tight != len(proposalSamples) {
		t.Errorf("%d proposals without some transactions", tight)
	}
}
