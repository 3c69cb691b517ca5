package portmap

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

const (
	// routeFile is the kernel's routing table for IPv4, proc_net_route(5).
	routeFile = "/proc/net/route"
	// maxRoutes is how much of it is read, in bytes: 8,000 routes.
	maxRoutes = 1 << 20
	// rtfUp and rtfGateway are flags of a route that is in use and leads to a gateway
	// (linux/route.h).
	rtfUp      = 1
	rtfGateway = 2
)

var errNoGateway = errors.New("there is no gateway: this machine has no default route for IPv4")

// defaultGateway returns where the default route leads to.
func defaultGateway() (netip.Addr, error) {
	f, err := os.Open(routeFile)
	if err != nil {
		return netip.Addr{}, err
	}
	defer f.Close()
	return parseRoutes(io.LimitReader(f, maxRoutes))
}

// parseRoutes finds the gateway of the default route with the least metric. Lines
// that it does not understand are passed over.
func parseRoutes(r io.Reader) (netip.Addr, error) {
	var best netip.Addr
	least := uint64(math.MaxUint64)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask …
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 16)
		if err != nil || flags&(rtfUp|rtfGateway) != rtfUp|rtfGateway {
			continue
		}
		metric, err := strconv.ParseUint(f[6], 10, 32)
		to, ok1 := parseRouteAddr(f[1])
		mask, ok2 := parseRouteAddr(f[7])
		gateway, ok3 := parseRouteAddr(f[2])
		if err != nil || !ok1 || !ok2 || !ok3 || !to.IsUnspecified() || !mask.IsUnspecified() || gateway.IsUnspecified() {
			continue
		}
		if metric < least {
			best, least = gateway, metric
		}
	}
	if !best.IsValid() {
		return best, errNoGateway
	}
	return best, nil
}

// parseRouteAddr reads an address as the kernel writes it: the four bytes as a
// number of this machine, in hex.
func parseRouteAddr(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return netip.Addr{}, false
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(raw))
	return netip.AddrFrom4(b), true
}
