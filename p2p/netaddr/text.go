package netaddr

import (
	"bytes"
	"crypto/sha3"
	"encoding/base32"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// What hidden services end in.
const (
	onionSuffix = ".onion"
	i2pSuffix   = ".b32.i2p"
	// onionVersion ends the text of a Tor v3 address, behind key and checksum.
	onionVersion = 3
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// onionChecksum returns the two bytes of the Tor rendezvous specification
// (version 3, "Encoding onion addresses").
func onionChecksum(key []byte) []byte {
	sum := sha3.Sum256(append(append([]byte(".onion checksum"), key...), onionVersion))
	return sum[:2]
}

// Host returns the address without the port, as it is written for users: an IP
// address without brackets, or the name of a hidden service.
func (a Addr) Host() string {
	switch a.network {
	case TorV3:
		key := a.host[:]
		return base32Lower.EncodeToString(append(append(bytes.Clone(key), onionChecksum(key)...), onionVersion)) + onionSuffix
	case I2P:
		return base32Lower.EncodeToString(a.host[:]) + i2pSuffix
	case named:
		return strings.TrimRight(string(a.host[:]), "\x00")
	}
	if ap, ok := a.AddrPort(); ok {
		return ap.Addr().String()
	}
	return "none"
}

// String returns host:port, which can be dialed.
func (a Addr) String() string {
	if !a.IsValid() {
		return a.Host()
	}
	return net.JoinHostPort(a.Host(), strconv.Itoa(int(a.port)))
}

// Parse returns the address of "host:port" or "host", which then gets the default
// port. The host is an IP address or the name of a Tor or I2P service; an IPv6
// address with a port stands in brackets. Other names are refused: they have to
// be resolved first. CJDNS addresses are taken for the IPv6 addresses that they
// look like.
func Parse(text string, defaultPort uint16) (Addr, error) {
	host, port := strings.Trim(text, "[]"), defaultPort
	if _, err := netip.ParseAddr(host); err != nil {
		if h, p, err := net.SplitHostPort(text); err == nil {
			n, err := strconv.ParseUint(p, 10, 16)
			if err != nil {
				return Addr{}, fmt.Errorf("%q: the port must be a number from 0 to 65535", text)
			}
			host, port = h, uint16(n)
		}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return Addr{}, fmt.Errorf("%q has a zone, which means nothing elsewhere", text)
		}
		return FromAddrPort(netip.AddrPortFrom(ip, port)), nil
	}
	lower := strings.ToLower(host)
	if name, ok := strings.CutSuffix(lower, onionSuffix); ok {
		raw, err := base32Lower.DecodeString(name)
		// The decoder passes over line breaks: one text for one address.
		if err != nil || len(raw) != 35 || len(name) != base32Lower.EncodedLen(35) || raw[34] != onionVersion || !bytes.Equal(raw[32:34], onionChecksum(raw[:32])) {
			return Addr{}, fmt.Errorf("%q is not a Tor v3 address; check it for typing errors", text)
		}
		return New(TorV3, raw[:32], port)
	}
	if name, ok := strings.CutSuffix(lower, i2pSuffix); ok {
		raw, err := base32Lower.DecodeString(name)
		if err != nil || len(raw) != 32 || base32Lower.EncodeToString(raw) != name {
			return Addr{}, fmt.Errorf("%q is not an I2P address; check it for typing errors", text)
		}
		return New(I2P, raw, 0)
	}
	return Addr{}, fmt.Errorf("%q is neither an IP address nor a Tor or I2P one", text)
}
