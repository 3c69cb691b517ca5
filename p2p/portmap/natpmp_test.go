package portmap

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakePMP is a NAT-PMP gateway on this machine.
type fakePMP struct {
	conn *net.UDPConn
	// answer returns what answers a request; nil: nothing.
	answer func(req []byte) []byte

	mu   sync.Mutex
	reqs [][]byte
}

// newFakePMP starts a gateway. The library knows no port but the protocol's own:
// the gateway takes one of this machine's sixteen million addresses.
func newFakePMP(t *testing.T, answer func([]byte) []byte) *fakePMP {
	f := &fakePMP{answer: answer}
	for range 20 {
		ip := net.IPv4(127, byte(1+rand.N(250)), byte(rand.N(250)), byte(1+rand.N(250)))
		var err error
		if f.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: 5351}); err == nil {
			break
		}
	}
	if f.conn == nil {
		t.Skip("this machine has no loopback address but one")
	}
	t.Cleanup(func() { f.conn.Close() })
	go f.serve()
	return f
}

func (f *fakePMP) serve() {
	buf := make([]byte, 2000)
	for {
		n, from, err := f.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		req := append([]byte(nil), buf[:n]...)
		f.mu.Lock()
		f.reqs = append(f.reqs, req)
		f.mu.Unlock()
		if a := f.answer(req); a != nil {
			f.conn.WriteToUDPAddrPort(a, from)
		}
	}
}

// requests returns the requests in hex, each once.
func (f *fakePMP) requests() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, r := range f.reqs {
		list = append(list, fmt.Sprintf("%x", r))
	}
	return strings.Join(list, " ")
}

func (f *fakePMP) protocol(port uint16) *natPMP {
	p := newNATPMP(port, netip.Addr{})
	p.gateway = func() (netip.Addr, error) { return f.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil }
	p.calls = 1
	return p
}

// mapAll answers as a gateway does: external port and lease as given, 0: as
// asked.
func mapAll(port uint16, seconds uint32) func([]byte) []byte {
	return func(req []byte) []byte {
		if req[1] == 0 {
			return []byte{0, 128, 0, 0, 0, 0, 0, 9, 8, 7, 6, 5}
		}
		res := append([]byte{0, 128 + req[1], 0, 0, 0, 0, 0, 9}, req[4:]...)
		if port != 0 {
			binary.BigEndian.PutUint16(res[10:], port)
		}
		if seconds != 0 {
			binary.BigEndian.PutUint32(res[12:], seconds)
		}
		return res
	}
}

// TestNATPMP maps, renews and removes.
func TestNATPMP(t *testing.T) {
	t.Parallel()
	f := newFakePMP(t, mapAll(40001, 100))
	p := f.protocol(9333)
	p.local = netip.MustParseAddr("127.0.0.1")
	for _, want := range []uint16{9333, 40001} {
		g, err := p.add(t.Context(), want)
		if err != nil || g != (grant{40001, netip.MustParseAddr("8.7.6.5"), 100 * time.Second}) {
			t.Fatal(g, err)
		}
	}
	if err := p.remove(t.Context(), 40001); err != nil {
		t.Error(err)
	}
	// RFC 6886, 3.2, 3.3 and 3.4: version, operation (0 address, 2 TCP), reserved,
	// internal and external port, seconds.
	want := "000200002475247500000960 0000 0002000024759c4100000960 0000 000200002475000000000000"
	if got := f.requests(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNATPMPNoAddress: a mapping is one without the router's address, too.
func TestNATPMPNoAddress(t *testing.T) {
	t.Parallel()
	f := newFakePMP(t, func(req []byte) []byte {
		if req[1] == 0 {
			return []byte{0, 128, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0} // no lease of its own
		}
		return mapAll(0, 0)(req)
	})
	if g, err := f.protocol(9333).add(t.Context(), 9333); err != nil || g != (grant{port: 9333, lease: lease}) {
		t.Error(g, err)
	}
}

// TestNATPMPFails: what is no mapping is an error, in time.
func TestNATPMPFails(t *testing.T) {
	mapped := mapAll(0, 0)
	change := func(i int, b byte) func([]byte) []byte {
		return func(req []byte) []byte {
			res := mapped(req)
			res[i] = b
			return res
		}
	}
	for name, tc := range map[string]struct {
		answer func([]byte) []byte
		want   string
	}{
		"refusal":       {change(3, 2), "Not Authorized"},
		"unknown code":  {change(2, 77), "result code"},
		"PCP only":      {change(0, 2), "version 2"},
		"other version": {change(0, 9), "version 9"},
		"other answer":  {change(1, 129), "opcode"},
		"other port":    {change(9, 1), "answered for port"},
		"no lease": {func(req []byte) []byte {
			return append(mapped(req)[:12], 0, 0, 0, 0)
		}, "0 s"},
		"short":  {func([]byte) []byte { return []byte{0} }, "size 1"},
		"empty":  {func([]byte) []byte { return []byte{} }, "size 0"},
		"cut":    {func(req []byte) []byte { return mapped(req)[:15] }, "size 15"},
		"huge":   {func([]byte) []byte { return []byte(strings.Repeat("\xff", 60000)) }, "version 255"},
		"silent": {func([]byte) []byte { return nil }, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := newFakePMP(t, tc.answer).protocol(9333).add(t.Context(), 9333)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if took := time.Since(start); took > 3*pmpTimeout {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestNATPMPGateway: only a gateway in the local network is asked.
func TestNATPMPGateway(t *testing.T) {
	p := newNATPMP(9333, netip.Addr{})
	for _, a := range []string{"8.8.8.8", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"} {
		p.gateway = func() (netip.Addr, error) { return netip.MustParseAddr(a), nil }
		if _, err := p.add(t.Context(), 9333); err == nil || !strings.Contains(err.Error(), "private") {
			t.Errorf("%s: %v", a, err)
		}
	}
}
