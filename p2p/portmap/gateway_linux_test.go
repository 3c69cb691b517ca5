package portmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// routes has the head of the kernel's table before its lines. On big-endian
// machines the kernel writes the addresses the other way round.
func routes(lines ...string) string {
	return "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" + strings.Join(lines, "\n")
}

const (
	routeLAN     = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0"
	routeDefault = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0"
	routeWLAN    = "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0"
	routeDown    = "eth1\t00000000\t0103A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0"
	routeHalf    = "tun0\t00000000\t0104A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0"
	routeTunnel  = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0"
)

func TestParseRoutes(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		t.Skip("the lines are of a little-endian machine")
	}
	for _, tc := range []struct {
		table, want string
	}{
		{routes(routeLAN, routeWLAN, routeDown, routeHalf, routeTunnel, routeDefault), "192.168.1.1"},
		{routes(routeWLAN), "192.168.2.1"},
		{routes(routeLAN, routeDown, routeHalf, routeTunnel), ""},
		{routes(), ""},
		{"", ""},
		{"a b c d e f g h\n\x00\n" + routeDefault, "192.168.1.1"},
		{strings.Repeat("x", 1<<20) + "\n" + routeDefault, ""}, // no line of the kernel's
	} {
		got, err := parseRoutes(strings.NewReader(tc.table))
		switch {
		case tc.want == "" && !errors.Is(err, errNoGateway), tc.want != "" && (err != nil || got.String() != tc.want):
			t.Errorf("%.60q: %v, %v", tc.table, got, err)
		}
	}
}

// FuzzParseRoutes: no table makes it fail otherwise than with an error.
func FuzzParseRoutes(f *testing.F) {
	f.Add(routes(routeLAN, routeDefault))
	f.Add(routes(routeDown, routeWLAN))
	f.Add("x\t00000000\t0\t3\t0\t0\t-1\t00000000")
	f.Fuzz(func(t *testing.T, table string) {
		got, err := parseRoutes(strings.NewReader(table))
		if (err == nil) != (got.IsValid() && !got.IsUnspecified()) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestParseRouteAddr: the kernel writes the bytes as they lie in memory.
func TestParseRouteAddr(t *testing.T) {
	n := binary.NativeEndian.Uint32([]byte{192, 168, 1, 1})
	text := fmt.Sprintf("%08X", n)
	if a, ok := parseRouteAddr(text); !ok || a.String() != "192.168.1.1" {
		t.Errorf("%s: %v", text, a)
	}
}
