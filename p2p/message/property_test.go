package message

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// anyMessage generates every message with every field in its bounds.
func anyMessage(t *rapid.T) Message {
	hash := rapid.Custom(func(t *rapid.T) (h chainhash.Hash) {
		copy(h[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		return h
	})
	hashes := func(least, most int) []chainhash.Hash {
		list := rapid.SliceOfN(hash, least, min(most, 40)).Draw(t, "ids")
		if len(list) == 0 {
			return nil
		}
		return list
	}
	u64 := func() uint64 { return rapid.Uint64().Draw(t, "u64") }
	u32 := func() uint32 { return rapid.Uint32().Draw(t, "u32") }
	mode := func() RelayMode { return RelayMode(rapid.IntRange(0, 1).Draw(t, "mode")) }

	switch rapid.IntRange(0, 16).Draw(t, "type") {
	case 0:
		v := &Version{
			Protocol: u32(), Services: Services(u64()), Time: int64(u64()), Nonce: u64(),
			UserAgent: rapid.StringMatching(`[ -~]{0,256}`).Draw(t, "agent"),
			ChainID:   hash.Draw(t, "chain"), Best: hash.Draw(t, "best"), Height: u32(),
			Mode: mode(), Port: rapid.Uint16().Draw(t, "port"),
		}
		w := [32]byte(hash.Draw(t, "work"))
		v.Work.SetBytesLE(&w)
		return v
	case 1:
		return &VerAck{}
	case 2:
		return &Ping{Nonce: u64()}
	case 3:
		return &Pong{Nonce: u64()}
	case 4:
		return &Inv{IDs: hashes(0, MaxInv)}
	case 5:
		return &GetShares{IDs: hashes(1, MaxGetShares), Parents: u32() % (MaxParents + 1), Stops: hashes(0, MaxStops)}
	case 6:
		raw := rapid.SliceOfN(rapid.Byte(), minShare, share.MaxEncodedSize)
		return &Shares{Raw: rapid.SliceOfN(raw, 1, 5).Draw(t, "shares")}
	case 13:
		return &CmpctShare{ID: hash.Draw(t, "id"), List: anyList(t)}
	case 14:
		m := &GetShareTxn{ID: hash.Draw(t, "id")}
		last := -1
		for range rapid.IntRange(0, 40).Draw(t, "places") {
			last += 1 + rapid.IntRange(0, 400).Draw(t, "gap")
			m.Indexes = append(m.Indexes, last)
		}
		return m
	case 15:
		raw := rapid.SliceOfN(rapid.Byte(), minTx, 1000)
		return &ShareTxn{ID: hash.Draw(t, "id"), First: rapid.IntRange(0, MaxTxs-5).Draw(t, "first"), Raw: rapid.SliceOfN(raw, 1, 5).Draw(t, "txs")}
	case 16:
		return &Block{
			Share:    rapid.SliceOfN(rapid.Byte(), minShare, share.MaxEncodedSize).Draw(t, "share"),
			Coinbase: rapid.SliceOfN(rapid.Byte(), minCoinbase, 2000).Draw(t, "coinbase"),
			List:     anyList(t),
		}
	case 7:
		return &NotFound{IDs: hashes(1, MaxGetShares)}
	case 8:
		return &GetLocator{Locator: hashes(0, MaxLocator), Stop: hash.Draw(t, "stop"), Max: u32()}
	case 9:
		return &GetAddr{}
	case 10:
		return &AddrMe{Port: rapid.Uint16Min(1).Draw(t, "port")}
	case 11:
		list := rapid.SliceOfN(anyRecord(), 0, 30).Draw(t, "addresses")
		if len(list) == 0 {
			list = nil
		}
		return &Addr{List: list}
	default:
		return &SetMode{Mode: mode()}
	}
}

// anyRecord generates records of all networks.
func anyRecord() *rapid.Generator[netaddr.Record] {
	return rapid.Custom(func(t *rapid.T) netaddr.Record {
		n := rapid.SampledFrom([]netaddr.Network{netaddr.IPv4, netaddr.IPv6, netaddr.TorV3, netaddr.I2P, netaddr.CJDNS}).Draw(t, "network")
		host := rapid.SliceOfN(rapid.Byte(), n.Size(), n.Size()).Draw(t, "host")
		switch n {
		case netaddr.IPv6:
			host[0] = 0x20
		case netaddr.CJDNS:
			host[0] = 0xfc
		}
		a, err := netaddr.New(n, host, rapid.Uint16().Draw(t, "port"))
		if err != nil {
			t.Fatal(err)
		}
		return netaddr.Record{Addr: a, Services: rapid.Uint64().Draw(t, "services"), Seen: rapid.Uint32().Draw(t, "seen")}
	})
}

// TestRoundTrip: what is encoded decodes to itself, has the stated size and no
// other encoding.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(t)
		b, err := AppendFrame(nil, magic, m)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != HeaderSize+m.Size() {
			t.Fatalf("frame of %d bytes, Size says %d", len(b), HeaderSize+m.Size())
		}
		got, err := NewReader(bytes.NewReader(b), magic).Next()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v, want %+v", got, m)
		}
	})
}

// anyList generates a list of transactions.
func anyList(t *rapid.T) TxList {
	l := TxList{Nonce: rapid.Uint64().Draw(t, "nonce"), Base: chainhash.Hash{1}}
	for range rapid.IntRange(0, 20).Draw(t, "segments") {
		s := Segment{Skip: rapid.IntRange(0, 400).Draw(t, "skip"), Copy: rapid.IntRange(1, 400).Draw(t, "copy")}
		for range rapid.IntRange(0, 5).Draw(t, "fresh") {
			s.Fresh = append(s.Fresh, ShortID(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "short id")))
		}
		l.Segments = append(l.Segments, s)
	}
	return l
}
