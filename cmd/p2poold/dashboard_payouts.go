package main

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/web"
	"github.com/p2poold/p2poold/mining"
)

// payoutsFreshFor is how long the web pages show the same payouts. Those of 10,000 payees
// take some 30 ms to reckon, which strangers can ask for at any time.
const payoutsFreshFor = 10 * time.Second

// payoutView is what the next Bitcoin block would pay to whom, as of one moment. It is
// not changed once it is made.
type payoutView struct {
	made   time.Time
	of     payoutBasis
	next   web.Next
	odds   *payout.Odds // nil: not known
	total  float64      // of all scores
	stakes map[string]stake
}

// payoutBasis is what payouts depend on.
type payoutBasis struct {
	tip   chainhash.Hash
	bits  uint32
	value int64
}

// stake is a payee's part in the window, by output script.
type stake struct {
	rank           int
	shares, uncles int
}

// payoutView returns payouts that are not too old.
func (d *dashboard) payoutView() *payoutView {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, err := backend{d.n}.work()
	if err != nil {
		return new(payoutView)
	}
	t := w.Template()
	basis := payoutBasis{w.Tip().ID, t.Bits, t.CoinbaseValue}
	if v := d.payouts; v != nil && (v.of == basis || time.Since(v.made) < payoutsFreshFor) {
		return v
	}
	v, err := d.newPayoutView(w)
	if err != nil {
		return new(payoutView)
	}
	v.made, v.of = time.Now(), basis
	d.payouts = v
	return v
}

// newPayoutView reckons the payouts of some work, and counts shares.
func (d *dashboard) newPayoutView(w *mining.Work) (*payoutView, error) {
	odds, total, err := backend{d.n}.odds(w)
	if err != nil {
		return nil, err
	}
	t := w.Template()
	v := &payoutView{odds: odds, total: target.WorkFloat(&total), stakes: make(map[string]stake, odds.Len())}
	v.next = web.Next{
		Known: true, Height: t.Height, Value: t.CoinbaseValue, FinderFee: payout.FinderFee(d.n.cfg.params, t.CoinbaseValue),
		Payees: odds.Len(),
	}
	for rank := range odds.Len() {
		v.stakes[string(odds.Score(rank).Script)] = stake{rank: rank}
	}
	for _, e := range d.n.chain.WindowEntries(w.Tip().ID, t.Bits) {
		v.count(e)
	}
	return v, nil
}

// count counts a share of the window, and its uncles.
func (v *payoutView) count(e *payout.Entry) {
	v.next.Shares++
	v.next.Uncles += len(e.Uncles)
	s := v.stakes[string(e.Payee)]
	s.shares++
	v.stakes[string(e.Payee)] = s
	for i := range e.Uncles {
		s := v.stakes[string(e.Uncles[i].Payee)]
		s.uncles++
		v.stakes[string(e.Uncles[i].Payee)] = s
	}
}

// payout tells what a block holds for an output script.
func (v *payoutView) payout(script []byte) web.Payout {
	p := web.Payout{Known: v.odds != nil, Classes: []web.Chance{}}
	s, owed := v.stakes[string(script)]
	if !owed {
		return p
	}
	weight := v.odds.Score(s.rank).Weight
	p.Shares, p.Uncles, p.Place, p.Owed = s.shares, s.uncles, s.rank+1, v.odds.Owed(s.rank)
	p.Part = target.WorkFloat(&weight) / v.total
	for _, class := range share.Classes() {
		c := v.odds.Chance(s.rank, class)
		p.Classes = append(p.Classes, web.Chance{Class: class.Outputs(), Exact: c.Exact, Probability: c.Probability, Amount: c.Amount})
	}
	return p
}
