package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/connmgr"
)

// maxMaxPeers bounds --maxpeers: a peer may cost 240 kB of what it sends and as much of
// what it doesn't read, v2 the former twice.
const maxMaxPeers = 1000

// maxAddresses bounds each repeatable option.
const maxAddresses = 100

// validateP2P completes the addresses of the pool's network and decides whether
// to listen: --connect alone means that only the nodes named are wanted, and where they
// take all of --maxpeers nobody else can be let in.
func (c *config) validateP2P() error {
	p, port := &c.P2P, c.params.DefaultP2PPort
	switch {
	case p.NoListen && len(p.Listen) > 0:
		return c.invalid("nolisten", errors.New("--listen asks for the contrary; remove one of them"))
	case len(p.Connect) > 0 && len(p.AddNode) > 0:
		return c.invalid("addnode", errors.New("--connect allows connections to the nodes it names only; use it for all of them, or --addnode for all"))
	case p.MaxPeers < 1 || p.MaxPeers > maxMaxPeers:
		return c.invalid("maxpeers", fmt.Errorf("it must be from 1 to %d", maxMaxPeers))
	case len(p.Connect)+len(p.AddNode) > p.MaxPeers:
		return c.invalid("maxpeers", fmt.Errorf("it is %d, but %d nodes are named with --connect or --addnode", p.MaxPeers, len(p.Connect)+len(p.AddNode)))
	}
	if err := c.validateProxy(); err != nil {
		return err
	}
	full := len(p.Connect)+len(p.AddNode) == p.MaxPeers
	if full && len(p.Listen) > 0 {
		return c.invalid("maxpeers", fmt.Errorf("the nodes named take all %d connections and leave none for --listen; raise it, or remove --listen", p.MaxPeers))
	}
	if (full || len(p.Connect) > 0 || p.Proxy != "") && len(p.Listen) == 0 {
		p.NoListen = true
	}
	if len(p.Listen) == 0 && !p.NoListen {
		p.Listen = []string{fmt.Sprintf(":%d", port)}
	}
	if err := c.takeHidden(); err != nil {
		return err
	}
	if err := errors.Join(
		c.complete("connect", p.Connect, port, hostport.Dial),
		c.complete("addnode", p.AddNode, port, hostport.Dial),
	); err != nil {
		return err
	}
	if err := c.validateBans(); err != nil {
		return err
	}
	if err := c.validateLAN(); err != nil {
		return err
	}
	return c.validateExternal()
}

// validateStratum completes the addresses for miners.
func (c *config) validateStratum() error {
	if len(c.Stratum.Listen) == 0 {
		c.Stratum.Listen = []string{fmt.Sprintf(":%d", c.params.DefaultStratumPort)}
	}
	if err := c.complete("stratumlisten", c.Stratum.Listen, c.params.DefaultStratumPort, hostport.Listen); err != nil {
		return err
	}
	if err := c.distinct("stratumlisten", c.Stratum.Listen, "listen", c.P2P.listens()); err != nil {
		return err
	}
	return errors.Join(c.validateStratumTLS(), c.validatePlaces(), c.validateMiners())
}

// validateRPC completes the addresses and credentials of the control interface.
func (c *config) validateRPC() error {
	r := &c.RPC
	if r.Disable {
		if len(r.Listen) > 0 {
			return c.invalid("norpc", errors.New("--rpclisten asks for the contrary; remove one of them"))
		}
		return nil
	}
	if len(r.Listen) == 0 {
		r.Listen = []string{fmt.Sprintf("127.0.0.1:%d", c.params.DefaultRPCPort)}
	}
	if err := c.complete("rpclisten", r.Listen, c.params.DefaultRPCPort, hostport.Listen); err != nil {
		return err
	}
	for other, addrs := range map[string][]string{"listen": c.P2P.listens(), "stratumlisten": c.Stratum.Listen, "stratumtlslisten": c.Stratum.TLSListen} {
		if err := c.distinct("rpclisten", r.Listen, other, addrs); err != nil {
			return err
		}
	}
	if err := c.validateRPCLogin(); err != nil {
		return err
	}
	return c.validateAllowIP()
}

