package netaddr

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	// onion is the example of BIP 155, and its key.
	onion    = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
	onionKey = "\x79\xbc\xc6\x25\x18\x4b\x05\x19\x49\x75\xc2\x8b\x66\xb6\x6b\x04\x69\xf7\xf6\x55\x6f\xb1\xac\x31\x89\xa7\x9b\x40\xdd\xa3\x2f\x1f"
	// i2p is the example of BIP 155, and its hash.
	i2p     = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p"
	i2pHash = "\xa2\x89\x4d\xab\xae\xc0\x8c\x00\x51\xa4\x81\xa6\xda\xc8\x8b\x64\xf9\x82\x32\xae\x42\xd4\xb6\xfd\x2f\xa8\x19\x52\xdf\xe3\x6a\x87"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in, out string // out is empty if in is refused
		network Network
	}{
		{"1.2.3.4", "1.2.3.4:9333", IPv4},
		{"1.2.3.4:5", "1.2.3.4:5", IPv4},
		{"1.2.3.4:0", "1.2.3.4:0", IPv4},
		{"[::ffff:1.2.3.4]:5", "1.2.3.4:5", IPv4},
		{"2001:db8::1", "[2001:db8::1]:9333", IPv6},
		{"[2001:db8::1]", "[2001:db8::1]:9333", IPv6},
		{"[2001:db8::1]:5", "[2001:db8::1]:5", IPv6},
		{onion, onion + ":9333", TorV3},
		{strings.ToUpper(onion) + ":5", onion + ":5", TorV3},
		{i2p, i2p + ":0", I2P},
		{i2p + ":5", i2p + ":0", I2P},
		{in: "q" + onion[1:]}, {in: onion[1:]}, {in: i2p[1:]}, {in: "x1" + i2p[2:]}, {in: "expyuzz4wqqyqhjn.onion"},
		{in: ""}, {in: "example.org"}, {in: "example.org:5"}, {in: "1.2.3.4:66000"}, {in: "1.2.3.4:-1"}, {in: "1.2.3.4:5:6"},
		{in: "fe80::1%eth0"}, {in: "[fe80::1%eth0]:5"}, {in: ".onion"}, {in: ".b32.i2p"},
	}
	for _, test := range tests {
		a, err := Parse(test.in, 9333)
		if (err == nil) != (test.out != "") || err == nil && (a.String() != test.out || a.Network() != test.network) {
			t.Errorf("%q gives %v %v, %v; want %q", test.in, a.Network(), a, err, test.out)
		}
		if err != nil {
			continue
		}
		if again, err := Parse(a.String(), 1); err != nil || again != a {
			t.Errorf("%v parses to %v, %v", a, again, err)
		}
	}
	for text, key := range map[string]string{onion: onionKey, i2p: i2pHash} {
		if a, _ := Parse(text, 1); !bytes.Equal(a.Bytes(), []byte(key)) {
			t.Errorf("%s has the bytes %x", text, a.Bytes())
		}
	}
}

