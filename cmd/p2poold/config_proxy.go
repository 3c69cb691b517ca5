package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Default ports of proxies: Tor's, and that of i2pd.
const (
	defaultTorPort = 9050
	defaultI2PPort = 4447
)

// noProxy is the value that turns a proxy off.
const noProxy = "0"

// validateProxy completes the addresses of the proxies and sets only.
func (c *config) validateProxy() error {
	p := &c.P2P
	for _, opt := range []struct {
		name  string
		value *string
		port  uint16
	}{{"proxy", &p.Proxy, defaultTorPort}, {"onion", &p.Onion, defaultTorPort}, {"i2p", &p.I2P, defaultI2PPort}} {
		switch *opt.value {
		case "":
			continue
		case noProxy:
			if opt.name != "onion" {
				*opt.value = ""
			}
			continue
		}
		full, err := hostport.Dial(*opt.value, opt.port)
		if err != nil {
			return c.invalid(opt.name, err)
		}
		*opt.value = full
	}
	return c.validateOnlyNet()
}

// validateOnlyNet parses the networks to find nodes in, and refuses those that
// there is no way into.
func (c *config) validateOnlyNet() error {
	p := &c.P2P
	for _, text := range p.OnlyNet {
		n, err := parseNet(text)
		if err != nil {
			return c.invalid("onlynet", err)
		}
		if slices.Contains(p.only, n) {
			return c.invalid("onlynet", fmt.Errorf("%v is named twice", n))
		}
		switch {
		case n == netaddr.TorV3 && p.Onion == noProxy:
			return c.invalid("onlynet", errors.New("--onion=0 forbids connections to Tor; name its SOCKS5 port, or remove onion here"))
		case n == netaddr.TorV3 && p.Onion == "" && p.Proxy == "":
			return c.invalid("onlynet", errors.New("there is no way into Tor; give --onion or --proxy"))
		case n == netaddr.I2P && p.I2P == "":
			return c.invalid("onlynet", errors.New("there is no way into I2P; give --i2p"))
		}
		p.only = append(p.only, n)
	}
	return nil
}

// parseNet returns a network that nodes can be found in.
func parseNet(text string) (netaddr.Network, error) {
	for _, n := range []netaddr.Network{netaddr.IPv4, netaddr.IPv6, netaddr.TorV3, netaddr.I2P} {
		if strings.EqualFold(text, n.String()) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q is not a network; allowed are ipv4, ipv6, onion and i2p", text)
}

// takeHidden moves the addresses for hidden services from Listen to hidden.
func (c *config) takeHidden() error {
	p := &c.P2P
	var plain []string
	for _, text := range p.Listen {
		addr, kind, ok := strings.Cut(text, "=")
		if !ok {
			plain = append(plain, text)
			continue
		}
		n, err := parseNet(kind)
		if err != nil || n != netaddr.TorV3 && n != netaddr.I2P {
			return c.invalid("listen", fmt.Errorf("%q: behind the address there may be =onion or =i2p", text))
		}
		full, err := hostport.Listen(addr, c.params.DefaultP2PPort)
		switch {
		case err != nil:
			return c.invalid("listen", err)
		case !indoors(full):
			return c.invalid("listen", fmt.Errorf("%q: name an address of this machine that only the daemon of the hidden service can reach, such as 127.0.0.1", text))
		}
		p.hidden = append(p.hidden, p2p.HiddenService{Listen: full, Network: n})
	}
	p.Listen = plain
	if err := c.complete("listen", p.Listen, c.params.DefaultP2PPort, hostport.Listen); err != nil {
		return err
	}
	// Each of them has an address of its own.
	for i, h := range p.hidden {
		others := slices.Clone(p.Listen)
		for _, o := range p.hidden[:i] {
			others = append(others, o.Listen)
		}
		if slices.Contains(others, h.Listen) && !strings.HasSuffix(h.Listen, ":0") {
			return c.invalid("listen", fmt.Errorf("%s is named twice: a hidden service needs a port of its own", h.Listen))
		}
	}
	if len(p.Listen)+len(p.hidden) > maxAddresses {
		return c.invalid("listen", fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	return nil
}

// indoors reports whether an address to listen on is a loopback or private one:
// whoever comes in there counts as a stranger without an address, whom no limit per
// address holds for.
func indoors(hostPort string) bool {
	if onlyLoopback(hostPort) {
		return true
	}
	ap, err := netip.ParseAddrPort(hostPort)
	return err == nil && ap.Addr().Unmap().IsPrivate()
}

// listens returns all addresses that other nodes are accepted on.
func (p *p2pConfig) listens() []string {
	list := slices.Clone(p.Listen)
	for _, h := range p.hidden {
		list = append(list, h.Listen)
	}
	return list
}

// serves reports whether other nodes are accepted by a network: IPv4 and the like by
// a listener that is not for a hidden service.
func (p *p2pConfig) serves(n netaddr.Network) bool {
	if n != netaddr.TorV3 && n != netaddr.I2P {
		return len(p.Listen) > 0
	}
	return slices.ContainsFunc(p.hidden, func(h p2p.HiddenService) bool { return h.Network == n })
}

// routes says which proxies lead where.
func (c *config) routes() dialer.Config {
	p := &c.P2P
	r := dialer.Config{Proxy: p.Proxy, Onion: p.Onion, I2P: p.I2P, I2PPort: c.params.DefaultP2PPort, Only: p.only}
	if p.Onion == noProxy {
		r.Onion, r.NoOnion = "", true
	}
	return r
}