// validateRPCLogin checks that there is exactly one way to log in.
func (c *config) validateRPCLogin() error {
	r := &c.RPC
	switch {
	case r.User == "" && r.Pass != "":
		return c.invalid("rpcpass", errors.New("this needs --rpcuser too"))
	case r.User != "" && r.Pass == "":
		return c.invalid("rpcuser", errors.New("this needs --rpcpass too; without both a cookie file is used"))
	case strings.Contains(r.User, ":"):
		return c.invalid("rpcuser", errors.New("a user name cannot contain a colon"))
	case r.User != "" && r.CookieFile != "":
		return c.invalid("rpccookiefile", errors.New("there is no cookie when --rpcuser and --rpcpass are set; remove one or the other"))
	case r.User != "":
		return nil
	case r.CookieFile == "":
		r.CookieFile = filepath.Join(c.netDir, appdir.CookieFile)
		return nil
	}
	var err error
	if r.CookieFile, err = appdir.Expand(r.CookieFile); err != nil {
		return c.invalid("rpccookiefile", err)
	}
	return nil
}

// validateAllowIP parses the networks that may send commands, and refuses an
// address to listen on that nobody could use.
func (c *config) validateAllowIP() error {
	r := &c.RPC
	if len(r.AllowIP) > maxAddresses {
		return c.invalid("rpcallowip", fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	var err error
	if r.allow, err = parseNetworks(r.AllowIP); err != nil {
		return c.invalid("rpcallowip", err)
	}
	for _, addr := range r.Listen {
		if len(r.allow) == 0 && !onlyLoopback(addr) {
			return c.invalid("rpclisten", fmt.Errorf("%s lets other machines connect, but none is allowed to; add --rpcallowip, or listen on 127.0.0.1", addr))
		}
	}
	return nil
}

// parseNetworks returns the networks of a list.
func parseNetworks(texts []string) (list []netip.Prefix, err error) {
	for _, text := range texts {
		prefix, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		list = append(list, prefix)
	}
	return list, nil
}

// parseNetwork returns the network of "address/bits", or of an IP address alone.
func parseNetwork(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a network such as 10.0.0.0/8", text)
		}
		prefix = netip.PrefixFrom(ip, ip.BitLen())
	}
	return prefix.Masked(), nil
}

// onlyLoopback reports whether a listening address can be reached from this
// machine only. Host names other than localhost count as reachable.
func onlyLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// complete replaces each address by its full form.
func (c *config) complete(option string, addrs []string, port uint16, form func(string, uint16) (string, error)) error {
	if len(addrs) > maxAddresses {
		return c.invalid(option, fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	for i := range addrs {
		full, err := form(addrs[i], port)
		switch {
		case err != nil:
			return c.invalid(option, err)
		case slices.Contains(addrs[:i], full) && !strings.HasSuffix(full, ":0"):
			return c.invalid(option, fmt.Errorf("%s is named twice", full))
		}
		addrs[i] = full
	}
	return nil
}

// distinct makes sure that two servers don't want the same address.
func (c *config) distinct(option string, addrs []string, other string, taken []string) error {
	for _, addr := range addrs {
		if slices.Contains(taken, addr) && !strings.HasSuffix(addr, ":0") {
			return c.invalid(option, fmt.Errorf("%s is the address of --%s already", addr, other))
		}
	}
	return nil
}

// outboundSlots is what found nodes take of --maxpeers: full connections, share-only
// ones, and one for a moment, a feeler or an extra one.
const outboundSlots = connmgr.DefaultFull + connmgr.DefaultShareOnly + 1

// slots divides what the named nodes leave of --maxpeers between found nodes, with
// full and with share-only connections, and those that connect to us. Found nodes get
// half of it at most, full connections first, and none with --connect. If nothing is
// left there is no listener either.
func (c *config) slots() (full, shareOnly, inbound int) {
	rest := c.P2P.MaxPeers - len(c.P2P.Connect) - len(c.P2P.AddNode)
	found := 0
	if len(c.P2P.Connect) == 0 {
		found = min(outboundSlots, rest/2)
	}
	full = min(found, connmgr.DefaultFull)
	shareOnly = min(found-full, connmgr.DefaultShareOnly)
	return full, shareOnly, rest - found
}

// discovery says how to find other nodes.
func (c *config) discovery() p2p.Discovery {
	d := p2p.Discovery{File: c.peersFile(), External: c.P2P.external, FixedSeeds: c.params.FixedSeeds()}
	if !c.P2P.NoSeeds {
		d.DNSSeeds = c.params.DNSSeeds()
	}
	d.Outbound, d.ShareOnly, _ = c.slots()
	return d
}
