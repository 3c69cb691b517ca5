package main

import (
	"testing"
	"time"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/p2p/message"
)

// syncAttacks promise and don't deliver, or deliver something else. That a peer which
// answers nothing is gone after two minutes is tested in p2p/netsync.
var syncAttacks = []attack{
	{name: "all work of the world, silent", arm: claimant(nil, nil), check: notHeld},
	{name: "all work of the world, invented ids", arm: claimant(inventIDs, nil), check: notHeld},
	{name: "all work of the world, denied", arm: claimant(inventIDs, func(_ *foe, _ [][]byte, m *message.GetShares) message.Message {
		return &message.NotFound{IDs: m.IDs}
	}), check: notHeld},
	{name: "answers with other shares", arm: claimant(inventIDs, func(_ *foe, old [][]byte, m *message.GetShares) message.Message {
		return &message.Shares{Raw: old}
	}), check: notHeld},
	{name: "never answers getshares", arm: func(*siege) func(*foe) {
		return func(f *foe) {
			l, err := f.meet()
			if err != nil {
				return
			}
			l.drain()
			var told *shareID
			for err == nil { // be the first to name each new share
				if id := f.news.Load(); id != told {
					told = id
					err = l.send(&message.Inv{IDs: []shareID{*id}})
				}
				if err == nil && f.pause(time.Millisecond) != nil {
					break
				}
			}
			l.Close()
		}
	}},
}

// claimant claims in its version to have all work there can be. locate and answer make
// the answers to requests; nil: there are none.
func claimant(locate func(*foe, [][]byte) message.Message, answer func(*foe, [][]byte, *message.GetShares) message.Message) func(*siege) func(*foe) {
	return func(s *siege) func(*foe) {
		old := s.oldShares(100)
		return func(f *foe) {
			f.again(func() error {
				l, err := f.meet(func(v *message.Version) {
					v.Work = uint256.Uint256{}
					v.Work.Not()
					v.Height, v.Best = 1<<32-1, shareID{1}
				})
				if err != nil {
					return err
				}
				return l.listen(func(m message.Message) error {
					switch m := m.(type) {
					case *message.GetLocator:
						if locate != nil {
							return l.send(locate(f, old))
						}
					case *message.GetShares:
						if answer != nil {
							return l.send(answer(f, old, m))
						}
					}
					return nil
				})
			})
		}
	}
}

func inventIDs(f *foe, _ [][]byte) message.Message {
	return &message.Inv{IDs: randomIDs(f.rng, message.MaxInv)}
}

// oldShares returns the lowest n shares of the victim.
func (s *siege) oldShares(n int) (list [][]byte) {
	for h := range uint32(n) {
		id, ok := s.victim.chain.IDAt(h)
		if !ok {
			break
		}
		raw, err := s.victim.chain.Share(id)
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

// notHeld checks that claims of others don't stop the victim's miners.
func notHeld(t *testing.T, s *siege) {
	if why := holdReason(s.victim.peers.Progress(), circumstances{named: true, up: time.Hour}); why != "" {
		t.Errorf("no work for miners: %s", why)
	}
}
