package portmux

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pires/go-proxyproto"
)

// header returns a PROXY header from one address to another.
func header(t testing.TB, version byte, from, to string) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, tcpAddr(t, from), tcpAddr(t, to))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tcpAddr(t testing.TB, text string) *net.TCPAddr {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// local is what a proxy sends with a connection of its own, such as a health check.
func local(t testing.TB) []byte {
	t.Helper()
	b, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}).Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadProxyHeader(t *testing.T) {
	longV2 := header(t, 2, "192.0.2.1:1", "192.0.2.2:2")
	longV2[14], longV2[15] = 0x10, 0x00
	longV2 = append(longV2, make([]byte, 4096-12)...)
	hugeV2 := header(t, 2, "192.0.2.1:1", "192.0.2.2:2")
	hugeV2[14], hugeV2[15] = 0xff, 0xff
	udp := header(t, 2, "192.0.2.1:1", "192.0.2.2:2")
	udp[13] = 0x12
	short := header(t, 2, "192.0.2.1:1", "192.0.2.2:2")
	short[15] = 11
	for _, test := range []struct {
		name   string
		header []byte
		client string // "" if the proxy speaks for itself
		bad    bool
	}{
		{"v1", header(t, 1, "192.0.2.1:51234", "198.51.100.1:3333"), "192.0.2.1:51234", false},
		{"v1, IPv6", header(t, 1, "[2001:db8::1]:51234", "[2001:db8::2]:3333"), "[2001:db8::1]:51234", false},
		{"v1, the longest", []byte("PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n"), "", false},
		{"v2", header(t, 2, "192.0.2.1:51234", "198.51.100.1:3333"), "192.0.2.1:51234", false},
		{"v2, IPv6", header(t, 2, "[2001:db8::1]:51234", "[2001:db8::2]:3333"), "[2001:db8::1]:51234", false},
		{"v2, local", local(t), "", false},
		{"v2, much about TLS", longV2, "192.0.2.1:1", false},
		{"v1, too long", []byte("PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n"), "", true},
		{"v1, line feed alone", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), "", true},
		{"v1, no address", []byte("PROXY TCP4 localhost 192.0.2.2 1 2\r\n"), "", true},
		{"v1, port", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 70000\r\n"), "", true},
		{"v1, wrong family", []byte("PROXY TCP4 ::1 ::1 1 2\r\n"), "", true},
		{"v2, huge", hugeV2, "", true},
		{"v2, too short for its addresses", short, "", true},
		{"v2, version 3", append([]byte("\r\n\r\n\x00\r\nQUIT\n\x31"), 0x11, 0, 0), "", true},
	} {
		const rest = `{"id":1}`
		for _, r := range []io.Reader{
			bytes.NewReader(append(bytes.Clone(test.header), rest...)),
			iotest.OneByteReader(bytes.NewReader(append(bytes.Clone(test.header), rest...))),
		} {
			first := make([]byte, 1)
			if _, err := io.ReadFull(r, first); err != nil {
				t.Fatal(err)
			}
			client, beyond, err := readProxyHeader(r, first)
			if test.bad {
				if !errors.Is(err, errBadProxyHeader) {
					t.Errorf("%s: %v, %v", test.name, client, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			got := ""
			if client != nil {
				got = client.String()
			}
			left, err := io.ReadAll(r)
			if got != test.client || string(beyond)+string(left) != rest || err != nil {
				t.Errorf("%s: client %q, then %q and %q, %v", test.name, got, beyond, left, err)
			}
		}
	}
	if client, _, err := readProxyHeader(bytes.NewReader(udp), []byte(nil)); err == nil && client != nil {
		t.Errorf("a client by UDP: %v", client)
	}
}

// FuzzProxyHeader: nothing that a proxy sends is read beyond its bound, or lost.
func FuzzProxyHeader(f *testing.F) {
	f.Add(append(header(f, 1, "192.0.2.1:1", "192.0.2.2:2"), "{}"...))
	f.Add(append(header(f, 2, "[2001:db8::1]:1", "[2001:db8::2]:2"), "{}"...))
	f.Add(local(f))
	f.Add([]byte("PROXY UNKNOWN\r\n\x16\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, _ := Detect(b); p != Proxy {
			t.Skip()
		}
		r := bytes.NewReader(b)
		client, beyond, err := readProxyHeader(r, nil)
		if consumed := len(b) - r.Len(); consumed > maxHeaderV2 {
			t.Fatalf("%d bytes read", consumed)
		}
		if err != nil {
			return
		}
		if !bytes.HasSuffix(b, append(bytes.Clone(beyond), b[len(b)-r.Len():]...)) {
			t.Fatalf("%q was left of %q", beyond, b)
		}
		if client != nil && !addrOf(client).IsValid() {
			t.Fatalf("client %v", client)
		}
	})
}
