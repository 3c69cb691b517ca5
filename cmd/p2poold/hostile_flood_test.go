package main

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// floodAttacks are messages that break no rule, as many as the victim takes.
var floodAttacks = []attack{
	{name: "ping flood", arm: repeat(512, func(*rand.Rand) message.Message { return &message.Ping{Nonce: 1} })},
	{name: "pong flood", arm: repeat(512, func(*rand.Rand) message.Message { return &message.Pong{Nonce: 1} })},
	{name: "setmode flood", arm: repeat(512, func(r *rand.Rand) message.Message {
		return &message.SetMode{Mode: message.RelayMode(r.IntN(2))}
	})},
	{name: "getaddr flood", arm: repeat(512, func(*rand.Rand) message.Message { return new(message.GetAddr) })},
	{name: "addrme flood", arm: repeat(512, func(r *rand.Rand) message.Message {
		return &message.AddrMe{Port: uint16(1 + r.IntN(65535))}
	})},
	{name: "addr flood", arm: repeat(16, func(r *rand.Rand) message.Message { return randomAddrs(r) })},
	{name: "inv flood", arm: repeat(16, func(r *rand.Rand) message.Message {
		return &message.Inv{IDs: randomIDs(r, message.MaxInv)}
	})},
	{name: "notfound flood", arm: repeat(64, func(r *rand.Rand) message.Message {
		return &message.NotFound{IDs: randomIDs(r, message.MaxGetShares)}
	})},
	{name: "unknown commands of 1 MiB", arm: func(s *siege) func(*foe) {
		frame := s.rawFrame("unheardof", message.MaxPayload, make([]byte, message.MaxPayload))
		return flooder(frame, 1)
	}},
	{name: "unknown commands, empty", arm: func(s *siege) func(*foe) {
		var frames []byte
		for range 512 {
			frames = append(frames, s.rawFrame("unheardof", 0, nil)...)
		}
		return flooder(frames, 512)
	}},
	{name: "sharetxn that nobody asked for", arm: repeat(1, func(r *rand.Rand) message.Message {
		m := &message.ShareTxn{ID: randomIDs(r, 1)[0]}
		for i := range uint64(3_800) {
			m.Raw = append(m.Raw, plainTx(i))
		}
		return m
	})},
	{name: "cmpctshare of unknown shares", arm: repeat(8, func(r *rand.Rand) message.Message {
		return &message.CmpctShare{ID: randomIDs(r, 1)[0], List: randomList(r, message.MaxTxs)}
	})},
	// What a budget has at once, and hangs up before it is held back.
	{name: "comes back for a fresh budget", foes: 2, arm: func(s *siege) func(*foe) {
		const lists = 38 // of 108 kB, 4 MiB together
		r := newRand()
		var frames []byte
		for range lists {
			frames = append(frames, s.frames(&message.CmpctShare{ID: randomIDs(r, 1)[0], List: randomList(r, message.MaxTxs)})...)
		}
		frames = append(frames, s.rawFrame("unheardof", message.MaxPayload, make([]byte, message.MaxPayload))...)
		return onceMet(func(f *foe, l *line) error {
			f.wg.Go(func() { io.Copy(io.Discard, l) })
			if _, err := l.Write(frames); err != nil {
				return err
			}
			f.tally.messages.Add(lists + 1)
			return l.Conn.(*net.TCPConn).CloseWrite()
		})
	}},
	// A mebibyte of these comes at once: all connections of a host have it together, and one
	// message of each is read before it counts.
	{name: "a flood over eight connections", foes: 4, taken: 2 * mib, arm: func(s *siege) func(*foe) {
		frame := s.frames(&message.ShareTxn{Raw: [][]byte{make([]byte, 64<<10)}})
		return func(f *foe) {
			for range p2p.MaxPerHost {
				f.wg.Go(func() { flooder(frame, 1)(f) })
			}
		}
	}},
	{name: "handshakes without end", arm: func(*siege) func(*foe) {
		return func(f *foe) {
			f.again(func() error {
				l, err := f.meet()
				if err == nil {
					f.tally.messages.Add(1)
					l.Close()
				}
				return err
			})
		}
	}},
}

