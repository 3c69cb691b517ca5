package p2p

import (
	"net/netip"
	"testing"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/portmap"
)

// told returns what peers of a kind are told of a server.
func told(s *testServer, kind identity, inbound bool) (addr string, port uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := s.announcement(kind, inbound).(type) {
	case *message.Addr:
		return m.List[0].Addr.String(), 0
	case *message.AddrMe:
		return "", m.Port
	}
	return "", 0
}

// TestMappingAnnounced: the address and port of the router take the place of this
// node's, as long as there are any, and only where nobody hides.
func TestMappingAnnounced(t *testing.T) {
	s := start(t, new(fakechain.Chain), nil)
	listening := portOf(s).Port()
	check := func(when string, kind identity, inbound bool, addr string, port uint16) {
		t.Helper()
		if a, p := told(s, kind, inbound); a != addr || p != port {
			t.Errorf("%s, %v: %q and %d, want %q and %d", when, kind, a, p, addr, port)
		}
	}
	check("without", clearnet, false, "", listening)
	check("without", clearnet, true, "", 0)
	s.setMapping(portmap.Mapping{Protocol: "UPnP", Port: 40001, Addr: netip.MustParseAddr("8.7.6.5")})
	check("mapped", clearnet, false, "8.7.6.5:40001", 0)
	check("mapped", clearnet, true, "8.7.6.5:40001", 0)
	for _, kind := range []identity{proxied, onion, garlic} {
		check("mapped", kind, false, "", 0)
		check("mapped", kind, true, "", 0)
	}
	check("mapped", local, true, "", 0)
	s.setMapping(portmap.Mapping{Protocol: "UPnP", Port: 40002})
	check("without an address", clearnet, false, "", 40002)
	check("without an address", clearnet, true, "", 0)
	s.setMapping(portmap.Mapping{})
	check("lost", clearnet, false, "", listening)
}

// TestMappingExternal: what the operator names counts more.
func TestMappingExternal(t *testing.T) {
	s := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Discovery.External = []netaddr.Addr{mustParse(t, "9.9.9.9:9333")}
	})
	s.setMapping(portmap.Mapping{Protocol: "UPnP", Port: 40001, Addr: netip.MustParseAddr("8.7.6.5")})
	if a, _ := told(s, clearnet, false); a != "9.9.9.9:9333" {
		t.Error(a)
	}
}

// TestMappingOwn: the node does not dial the router's address, and no other for what
// the router once said.
func TestMappingOwn(t *testing.T) {
	s := start(t, new(fakechain.Chain), nil)
	own := func() (list []LocalAddr) { return s.NetworkInfo().Local }
	for _, text := range []string{"8.7.6.5", "8.7.6.6", "8.7.6.7"} {
		s.setMapping(portmap.Mapping{Protocol: "UPnP", Port: 40001, Addr: netip.MustParseAddr(text)})
		if l := own(); len(l) != 1 || l[0] != (LocalAddr{mustParse(t, text+":40001"), FromRouter}) {
			t.Errorf("%s: %v", text, l)
		}
	}
	s.setMapping(portmap.Mapping{Protocol: "UPnP", Port: 40001, Addr: netip.MustParseAddr("192.168.1.1")})
	if l := own(); len(l) != 0 {
		t.Errorf("in the end: %v", l)
	}
}

// TestMappingSoon: peers hear of a new mapping at once.
func TestMappingSoon(t *testing.T) {
	c := newChat(t)
	var count int
	c.announce = func(identity, bool) message.Message {
		count++
		return &message.AddrMe{Port: 1}
	}
	c.meet(1, false)
	c.meet(2, false)
	c.tick(c.now)
	before := count
	c.announceSoon(c.now)
	c.tick(c.now)
	if count != before+2 {
		t.Errorf("%d announcements", count-before)
	}
}

// TestMappingInfo: what RPC shows.
func TestMappingInfo(t *testing.T) {
	s := start(t, new(fakechain.Chain), nil)
	if got := s.PortMapping(); got != (PortMappingInfo{}) {
		t.Errorf("turned off: %+v", got)
	}
	s.mu.Lock()
	s.mapping.mapper = portmap.New(portmap.Config{})
	s.mu.Unlock()
	if got := s.PortMapping(); got != (PortMappingInfo{Enabled: true}) {
		t.Errorf("turned on: %+v", got)
	}
}
