package tlscert

import (
	"net"
	"net/netip"
	"os"
	"slices"
)

// Hosts returns the names under which miners may reach a server that listens on these
// addresses, host:port: the hosts themselves, this machine's name, and for all
// interfaces their addresses.
func Hosts(listen []string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	add := func(host string) {
		if host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if name, err := os.Hostname(); err == nil {
		add(name)
	}
	for _, addr := range listen {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			continue
		}
		ip, err := netip.ParseAddr(host)
		if host != "" && (err != nil || !ip.IsUnspecified()) {
			add(host)
			continue
		}
		for _, ip := range interfaceAddrs() {
			add(ip)
		}
	}
	return hosts
}

// interfaceAddrs returns the addresses of this machine that others can use.
func interfaceAddrs() (list []string) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr(); err == nil && ip.IsGlobalUnicast() {
			list = append(list, ip.Unmap().String())
		}
	}
	return list
}