// uploadAttacks ask for much with few bytes.
var uploadAttacks = []attack{
	{name: "getlocator flood", arm: repeat(256, func(*rand.Rand) message.Message {
		return &message.GetLocator{Max: message.MaxInv}
	})},
	{name: "getshares flood", arm: func(s *siege) func(*foe) {
		request := s.greatRequest()
		return flooder(s.frames(request, request, request, request), 4)
	}},
	{name: "getshares of unknown shares", arm: repeat(16, func(r *rand.Rand) message.Message {
		return &message.GetShares{IDs: randomIDs(r, message.MaxGetShares), Parents: message.MaxParents}
	})},
	{name: "asks and does not read", foes: 30, arm: func(s *siege) func(*foe) {
		frames := s.frames(s.greatRequest())
		return func(f *foe) {
			if l, err := f.meet(); err == nil {
				l.pour(frames, 1)
			}
		}
	}},
	{name: "getsharetxn flood", arm: func(*siege) func(*foe) {
		return func(f *foe) {
			l, err := f.meet()
			if err != nil {
				return
			}
			l.drain()
			all := make([]int, siegeTxs)
			for i := range all {
				all[i] = i
			}
			var asked *shareID
			var frames []byte
			for err == nil {
				if id := f.news.Load(); id != asked {
					asked, frames = id, f.frames(&message.GetShareTxn{ID: *id, Indexes: all}, &message.GetShareTxn{ID: *id})
				}
				_, err = l.Write(frames)
				f.tally.messages.Add(2)
			}
			l.Close()
		}
	}},
}

// repeat floods with n messages of a kind, again and again.
func repeat(n int, make func(*rand.Rand) message.Message) func(*siege) func(*foe) {
	return func(s *siege) func(*foe) {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		var frames []byte
		for range n {
			frames = append(frames, s.frames(make(r))...)
		}
		s.least = n
		return flooder(frames, n)
	}
}

// flooder sends n messages again and again, on one connection after the other.
func flooder(frames []byte, n int) func(*foe) {
	return func(f *foe) {
		f.again(func() error {
			l, err := f.meet()
			if err == nil {
				err = l.flood(frames, n)
			}
			return err
		})
	}
}

// greatRequest asks for as much as one getshares may: shares of all heights with their
// ancestors.
func (s *siege) greatRequest() *message.GetShares {
	m := &message.GetShares{Parents: message.MaxParents}
	for i := range uint32(message.MaxGetShares) {
		if id, ok := s.victim.chain.IDAt(i * 8); ok {
			m.IDs = append(m.IDs, id)
		}
	}
	return m
}

func randomIDs(r *rand.Rand, n int) []chainhash.Hash {
	ids := make([]chainhash.Hash, n)
	for i := range ids {
		for j := 0; j < len(ids[i]); j += 8 {
			binary.LittleEndian.PutUint64(ids[i][j:], r.Uint64())
		}
	}
	return ids
}

// randomAddrs returns as many addresses as fit into an addr, seen just now.
func randomAddrs(r *rand.Rand) *message.Addr {
	m := new(message.Addr)
	for range message.MaxAddrs {
		ip := netip.AddrFrom4([4]byte{byte(20 + r.IntN(50)), byte(r.IntN(256)), byte(r.IntN(256)), 1})
		m.List = append(m.List, netaddr.Record{
			Addr: netaddr.FromAddrPort(netip.AddrPortFrom(ip, 9333)), Seen: uint32(time.Now().Unix()),
		})
	}
	return m
}

// randomList names n transactions that nobody knows.
func randomList(r *rand.Rand, n int) message.TxList {
	fresh := make([]message.ShortID, n)
	for i := range fresh {
		binary.LittleEndian.PutUint32(fresh[i][:], r.Uint32())
	}
	return message.TxList{Nonce: r.Uint64(), Segments: []message.Segment{{Fresh: fresh}}}
}
