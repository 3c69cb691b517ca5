package main

import (
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// txAttacks lie about transactions and blocks. Meanwhile miners don't tell what their
// shares carry, so that the victim wants to know it from anybody.
var txAttacks = []attack{
	{name: "lists longer than their base", end: peer.ReasonMisbehaviour, rule: compact.ErrTxList, arm: lister(
		func(_ *foe, base shareID) message.TxList {
			return message.TxList{Base: base, Segments: []message.Segment{{Copy: siegeTxs + 1}}}
		}, nil), check: fewAttempts},
	{name: "sharetxn of other transactions", end: peer.ReasonMisbehaviour, rule: compact.ErrTxn, arm: lister(unknownList,
		func(_ *foe, m *message.GetShareTxn) message.Message {
			txs := &message.ShareTxn{ID: m.ID}
			for i := range m.Indexes {
				txs.Raw = append(txs.Raw, plainTx(uint64(1_000_000+i)))
			}
			return txs
		}), check: fewAttempts},
	{name: "sharetxn of no transactions", end: peer.ReasonMisbehaviour, rule: compact.ErrTxn, arm: lister(unknownList,
		func(_ *foe, m *message.GetShareTxn) message.Message {
			return &message.ShareTxn{ID: m.ID, Raw: [][]byte{make([]byte, 500_000)}}
		}), check: fewAttempts},
	{name: "lists without transactions", arm: lister(unknownList, nil), check: fewAttempts},
	{name: "lists of other shares", arm: lister(func(_ *foe, base shareID) message.TxList {
		return message.TxList{Base: base, Segments: []message.Segment{{Skip: 1, Copy: siegeTxs - 1}}}
	}, nil), check: fewAttempts},
	{name: "blocks without proof of work", end: peer.ReasonMisbehaviour, rule: mining.ErrNoBlock, arm: func(s *siege) func(*foe) {
		m := &message.Block{
			Share: s.nextShare().Encode(), Coinbase: make([]byte, 500),
			List: randomList(newRand(), message.MaxTxs),
		}
		return onceMet(func(f *foe, l *line) error { return l.send(m) })
	}},
	{name: "requests beyond the list", end: peer.ReasonMisbehaviour, rule: compact.ErrTxList, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			return l.listen(func(m message.Message) error {
				if m, ok := m.(*message.CmpctShare); ok {
					return l.send(&message.GetShareTxn{ID: m.ID, Indexes: []int{message.MaxTxs - 1}})
				}
				return nil
			})
		})
	}},
}

// lister sends a list for each share that it hears of, and answers questions about it.
// base is a share whose list the victim has. answer may be nil.
func lister(list func(f *foe, base shareID) message.TxList, answer func(*foe, *message.GetShareTxn) message.Message) func(*siege) func(*foe) {
	return func(s *siege) func(*foe) {
		if _, err := s.deliver(s.victim, s.honest...); err != nil {
			s.Fatal(err)
		}
		base := s.victim.chain.Tip().ID
		s.secret = true
		return onceMet(func(f *foe, l *line) error {
			return l.listen(func(m message.Message) error {
				switch m := m.(type) {
				case *message.Shares:
					sh, err := share.Decode(m.Raw[0])
					if err != nil {
						return err
					}
					return l.send(&message.CmpctShare{ID: sh.ID(), List: list(f, base)})
				case *message.GetShareTxn:
					if answer != nil {
						return l.send(answer(f, m))
					}
				}
				return nil
			})
		})
	}
}

// unknownList names transactions that the victim has to ask for.
func unknownList(f *foe, _ shareID) message.TxList { return randomList(f.rng, 100) }

// fewAttempts checks what the victim keeps of unfinished lists.
func fewAttempts(t *testing.T, s *siege) {
	const most = 24 // three for each of eight shares
	if stats := s.victim.peers.TxStats(); stats.Attempts > most || stats.Received == 0 {
		t.Errorf("%+v", stats)
	}
}
