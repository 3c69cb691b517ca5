package main

import (
	"testing"
	"time"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
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
	{name: "never answers getshares", arm: nameFirst},
	{name: "names shares, beside a worthless neighbour", arm: besideNeighbour},
}

// besideNeighbour is nameFirst, while a neighbour of the honest node, in its address
// group, pushes shares that cost nothing to make: what the group may push is not to be
// used up for nothing, or else the honest node's shares are only announcements of
// what somebody else has been asked for.
func besideNeighbour(s *siege) func(*foe) {
	s.reconnect()
	var worthless []message.Message
	for i, change := range []func(*share.Share) []byte{
		func(sh *share.Share) []byte { return sh.Encode()[:100] },
		func(sh *share.Share) []byte { sh.Data.Bits = 0x1d00ffff; return sh.Encode() },
		func(sh *share.Share) []byte {
			sh.Data.Previous, sh.Data.Bits = numbered(int(sh.Extranonce[8])), s.params.EasiestBits
			return s.solve(sh).Encode()
		},
	} {
		m := new(message.Shares)
		for n := range 200 {
			sh := s.nextShare()
			sh.Extranonce[8], sh.Extranonce[9] = byte(n), byte(i)
			m.Raw = append(m.Raw, change(sh))
		}
		worthless = append(worthless, m)
	}
	life, neighbour := nameFirst(s), sibling(honestAt(0), 8)
	return func(f *foe) {
		if f.n > 0 {
			life(f)
			return
		}
		for i := 0; f.ctx.Err() == nil; i++ {
			l, err := f.dialAs(neighbour)
			if err == nil && l.introduce() == nil {
				l.drain()
				_ = l.send(worthless[i%len(worthless)])
				_ = f.pause(5 * time.Millisecond)
				l.Close()
			}
		}
	}
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
				f.tally.messages.Add(1) // the claim
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

// nameFirst is the first to name each new share, and never sends it.
func nameFirst(s *siege) func(*foe) {
	s.ahead = 5 * time.Millisecond
	return func(f *foe) {
		l, err := f.meet()
		if err != nil {
			return
		}
		l.drain()
		var told *shareID
		for err == nil {
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
}

// reconnect has the honest node come again, as one that has long been there: nothing
// that it was asked for in its sync is open any more, so all that it sends is pushed.
func (s *siege) reconnect() {
	s.Helper()
	before := s.honestPeers()
	for _, p := range s.victim.peers.Peers() {
		if p.UserAgent == userAgent() {
			if err := s.victim.peers.DisconnectID(p.ID); err != nil {
				s.Fatal(err)
			}
		}
	}
	s.until("the honest node is back", patience, func() bool {
		now := s.honestPeers()
		return len(now) == len(before) && now[0] != before[0]
	})
}
