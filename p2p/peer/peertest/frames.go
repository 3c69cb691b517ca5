package peertest

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Frames makes bad frames of the v1 transport, always the same ones for a seed: valid
// messages of every kind, damaged in one of many ways. A few come out valid by
// chance. It is for one goroutine.
type Frames struct {
	rng    *rand.Rand
	magic  wire.BitcoinNet
	models []message.Message
}

// NewFrames returns a source of frames for a network. The messages that it damages
// speak of the given shares, which are encoded; there may be none.
func NewFrames(seed uint64, magic wire.BitcoinNet, chain chainhash.Hash, shares ...[]byte) *Frames {
	f := &Frames{rng: rand.New(rand.NewPCG(seed, 7)), magic: magic}
	if len(shares) == 0 {
		shares = [][]byte{make([]byte, 300)}
	}
	f.models = models(chain, shares)
	return f
}

// models returns a message of each kind.
func models(chain chainhash.Hash, shares [][]byte) []message.Message {
	ids := []chainhash.Hash{chain, {1}, {2}, {3}}
	tx := make([]byte, 200)
	list := message.TxList{Nonce: 5, Base: ids[1], Segments: []message.Segment{
		{Skip: 1, Copy: 3, Fresh: []message.ShortID{{1}, {2}}}, {Copy: 2},
	}}
	addr := netaddr.FromAddrPort(netip.MustParseAddrPort("20.1.2.3:9333"))
	return []message.Message{
		&message.Version{Protocol: 1, Nonce: 3, UserAgent: "/x/", ChainID: chain},
		&message.VerAck{}, &message.Ping{Nonce: 1}, &message.Pong{Nonce: 1},
		&message.Inv{IDs: ids}, &message.NotFound{IDs: ids}, &message.GetShares{IDs: ids, Parents: 9, Stops: ids[:2]},
		&message.Shares{Raw: shares}, &message.GetLocator{Locator: ids, Max: 9}, &message.SetMode{Mode: message.LowLatency},
		&message.GetAddr{}, &message.Addr{List: []netaddr.Record{{Addr: addr, Services: 1, Seen: 1 << 30}}}, &message.AddrMe{Port: 9},
		&message.CmpctShare{ID: chain, List: list}, &message.GetShareTxn{ID: chain, Indexes: []int{0, 3, 4, 300}},
		&message.ShareTxn{ID: chain, Raw: [][]byte{tx, tx}},
		&message.Block{Share: shares[0], Coinbase: tx, List: list},
	}
}

// Next returns the next frame. The caller may keep it.
func (f *Frames) Next() []byte {
	m := f.models[f.rng.IntN(len(f.models))]
	frame, err := message.AppendFrame(nil, f.magic, m)
	if err != nil {
		panic(err) // a mistake in models
	}
	switch f.rng.IntN(8) {
	case 0: // bits of the whole frame
		f.flip(frame)
	case 1: // other bytes in front
		return append(f.noise(1+f.rng.IntN(40)), frame...)
	case 2: // a length that is not the payload's
		binary.LittleEndian.PutUint32(frame[16:], f.rng.Uint32()>>f.rng.IntN(32))
	case 3: // nothing but noise behind a right command
		return f.seal(m.Command(), f.noise(f.rng.IntN(600)))
	case 4: // a payload that ends early or late
		payload := frame[message.HeaderSize:]
		if f.rng.IntN(2) == 0 && len(payload) > 0 {
			return f.seal(m.Command(), payload[:f.rng.IntN(len(payload))])
		}
		return f.seal(m.Command(), append(payload, f.noise(1+f.rng.IntN(50))...))
	case 5: // counts and lengths out of bounds
		payload := frame[message.HeaderSize:]
		if len(payload) > 0 {
			at := f.rng.IntN(len(payload))
			payload = append(append(payload[:at:at], f.count()...), payload[at:]...)
		}
		return f.seal(m.Command(), payload)
	case 6: // another command
		return f.seal(f.models[f.rng.IntN(len(f.models))].Command(), frame[message.HeaderSize:])
	default: // bits of the payload, with the checksum right
		payload := frame[message.HeaderSize:]
		f.flip(payload)
		return f.seal(m.Command(), payload)
	}
	return frame
}

// flip changes a few bits.
func (f *Frames) flip(b []byte) {
	if len(b) == 0 {
		return
	}
	for range 1 + f.rng.IntN(4) {
		b[f.rng.IntN(len(b))] ^= 1 << f.rng.IntN(8)
	}
}

// noise returns n random bytes.
func (f *Frames) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rng.Uint32())
	}
	return b
}

// count returns a CompactSize of a number that is mostly far too great.
func (f *Frames) count() []byte {
	b := binary.LittleEndian.AppendUint64([]byte{0xff}, f.rng.Uint64()>>f.rng.IntN(64))
	return b[:1+8>>f.rng.IntN(4)]
}

// seal returns a frame whose length and checksum are right.
func (f *Frames) seal(command string, payload []byte) []byte {
	b := make([]byte, message.HeaderSize, message.HeaderSize+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(f.magic))
	copy(b[4:16], command)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(payload)))
	copy(b[20:], chainhash.DoubleHashB(payload)[:4])
	return append(b, payload...)
}