// TestPublished: the addresses that other documents and programs publish: Tor's
// rendezvous specification, version 3, Bitcoin Core's tests of addresses, and
// BIP 155.
func TestPublished(t *testing.T) {
	for _, text := range []string{
		onion, // of both
		"sp3k262uwy4r2k3ycr5awluarykdpag6a7y33jxop4cs2lu5uz5sseqd.onion",
		"xa4r2iadxm55fbnqgwwi5mymqdcofiu3w6rpbtqn7b2dyn7mgwj64jyd.onion",
		i2p,
		"UDHDrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jna.b32.I2P",
	} {
		a, err := Parse(text, 9333)
		if err != nil || a.Host() != strings.ToLower(text) || !a.IsRoutable() {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for why, text := range map[string]string{
		"wrong checksum":       "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscsad.onion",
		"wrong version":        "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscrye.onion",
		"zero byte":            "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd\x00wtf.onion",
		"line break":           "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd\n.onion",
		"length":               "mfrggzak.onion",
		"no base32":            "mf*g zak.onion",
		"Tor v2":               "6hzph5hv6337r6p2.onion",
		"I2P, too short":       "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jn=.b32.i2p",
		"I2P, padding":         "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jna=.b32.i2p",
		"I2P, zero byte":       "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jna\x00wtf.b32.i2p",
		"I2P, other last bits": "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jnb.b32.i2p",
		"I2P, a name":          "pool.i2p",
	} {
		if a, err := Parse(text, 1); err == nil {
			t.Errorf("%s: %q became %v", why, text, a)
		}
	}
	// CJDNS looks like IPv6 in text; its bytes tell by the network.
	host := []byte("\xfc\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00\x07")
	if a, err := New(CJDNS, host, 9333); err != nil || a.String() != "[fc00:1:2:3:4:5:6:7]:9333" {
		t.Errorf("%v, %v", a, err)
	}
}

func TestNew(t *testing.T) {
	ip6 := func(s string) []byte { return netip.MustParseAddr(s).AsSlice() }
	tests := []struct {
		network Network
		host    []byte
		err     error
	}{
		{IPv4, make([]byte, 4), nil},
		{IPv6, make([]byte, 16), nil},
		{TorV3, make([]byte, 32), nil},
		{I2P, make([]byte, 32), nil},
		{CJDNS, ip6("fc00::1"), nil},
		{CJDNS, ip6("fd00::1"), ErrDisguised},
		{IPv6, ip6("::ffff:1.2.3.4"), ErrDisguised},
		{IPv6, ip6("fd87:d87e:eb43::1"), ErrDisguised},
		{IPv4, make([]byte, 5), ErrSize},
		{IPv6, make([]byte, 4), ErrSize},
		{TorV3, nil, ErrSize},
		{3, make([]byte, 10), ErrNetwork},
		{0, nil, ErrNetwork},
		{named, make([]byte, 32), ErrNetwork},
	}
	for _, test := range tests {
		a, err := New(test.network, test.host, 7)
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) || a.IsValid() != (err == nil) {
			t.Errorf("%v %x: %v, %v", test.network, test.host, a, err)
		}
		if err == nil && (!bytes.Equal(a.Bytes(), test.host) || a.Port() != 7 || !slices.Equal(a.AppendBytes(nil), test.host)) {
			t.Errorf("%x became %v", test.host, a)
		}
	}
	if (Addr{}).IsValid() || FromAddrPort(netip.AddrPort{}) != (Addr{}) {
		t.Error("the zero address is valid")
	}
	if n := Named("seed.example.org"); n.IsValid() || n.IsRoutable() || n.String() != "seed.example.org" || n.Group() == Named("x").Group() {
		t.Errorf("%v", n)
	}
}

func TestRoutable(t *testing.T) {
	for text, want := range map[string]bool{
		"1.2.3.4": true, "8.8.8.8": true, "223.255.255.255": true, "2a00::1": true, "2001:200::1": true, "2600::": true,
		onion: true, i2p: true,
		"0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "169.254.1.1": false,
		"172.31.0.1": false, "192.0.2.1": false, "192.168.0.1": false, "198.19.0.1": false, "203.0.113.9": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::": false, "::1": false, "fe80::1": false, "fc00::1": false, "fd00::1": false, "ff02::1": false,
		"2001:db8::1": false, "2002:102:304::1": false, "2001::1": false, "64:ff9b::102:304": false, "4000::": false,
	} {
		if a, err := Parse(text, 1); err != nil || a.IsRoutable() != want {
			t.Errorf("%s: routable %v, %v", text, a.IsRoutable(), err)
		}
	}
	cjdns, _ := New(CJDNS, append([]byte{0xfc}, make([]byte, 15)...), 1)
	if !cjdns.IsRoutable() || (Addr{}).IsRoutable() {
		t.Error("CJDNS is routable, nothing is not")
	}
}

func TestGroup(t *testing.T) {
	same := [][2]string{
		{"1.2.3.4:1", "1.2.200.4:2"}, {"2a00:1:2::1", "2a00:1:3::9"}, {"[::ffff:1.2.3.4]:1", "1.2.9.9"},
	}
	other := [][2]string{{"1.2.3.4", "1.3.3.4"}, {"2a00:1::", "2a00:2::"}, {onion, i2p}, {"1.2.3.4", "102::"}}
	for i, list := range [][][2]string{same, other} {
		for _, pair := range list {
			a, err1 := Parse(pair[0], 1)
			b, err2 := Parse(pair[1], 1)
			if err := errors.Join(err1, err2); err != nil || (a.Group() == b.Group()) != (i == 0) {
				t.Errorf("%v and %v: one group %v, %v", a, b, a.Group() == b.Group(), err)
			}
			if (a.Alone() == b.Alone()) || a.Alone() != a.WithPort(a.Port()).Alone() {
				t.Errorf("%v alone", a)
			}
		}
	}
	// All keys of Tor make sixteen groups.
	groups := make(map[Group]bool)
	for i := range 256 {
		a, _ := New(TorV3, append([]byte{byte(i)}, make([]byte, 31)...), 1)
		groups[a.Group()] = true
	}
	if len(groups) != 16 {
		t.Errorf("%d groups of Tor", len(groups))
	}
}

func TestHasPort(t *testing.T) {
	for text, want := range map[string]bool{"1.2.3.4:0": false, "1.2.3.4:1": true, onion + ":0": false, i2p: true} {
		if a, _ := Parse(text, 9); a.HasPort() != want {
			t.Errorf("%v: %v", a, a.HasPort())
		}
	}
	a, _ := Parse(i2p, 0)
	if a.WithPort(5).HasPort() {
		t.Error("I2P with a port")
	}
}

// TestKeys: what differs has different keys and texts.
func TestKeys(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) Addr {
		n := rapid.SampledFrom([]Network{IPv4, IPv6, TorV3, I2P, CJDNS}).Draw(t, "network")
		host := rapid.SliceOfN(rapid.ByteRange(0, 1), n.Size(), n.Size()).Draw(t, "host")
		if n == CJDNS {
			host[0] = cjdnsByte
		}
		a, err := New(n, host, uint16(rapid.IntRange(0, 1).Draw(t, "port")))
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := addr.Draw(t, "a"), addr.Draw(t, "b")
		if bytes.Equal(a.AppendKey(nil), b.AppendKey(nil)) != (a == b) || (a.String() == b.String()) != (a == b) && a.Network() != I2P {
			t.Fatalf("%v and %v", a, b)
		}
		if bytes.Equal(a.Group().AppendKey(nil), b.Group().AppendKey(nil)) != (a.Group() == b.Group()) {
			t.Fatalf("groups of %v and %v", a, b)
		}
	})
}

// FuzzParse: no text makes it fail otherwise than with an error, and what it
// accepts reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3.4:5", "[::1]:5", "::", onion, i2p, "a:b:c", "[fe80::1%x]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text, 9)
		if err != nil {
			return
		}
		if again, err := Parse(a.String(), 1); !a.IsValid() || err != nil || again != a {
			t.Fatalf("%q gives %v, then %v, %v", text, a, again, err)
		}
	})
}
