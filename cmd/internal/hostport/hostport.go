// Package hostport completes and checks the network addresses that users type.
package hostport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxHost is the length of the longest DNS name.
const maxHost = 253

// Listen checks an address to listen on and adds the default port if it has
// none. An empty host means all interfaces, port 0 any free port.
func Listen(addr string, defaultPort uint16) (string, error) {
	host, port, err := split(addr, defaultPort)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

// Dial checks an address to connect to and adds the default port if it has
// none.
func Dial(addr string, defaultPort uint16) (string, error) {
	host, port, err := split(addr, defaultPort)
	switch {
	case err != nil:
		return "", err
	case host == "":
		return "", fmt.Errorf("%q has no host", addr)
	case port == 0:
		return "", fmt.Errorf("%q: there is no port 0", addr)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

// split takes "host", "host:port", ":port", an IPv6 address with or without
// brackets, or "[v6]:port" apart.
func split(addr string, defaultPort uint16) (host string, port uint16, err error) {
	addr = strings.TrimSpace(addr)
	if addr == "" {
		return "", 0, errors.New("the address is empty")
	}
	if strings.Contains(addr, "://") {
		return "", 0, fmt.Errorf("%q: write host:port, without a scheme", addr)
	}
	if ip, err := netip.ParseAddr(unbracketed(addr)); err == nil {
		return ip.String(), defaultPort, nil
	}
	host, port = addr, defaultPort
	if strings.Contains(addr, ":") {
		var text string
		if host, text, err = net.SplitHostPort(addr); err != nil {
			return "", 0, fmt.Errorf("%q is not an address: write host:port, IPv6 as [::1]:port", addr)
		}
		if addr[0] == '[' && !strings.Contains(host, ":") {
			return "", 0, fmt.Errorf("%q: only IPv6 addresses stand in brackets", addr)
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return "", 0, fmt.Errorf("%q: the port must be a number from 1 to 65535", addr)
		}
		port = uint16(n)
	}
	if err := checkHost(host); err != nil {
		return "", 0, fmt.Errorf("%q: %w", addr, err)
	}
	return host, port, nil
}

// unbracketed removes the brackets around an IPv6 address.
func unbracketed(addr string) string {
	if inner, ok := strings.CutPrefix(addr, "["); ok {
		if inner, ok := strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			return inner
		}
	}
	return addr
}

// checkHost accepts what could be an IP address or a DNS name.
func checkHost(host string) error {
	if host == "" {
		return nil
	}
	if strings.Contains(host, ":") { // can only be IPv6
		if _, err := netip.ParseAddr(host); err != nil {
			return errors.New("this is not an IPv6 address")
		}
		return nil
	}
	if len(host) > maxHost {
		return errors.New("the host name is too long")
	}
	numeric := true
	for _, c := range []byte(host) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && c != '-' && c != '.' && c != '_' {
			return fmt.Errorf("a host name cannot contain %q", string(rune(c)))
		}
		numeric = numeric && (digit || c == '.')
	}
	if _, err := netip.ParseAddr(host); numeric && err != nil {
		return errors.New("this is neither an IP address nor a host name")
	}
	return nil
}
