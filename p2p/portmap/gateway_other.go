//go:build !linux

package portmap

import (
	"fmt"
	"net/netip"

	"github.com/jackpal/gateway"
)

// defaultGateway returns where the default route leads to. The library asks a
// program of the system.
func defaultGateway() (netip.Addr, error) {
	ip, err := gateway.DiscoverGateway()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the gateway cannot be found: %w", err)
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, fmt.Errorf("the gateway %v cannot be used", ip)
	}
	return addr.Unmap(), nil
}
