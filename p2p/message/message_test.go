package message

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// hashOf returns a hash of 32 equal bytes, and hexOf its encoding.
func hashOf(b byte) (h chainhash.Hash) {
	for i := range h {
		h[i] = b
	}
	return h
}

func hexOf(b string, n int) string { return strings.Repeat(b, n) }

func work(hex string) uint256.Uint256 {
	var n uint256.Uint256
	raw := unhex(hex)
	return *n.SetByteSlice(raw)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// vectors are messages with their payloads, written by hand from doc.go.
var vectors = []struct {
	name    string
	msg     Message
	payload string
}{
	{"version", &Version{
		Protocol: 1, Services: 0x0102030405060708, Time: 1_700_000_000, Nonce: 0x1122334455667788,
		UserAgent: "/p2poold:0.1.0/", ChainID: hashOf(0xaa), Best: hashOf(0xbb), Height: 500,
		Work: work("0102030405"), Mode: LowLatency, Port: 9333,
	}, "01000000 0807060504030201 00f1536500000000 8877665544332211" +
		"0f 2f7032706f6f6c643a302e312e302f" + hexOf("aa", 32) + hexOf("bb", 32) + "f4010000" +
		"0504030201" + hexOf("00", 27) + "01 7524"},
	{"version of an empty node", &Version{Protocol: 1, Time: -1},
		"01000000 0000000000000000 ffffffffffffffff 0000000000000000 00" + hexOf("00", 32+32+4+32+1+2)},
	{"verack", &VerAck{}, ""},
	{"ping", &Ping{Nonce: 0x0102030405060708}, "0807060504030201"},
	{"pong", &Pong{Nonce: 0xfffefdfcfbfaf9f8}, "f8f9fafbfcfdfeff"},
	{"inv", &Inv{IDs: []chainhash.Hash{hashOf(1), hashOf(2)}}, "02" + hexOf("01", 32) + hexOf("02", 32)},
	{"inv, empty", &Inv{}, "00"},
	{"inv, three-byte count", &Inv{IDs: repeat(hashOf(3), 253)}, "fdfd00" + hexOf("03", 32*253)},
	{"getshares", &GetShares{IDs: []chainhash.Hash{hashOf(1)}, Parents: 16, Stops: []chainhash.Hash{hashOf(2)}},
		"01" + hexOf("01", 32) + "10000000 01" + hexOf("02", 32)},
	{"shares", &Shares{Raw: [][]byte{unhex(hexOf("5a", 80)), unhex(hexOf("5b", 256))}},
		"02 50" + hexOf("5a", 80) + "fd0001" + hexOf("5b", 256)},
	{"notfound", &NotFound{IDs: []chainhash.Hash{hashOf(9)}}, "01" + hexOf("09", 32)},
	{"getlocator", &GetLocator{Locator: []chainhash.Hash{hashOf(1)}, Stop: hashOf(2), Max: 2000},
		"01" + hexOf("01", 32) + hexOf("02", 32) + "d0070000"},
	{"getlocator, empty", &GetLocator{}, "00" + hexOf("00", 36)},
	{"setmode", &SetMode{Mode: LowLatency}, "01"},
	{"getaddr", &GetAddr{}, ""},
	{"addrme", &AddrMe{Port: 9333}, "7524"},
	{"addr, empty", &Addr{}, "00"},
	{"cmpctshare", &CmpctShare{ID: hashOf(1), List: TxList{
		Nonce: 0x0102030405060708, Base: hashOf(2), Segments: []Segment{
			{Skip: 0, Copy: 300, Fresh: []ShortID{{1, 2, 3, 4, 5, 6}}}, {Skip: 1, Copy: 2},
		}}},
		hexOf("01", 32) + "0807060504030201" + hexOf("02", 32) + "02 00 fd2c01 01 010203040506 01 02 00"},
	{"cmpctshare without a base", &CmpctShare{ID: hashOf(1), List: TxList{Segments: []Segment{{Fresh: []ShortID{{7}, {8}}}}}},
		hexOf("01", 32) + hexOf("00", 40) + "01 00 00 02 070000000000 080000000000"},
	{"cmpctshare, empty", &CmpctShare{ID: hashOf(1)}, hexOf("01", 32) + hexOf("00", 40) + "00"},
	{"getsharetxn", &GetShareTxn{ID: hashOf(3), Indexes: []int{0, 1, 5, 300, MaxTxs - 1}},
		hexOf("03", 32) + "05 00 00 03 fd2601 fdec3f"},
	{"getsharetxn of all", &GetShareTxn{ID: hashOf(3)}, hexOf("03", 32) + "00"},
	{"sharetxn", &ShareTxn{ID: hashOf(4), First: 253, Raw: [][]byte{unhex(hexOf("ab", 60)), unhex(hexOf("cd", 253))}},
		hexOf("04", 32) + "fdfd00 02 3c" + hexOf("ab", 60) + "fdfd00" + hexOf("cd", 253)},
	{"block", &Block{Share: unhex(hexOf("5a", 80)), Coinbase: unhex(hexOf("cb", 91)), List: TxList{Nonce: 9}},
		"50" + hexOf("5a", 80) + "5b" + hexOf("cb", 91) + "0900000000000000" + hexOf("00", 32) + "00"},
	{"addr of every network", &Addr{List: []netaddr.Record{
		record(1_700_000_000, 0, netaddr.IPv4, "01020304", 9333),
		record(0, 253, netaddr.IPv6, "20010db8000000000000000000000001", 0xffff),
		record(0xffffffff, 1<<32, netaddr.TorV3, hexOf("ab", 32), 1),
		record(1, 1<<64-1, netaddr.I2P, hexOf("cd", 32), 0),
		record(2, 1, netaddr.CJDNS, "fc"+hexOf("ef", 15), 0),
	}}, "05" + "00f15365 00 01 04 01020304 7524" +
		"00000000 fdfd00 02 10 20010db8000000000000000000000001 ffff" +
		"ffffffff ff0000000001000000 04 20" + hexOf("ab", 32) + "0100" +
		"01000000 ffffffffffffffffff 05 20" + hexOf("cd", 32) + "0000" +
		"02000000 01 06 10 fc" + hexOf("ef", 15) + "0000"},
}

// record returns a record of an address given by its bytes in hex.
func record(seen uint32, services uint64, network netaddr.Network, host string, port uint16) netaddr.Record {
	a, err := netaddr.New(network, unhex(host), port)
	if err != nil {
		panic(err)
	}
	return netaddr.Record{Addr: a, Services: services, Seen: seen}
}

func repeat(h chainhash.Hash, n int) []chainhash.Hash {
	list := make([]chainhash.Hash, n)
	for i := range list {
		list[i] = h
	}
	return list
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(v.payload)
			if got := v.msg.AppendPayload(nil); !bytes.Equal(got, want) {
				t.Errorf("encoded %x\nwant    %x", got, want)
			}
			if v.msg.Size() != len(want) {
				t.Errorf("Size %d, payload has %d bytes", v.msg.Size(), len(want))
			}
			got, err := Decode(v.msg.Command(), want)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v.msg) {
				t.Errorf("decoded %+v\nwant    %+v", got, v.msg)
			}
		})
	}
}

