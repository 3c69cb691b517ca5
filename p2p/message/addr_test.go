package message

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// TestAddrSkipped: addresses of unknown networks and disguised ones are left out,
// those around them stay.
func TestAddrSkipped(t *testing.T) {
	const first, last = "01000000 01 01 04 01020304 0100", "02000000 02 01 04 05060708 0200"
	want := &Addr{List: []netaddr.Record{
		record(1, 1, netaddr.IPv4, "01020304", 1), record(2, 2, netaddr.IPv4, "05060708", 2),
	}}
	for name, entry := range map[string]string{
		"Tor v2":              "00000000 00 03 0a" + hexOf("01", 10) + "0100",
		"Yggdrasil":           "00000000 00 07 10" + hexOf("02", 16) + "0100",
		"unknown, no bytes":   "00000000 00 63 00 0100",
		"unknown, 512 bytes":  "00000000 00 ff fd0002" + hexOf("01", 512) + "0100",
		"network 0":           "00000000 00 00 04 01020304 0100",
		"IPv4 in IPv6":        "00000000 00 02 10" + hexOf("00", 10) + "ffff01020304 0100",
		"Tor v2 in IPv6":      "00000000 00 02 10 fd87d87eeb43" + hexOf("01", 10) + "0100",
		"CJDNS outside of fc": "00000000 00 06 10 fd" + hexOf("01", 15) + "0100",
	} {
		payload := unhex("03" + first + entry + last)
		got, err := Decode(CmdAddr, payload)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got, err := Decode(CmdAddr, unhex("01"+entry)); err != nil || !reflect.DeepEqual(got, &Addr{}) {
			t.Errorf("%s alone: %+v, %v", name, got, err)
		}
		for n := range payload {
			if _, err := Decode(CmdAddr, payload[:n]); err == nil {
				t.Fatalf("%s cut to %d bytes is accepted", name, n)
			}
		}
	}
}

// TestAddrLongest: as many addresses as there may be, of the longest kind, fit;
// and an address known by its strange time and port is kept for others to judge.
func TestAddrLongest(t *testing.T) {
	m := new(Addr)
	for i := range MaxAddrs {
		m.List = append(m.List, record(uint32(i), 1<<64-1, netaddr.TorV3, hexOf("ab", 32), 0))
	}
	if n := m.Size(); n != 3+MaxAddrs*49 || n > m.MaxPayload() {
		t.Errorf("%d bytes, the cap is %d", n, m.MaxPayload())
	}
	got, err := Decode(CmdAddr, m.AppendPayload(nil))
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%v", err)
	}
}

// TestAddrMemory: what an addr claims costs nothing, and a full one no more than
// its records.
func TestAddrMemory(t *testing.T) {
	claims := unhex("fde803" + hexOf("00", 9))
	full := unhex("fde803" + strings.Repeat("00000000 00 63 00 0100", MaxAddrs)) // all left out
	for _, test := range []struct {
		payload []byte
		bytes   uint64
	}{{claims, 2 << 10}, {full, MaxAddrs * 64}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			Decode(CmdAddr, test.payload)
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > test.bytes {
			t.Errorf("%d bytes cost %d, allowed are %d", len(test.payload), n, test.bytes)
		}
	}
}
