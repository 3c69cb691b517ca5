package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// maxExternal bounds --externalip: longer lists are not passed on.
const maxExternal = 10

// validateExternal parses the addresses that others are to pass on.
func (c *config) validateExternal() error {
	p := &c.P2P
	switch {
	case len(p.External) == 0:
		return nil
	case len(p.listens()) == 0:
		return c.invalid("externalip", errors.New("nobody could connect: this node does not listen; add --listen"))
	case len(p.External) > maxExternal:
		return c.invalid("externalip", fmt.Errorf("it may be given %d times at most", maxExternal))
	}
	for _, text := range p.External {
		addr, err := c.parseExternal(text)
		switch {
		case err != nil:
			return c.invalid("externalip", err)
		case !addr.HasPort():
			return c.invalid("externalip", fmt.Errorf("%q: there is no port 0", text))
		case !addr.IsRoutable() && c.params.Network != chainparams.Regtest:
			return c.invalid("externalip", fmt.Errorf("%s cannot be reached from the Internet; name the router's address", addr.Host()))
		case !p.serves(addr.Network()):
			return c.invalid("externalip", fmt.Errorf("%v: nobody could connect; add --listen=%s", addr, listenFor(addr.Network())))
		case slices.Contains(p.external, addr):
			return c.invalid("externalip", fmt.Errorf("%v is named twice", addr))
		}
		p.external = append(p.external, addr)
	}
	return nil
}

// parseExternal gives an address without a port the one that others will use: that
// of the first address to listen on, and of a hidden service the network's, for the
// daemon decides which one it forwards to.
func (c *config) parseExternal(text string) (netaddr.Addr, error) {
	if addr, err := netaddr.Parse(text, c.params.DefaultP2PPort); err == nil && addr.Network() == netaddr.TorV3 {
		return addr, nil
	}
	return netaddr.Parse(text, c.listenPort())
}

// listenFor is an example of what --listen needs for an external address.
func listenFor(n netaddr.Network) string {
	if n == netaddr.TorV3 || n == netaddr.I2P {
		return "127.0.0.1:PORT=" + n.String()
	}
	return "ADDR"
}

// listenPort is the port of the first address to listen on, or the network's if
// it is to be any, or there is none.
func (c *config) listenPort() uint16 {
	if len(c.P2P.Listen) == 0 {
		return c.params.DefaultP2PPort
	}
	if _, text, err := net.SplitHostPort(c.P2P.Listen[0]); err == nil {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n != 0 {
			return uint16(n)
		}
	}
	return c.params.DefaultP2PPort
}
