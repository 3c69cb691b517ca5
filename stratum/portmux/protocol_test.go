package portmux

import (
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		bytes   string
		want    Protocol
		decided bool
	}{
		{"", Unknown, false},
		{"{", Stratum, true},
		{`{"id":1`, Stratum, true},
		{"\n", Unknown, false},
		{" \r\n\t{", Stratum, true},
		{strings.Repeat("\n", maxSniff-1), Unknown, false},
		{strings.Repeat("\n", maxSniff), Stratum, true},
		{"\x16", Unknown, false},
		{"\x16\x03\x01", TLS, true},
		{"\x16\x02", Unknown, true},
		{"G", Unknown, false}, {"GE", Unknown, false}, {"GET", Unknown, false},
		{"GET /", HTTP, true}, {"OPTIONS", Unknown, false}, {"OPTIONS *", HTTP, true},
		{"GETX", Unknown, true}, {"get /", Unknown, true}, {"GET\r\n", Unknown, true},
		{"P", Unknown, false}, {"PR", Unknown, false}, {"PROXY TCP4", Proxy, true}, {"POST /", HTTP, true},
		{"PRI * HTTP/2.0", Unknown, true},
		{"PROXY\t", Unknown, true},
		{"\r\n\r\n", Unknown, false}, {"\r\n\r\n\x00", Unknown, false},
		{string(proxyproto.SIGV2), Proxy, true},
		{"\r\n\r\n\x00\r\nQUIX", Unknown, true},
		{"\r\n\r\n\x01", Unknown, true},
		{"SSH-2.0-", Unknown, true}, {"\x00\x00", Unknown, true}, {"[]", Unknown, true}, {"\x80\x2e", Unknown, true},
	} {
		if got, decided := Detect([]byte(test.bytes)); got != test.want || decided != test.decided {
			t.Errorf("%q: %v, %v; want %v, %v", test.bytes, got, decided, test.want, test.decided)
		}
	}
}

// FuzzDetect: it decides in time, and what was decided stays, whatever follows.
func FuzzDetect(f *testing.F) {
	for _, s := range signatures {
		f.Add([]byte(s.bytes + "rest of it"))
	}
	f.Add([]byte(" \n{\"id\":1}"))
	f.Add([]byte("                0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		final, ok := Unknown, false
		for n := range len(b) + 1 {
			p, decided := Detect(b[:n])
			if ok && (!decided || p != final) {
				t.Fatalf("%q: %v, then %v (%v)", b[:n], final, p, decided)
			}
			final, ok = p, decided
			if !decided && (n >= maxSniff || p != Unknown) {
				t.Fatalf("%q: not decided, %v", b[:n], p)
			}
		}
	})
}