// TestTruncated cuts every vector at every offset.
func TestTruncated(t *testing.T) {
	for _, v := range vectors {
		payload := unhex(v.payload)
		for n := range payload {
			if _, err := Decode(v.msg.Command(), payload[:n]); !errors.Is(err, ErrTruncated) {
				t.Fatalf("%s cut to %d of %d bytes: %v", v.name, n, len(payload), err)
			}
		}
	}
}

func TestTrailingBytes(t *testing.T) {
	for _, v := range vectors {
		_, err := Decode(v.msg.Command(), append(unhex(v.payload), 0))
		if _, ok := v.msg.(*Version); ok {
			if err != nil {
				t.Errorf("%s refuses fields of later versions: %v", v.name, err)
			}
			continue
		}
		fits := len(v.payload) == 0 || v.msg.Size() == v.msg.MaxPayload() // then the cap speaks first
		if !errors.Is(err, ErrTrailingBytes) && !(fits && errors.Is(err, ErrPayloadSize)) {
			t.Errorf("%s with a trailing byte: %v", v.name, err)
		}
	}
}

// TestRefused feeds payloads that break one rule each.
func TestRefused(t *testing.T) {
	tests := []struct {
		name, command, payload string
		kind                   share.ErrorKind
	}{
		{"unknown command", "nonsense", "", ErrCommand},
		{"verack with payload", CmdVerAck, "00", ErrPayloadSize},
		{"inv of 2001 ids", CmdInv, "fdd107" + hexOf("00", 64000), ErrCount},
		{"inv that claims 2^64-1 ids", CmdInv, "ffffffffffffffffff", ErrCount},
		{"inv that claims more ids than it has bytes", CmdInv, "fdd007" + hexOf("00", 100), ErrTruncated},
		{"one-byte count in three bytes", CmdInv, "fd0100" + hexOf("00", 32), ErrVarInt},
		{"one-byte count in five bytes", CmdInv, "fe01000000" + hexOf("00", 32), ErrVarInt},
		{"one-byte count in nine bytes", CmdInv, "ff0100000000000000" + hexOf("00", 32), ErrVarInt},
		{"getshares of nothing", CmdGetShares, "00 00000000 00", ErrCount},
		{"getshares of 257 ids", CmdGetShares, "fd0101" + hexOf("00", 257*32), ErrCount},
		{"65 generations", CmdGetShares, "01" + hexOf("00", 32) + "41000000 00", ErrCount},
		{"33 stops", CmdGetShares, "01" + hexOf("00", 32) + "00000000 21" + hexOf("00", 33*32), ErrCount},
		{"no shares", CmdShares, "00", ErrCount},
		{"2001 shares", CmdShares, "fdd107" + hexOf("00", 2001*81), ErrCount},
		{"share shorter than a header", CmdShares, "01 4f" + hexOf("00", 80), ErrCount},
		{"share longer than any", CmdShares, "01 fd" + littleEndian(share.MaxEncodedSize+1) + hexOf("00", share.MaxEncodedSize+1), ErrCount},
		{"share of 2^64-1 bytes", CmdShares, "01 ffffffffffffffffff" + hexOf("00", 80), ErrCount},
		{"nothing not found", CmdNotFound, "00", ErrCount},
		{"locator of 65 ids", CmdGetLocator, "41" + hexOf("00", 65*32), ErrCount},
		{"locator of 66 ids", CmdGetLocator, "42" + hexOf("00", 66*32+36), ErrPayloadSize},
		{"unknown mode", CmdSetMode, "02", ErrField},
		{"long user agent", CmdVersion, hexOf("00", 28) + "fd0101" + hexOf("41", 257), ErrCount},
		{"user agent with an escape sequence", CmdVersion, hexOf("00", 28) + "01 1b", ErrField},
		{"getaddr with payload", CmdGetAddr, "00", ErrPayloadSize},
		{"addrme without a port", CmdAddrMe, "0000", ErrField},
		{"addr of 1001 addresses", CmdAddr, "fde903" + strings.Repeat("00000000 00 01 04 01020304 0100", 1001), ErrCount},
		{"addr that claims 2^64-1 addresses", CmdAddr, "ffffffffffffffffff", ErrCount},
		{"addr that claims more addresses than it has bytes", CmdAddr, "fde803" + hexOf("00", 8999), ErrTruncated},
		{"addr longer than 64 KiB", CmdAddr, "00" + hexOf("00", 64<<10), ErrPayloadSize},
		{"IPv4 of 5 bytes", CmdAddr, "01 00000000 00 01 05 0102030405 0100", ErrField},
		{"IPv6 of 4 bytes", CmdAddr, "01 00000000 00 02 04 01020304 0100", ErrField},
		{"Tor v3 of 10 bytes", CmdAddr, "01 00000000 00 04 0a" + hexOf("01", 10) + "0100", ErrField},
		{"I2P of no bytes", CmdAddr, "01 00000000 00 05 00 0100", ErrField},
		{"address of 513 bytes", CmdAddr, "01 00000000 00 99 fd0102" + hexOf("01", 513) + "0100", ErrCount},
		{"address that claims 2^64-1 bytes", CmdAddr, "01 00000000 00 99 ffffffffffffffffff 0100", ErrCount},
		{"services not in their shortest form", CmdAddr, "01 00000000 fd0100 01 04 01020304 0100", ErrVarInt},
		{"address length not in its shortest form", CmdAddr, "01 00000000 00 01 fd0400 01020304 0100", ErrVarInt},
		{"list of 16667 short ids", CmdCmpctShare, hexOf("00", 72) + "01 00 00 fd" + littleEndian(MaxTxs+1) + hexOf("00", 6*(MaxTxs+1)), ErrCount},
		{"list of 16667 copies", CmdCmpctShare, hexOf("01", 72) + "01 00 fd" + littleEndian(MaxTxs+1) + "00", ErrCount},
		{"copies and short ids of 16667 together", CmdCmpctShare, hexOf("01", 72) + "01 00 fd" + littleEndian(MaxTxs) + "01" + hexOf("00", 6), ErrCount},
		{"copies behind the longest base", CmdCmpctShare, hexOf("01", 72) + "01 fd" + littleEndian(MaxTxs) + "01 00", ErrCount},
		{"copies of two segments behind it", CmdCmpctShare, hexOf("01", 72) + "02 fd" + littleEndian(MaxTxs-1) + "01 00 00 01 00", ErrCount},
		{"2^64-1 entries passed over", CmdCmpctShare, hexOf("01", 72) + "01 ffffffffffffffffff 01 00", ErrCount},
		{"an empty segment", CmdCmpctShare, hexOf("01", 72) + "01 01 00 00", ErrCount},
		{"copies of no base", CmdCmpctShare, hexOf("00", 72) + "01 00 01 00", ErrField},
		{"segments that aren't there", CmdCmpctShare, hexOf("01", 72) + "fd1a41" + hexOf("01", 5), ErrTruncated},
		{"16667 segments", CmdCmpctShare, hexOf("01", 72) + "fd" + littleEndian(MaxTxs+1) + hexOf("01", 60_000), ErrCount},
		{"a place behind the longest list", CmdGetShareTxn, hexOf("01", 32) + "01 fd" + littleEndian(MaxTxs), ErrCount},
		{"a second place behind it", CmdGetShareTxn, hexOf("01", 32) + "02 fd" + littleEndian(MaxTxs-1) + "00", ErrCount},
		{"16667 places", CmdGetShareTxn, hexOf("01", 32) + "fd" + littleEndian(MaxTxs+1) + hexOf("00", MaxTxs+1), ErrCount},
		{"no transactions", CmdShareTxn, hexOf("01", 32) + "00 00", ErrCount},
		{"transaction of 59 bytes", CmdShareTxn, hexOf("01", 32) + "00 01 3b" + hexOf("00", 60), ErrCount},
		{"transaction of 1000001 bytes", CmdShareTxn, hexOf("01", 32) + "00 01 fe41420f00" + hexOf("00", 100), ErrCount},
		{"transactions behind the last place", CmdShareTxn, hexOf("01", 32) + "fd" + littleEndian(MaxTxs-1) + "02" + hexOf("00", 200), ErrCount},
		{"block without a share", CmdBlock, "00" + hexOf("00", 200), ErrCount},
		{"block with a coinbase too long", CmdBlock, "50" + hexOf("00", 80) + "fd" + littleEndian(MaxCoinbase+1) + hexOf("00", MaxCoinbase+1), ErrCount},
		{"version longer than 4 KiB", CmdVersion, hexOf("00", 4097), ErrPayloadSize},
	}
	for _, test := range tests {
		_, err := Decode(test.command, unhex(test.payload))
		if rule, ok := errors.AsType[share.RuleError](err); !ok || rule.Kind != test.kind {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
}

func littleEndian(n int) string { return hex.EncodeToString([]byte{byte(n), byte(n >> 8)}) }

func everyPlace() []int {
	list := make([]int, MaxTxs)
	for i := range list {
		list[i] = i
	}
	return list
}

// TestMaxPayload checks the caps against the longest messages.
func TestMaxPayload(t *testing.T) {
	ids := func(n int) []chainhash.Hash { return make([]chainhash.Hash, n) }
	for _, m := range []Message{
		&Inv{IDs: ids(MaxInv)},
		&GetShares{IDs: ids(MaxGetShares), Stops: ids(MaxStops)},
		&NotFound{IDs: ids(MaxGetShares)},
		&GetLocator{Locator: ids(MaxLocator)},
		&Ping{}, &Pong{}, &SetMode{}, &VerAck{}, &GetAddr{}, &AddrMe{Port: 1},
		&ShareTxn{ID: hashOf(1), First: MaxTxs - 1, Raw: [][]byte{make([]byte, MaxTx)}},
	} {
		if m.Size() != m.MaxPayload() {
			t.Errorf("%s: longest payload has %d bytes, the cap is %d", m.Command(), m.Size(), m.MaxPayload())
		}
		if _, err := Decode(m.Command(), m.AppendPayload(nil)); err != nil {
			t.Errorf("%s at its longest: %v", m.Command(), err)
		}
	}
	// What cannot be reached exactly, as not all fields can be long at once.
	each := make([]Segment, MaxTxs)
	for i := range each {
		each[i].Fresh = make([]ShortID, 1)
	}
	list := TxList{Segments: each}
	for _, m := range []Message{
		&CmpctShare{List: list},
		&Block{Share: make([]byte, share.MaxEncodedSize), Coinbase: make([]byte, MaxCoinbase), List: list},
		&GetShareTxn{Indexes: everyPlace()},
	} {
		if m.Size() > m.MaxPayload() || m.MaxPayload() > MaxPayload {
			t.Errorf("%s: longest payload has %d bytes, the cap is %d", m.Command(), m.Size(), m.MaxPayload())
		}
		if _, err := Decode(m.Command(), m.AppendPayload(nil)); err != nil {
			t.Errorf("%s at its longest: %v", m.Command(), err)
		}
	}
	v := &Version{UserAgent: strings.Repeat("a", MaxUserAgent)}
	if v.Size() > v.MaxPayload() {
		t.Errorf("longest version has %d bytes", v.Size())
	}
}
