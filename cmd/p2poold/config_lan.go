package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// validateLAN refuses to have forwarded what nobody listens on, and sets mdns.
func (c *config) validateLAN() error {
	p := &c.P2P
	for _, opt := range []struct {
		name string
		on   bool
	}{{"upnp", p.UPnP}, {"natpmp", p.NATPMP}} {
		switch {
		case !opt.on:
		case len(p.Listen) == 0:
			return c.invalid(opt.name, errors.New("there is nothing to forward: this node does not listen; add --listen"))
		case !slices.ContainsFunc(p.Listen, p2p.CanBeMapped):
			return c.invalid(opt.name, fmt.Errorf("no router can forward to %s; listen on all interfaces, or on this machine's IPv4 address", p.Listen[0]))
		}
	}
	p.mdns = !p.NoMDNS && len(p.Connect) == 0 && p.Proxy == "" && (len(p.only) == 0 || slices.Contains(p.only, netaddr.IPv4))
	if _, named := c.origin["nomdns"]; c.params.Network == chainparams.Regtest && !named {
		// All regtest nodes of the world have the same sharechain's ID, and those of
		// one machine belong to different tests.
		p.mdns = false
	}
	return nil
}

// mapping says how to have the port forwarded.
func (c *config) mapping() p2p.PortMapping {
	return p2p.PortMapping{UPnP: c.P2P.UPnP, NATPMP: c.P2P.NATPMP}
}

// maxLAN is the number of connections to nodes of the local network.
func (c *config) maxLAN() int {
	if !c.P2P.mdns {
		return 0
	}
	return p2p.DefaultLAN
}
