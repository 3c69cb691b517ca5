package main

import (
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// shareAttacks push shares.
var shareAttacks = []attack{
	{name: "shares that pay somebody else", end: peer.ReasonMisbehaviour, rule: share.ErrPayouts, arm: pusher(func(s *siege) *share.Share {
		sh := s.nextShare()
		result, err := s.victim.chain.Payouts(sh.Data.Previous, sh.Header.Bits, sh.Data.CoinbaseValue, sh.Data.Class)
		if err != nil {
			s.Fatal(err)
		}
		result.Payouts[0].Script = chaingen.Script(1_000_000)
		sh.SetCoinbase(&s.params.ChainID, result.Finder, result.Payouts)
		return s.solve(sh)
	})},
	{name: "shares at far too easy bits", end: peer.ReasonMisbehaviour, rule: blockchain.ErrUnexpectedBits, arm: func(s *siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			return l.listen(func(m message.Message) error {
				news, ok := m.(*message.Shares)
				if !ok {
					return nil
				}
				parent, err := share.Decode(news.Raw[0])
				if err != nil {
					return err
				}
				return l.send(&message.Shares{Raw: [][]byte{f.easyChild(parent).Encode()}})
			})
		})
	}},
	{name: "shares without proof of work", end: peer.ReasonMisbehaviour, rule: share.ErrProofOfWork, arm: pusher(func(s *siege) *share.Share {
		sh := s.nextShare()
		sh.Data.Bits = 0x1d00ffff
		return sh
	})},
	{name: "stolen headers", end: peer.ReasonMisbehaviour, rule: share.ErrMerkleRoot, arm: pusher(func(s *siege) *share.Share {
		sh := s.nextShare()
		sh.Data.Payee = chaingen.Script(1_000_000)
		return sh
	})},
	{name: "shares that claim more work", end: peer.ReasonMisbehaviour, rule: blockchain.ErrTotalWork, arm: pusher(func(s *siege) *share.Share {
		sh := s.nextShare()
		sh.Data.Work.AddUint64(1 << 40)
		return s.solve(sh)
	})},
	{name: "malformed shares", end: peer.ReasonMisbehaviour, rule: share.ErrTrailingBytes, arm: func(s *siege) func(*foe) {
		raw := append(s.nextShare().Encode(), 0)
		return onceMet(func(f *foe, l *line) error { return l.send(&message.Shares{Raw: [][]byte{raw}}) })
	}},
	{name: "unknown-parent flood", arm: func(s *siege) func(*foe) {
		return s.many(5_000, func(i int, sh *share.Share) { sh.Data.Previous = numbered(i) })
	}},
	{name: "unknown-parent flood, easy bits", arm: func(s *siege) func(*foe) {
		return s.many(20_000, func(i int, sh *share.Share) {
			sh.Data.Previous, sh.Data.Bits = numbered(i), s.params.EasiestBits
		})
	}},
	{name: "unknown-parent flood, far ahead", arm: func(s *siege) func(*foe) {
		return s.many(5_000, func(i int, sh *share.Share) {
			sh.Data.Previous = numbered(i)
			sh.Data.Height += 50_000
			sh.Data.Count += 60_000
		})
	}},
	{name: "stale-window spam", arm: func(s *siege) func(*foe) {
		old, _ := s.victim.chain.IDAt(5)
		return s.many(20_000, func(i int, sh *share.Share) {
			sh.Data.Previous, sh.Data.Bits, sh.Data.Height = old, s.params.EasiestBits, 6
			sh.Data.Work.SetUint64(0)
		})
	}},
	{name: "shares of the future", arm: func(s *siege) func(*foe) {
		return s.many(5_000, func(i int, sh *share.Share) { sh.Data.Time += 1_000 })
	}},
	{name: "duplicate flood", arm: func(s *siege) func(*foe) {
		id := s.victim.chain.Tip().ID
		raw, err := s.victim.chain.Share(id)
		if err != nil {
			s.Fatal(err)
		}
		m := &message.Shares{Raw: slices.Repeat([][]byte{raw}, 300)}
		return flooder(s.frames(m), 1)
	}},
}

// nextShare returns a valid share on the victim's tip.
func (s *siege) nextShare() *share.Share { return s.build(s.victim.chain, s.victim.chain.Tip(), true) }

// easyChild returns a child of a share with the easiest bits, right in all that it
// states of the chain.
func (s *siege) easyChild(parent *share.Share) *share.Share {
	sh := *parent
	sh.Data.Bits = s.params.EasiestBits
	sh.Data.Previous, sh.Data.Uncles = parent.ID(), nil
	sh.Data.Height++
	sh.Data.Count++
	own := target.Work(&s.params.EasiestTarget)
	sh.Data.Work.Add(&own)
	return s.solve(&sh)
}

// work finds a header that meets the share's bits.
func work(sh *share.Share) {
	t, err := target.FromCompact(sh.Data.Bits)
	if err != nil {
		panic(err)
	}
	for id := sh.ID(); !target.HashMeets(&id, &t); id = sh.ID() {
		sh.Header.Nonce++
	}
}

// pusher sends one share for each connection.
func pusher(make func(*siege) *share.Share) func(*siege) func(*foe) {
	return func(s *siege) func(*foe) {
		raw := make(s).Encode()
		return onceMet(func(f *foe, l *line) error { return l.send(&message.Shares{Raw: [][]byte{raw}}) })
	}
}

// many makes n shares out of a valid one, each with proof of work for what it claims,
// and floods with them.
func (s *siege) many(n int, change func(int, *share.Share)) func(*foe) {
	model := s.nextShare()
	var frames []byte
	m, size := new(message.Shares), 0
	messages := 0
	for i := range n {
		sh := *model
		binary.LittleEndian.PutUint32(sh.Extranonce[8:], uint32(i))
		change(i, &sh)
		raw := s.solve(&sh).Encode()
		if size += len(raw) + 3; size > 100_000 || i == n-1 {
			frames = append(frames, s.frames(m)...)
			m, size = new(message.Shares), len(raw)+3
			messages++
		}
		m.Raw = append(m.Raw, raw)
	}
	s.least = messages
	return flooder(frames, messages)
}

// numbered returns an ID that no share has.
func numbered(i int) (id chainhash.Hash) {
	binary.LittleEndian.PutUint64(id[:], uint64(i)+1)
	id[31] = 0xff
	return id
}
