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
	case len(p.Listen) == 0:
		return c.invalid("externalip", errors.New("nobody could connect: this node does not listen; add --listen"))
	case len(p.External) > maxExternal:
		return c.invalid("externalip", fmt.Errorf("it may be given %d times at most", maxExternal))
	}
	for _, text := range p.External {
		addr, err := netaddr.Parse(text, c.listenPort())
		switch {
		case err != nil:
			return c.invalid("externalip", err)
		case !addr.HasPort():
			return c.invalid("externalip", fmt.Errorf("%q: there is no port 0", text))
		case !addr.IsRoutable() && c.params.Network != chainparams.Regtest:
			return c.invalid("externalip", fmt.Errorf("%s cannot be reached from the Internet; name the router's address", addr.Host()))
		case slices.Contains(p.external, addr):
			return c.invalid("externalip", fmt.Errorf("%v is named twice", addr))
		}
		p.external = append(p.external, addr)
	}
	return nil
}

// listenPort is the port of the first address to listen on, or the network's if
// it is to be any.
func (c *config) listenPort() uint16 {
	if _, text, err := net.SplitHostPort(c.P2P.Listen[0]); err == nil {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n != 0 {
			return uint16(n)
		}
	}
	return c.params.DefaultP2PPort
}
