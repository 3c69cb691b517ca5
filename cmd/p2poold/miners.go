package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/p2poold/p2poold/internal/web"
	"github.com/p2poold/p2poold/stratum"
	"github.com/p2poold/p2poold/stratum/tlscert"
)

// buildStratum makes the miners' server with what else there is on its port.
func (n *node) buildStratum() error {
	c := &n.cfg.Stratum
	places, err := n.cfg.minerPlaces(openFiles())
	if err != nil {
		return err
	}
	cfg := stratum.Config{
		Listen: c.Listen, ListenTLS: c.TLSListen, Proxies: c.proxies,
		MaxConnections: places, MaxPerAddress: c.MaxPerIP, Exempt: n.cfg.P2P.whitelist,
		Source: n.minerSource(),
		Params: n.cfg.params.Bitcoin, Payees: n.payees, Notice: n.cfg.payoutNotice(),
		Devices: c.devices, NodeForInvalid: c.InvalidAddress == invalidNode, MinDifficulty: c.MinDifficulty,
		HTTP: n.webPages(), OpenListener: n.openMiners, StateFile: n.cfg.minersFile(), Log: n.logs.logger(subsysStratum),
	}
	if !c.NoTLS {
		n.tlsCert, err = tlscert.Open(tlscert.Config{
			CertFile: c.Cert, KeyFile: c.Key, SelfFile: n.cfg.certFile(),
			Hosts: tlscert.Hosts(slices.Concat(c.Listen, c.TLSListen)), Log: cfg.Log,
		})
		switch {
		case err != nil && c.Cert != "":
			return n.cfg.invalid("stratumcert", err)
		case err != nil:
			return fmt.Errorf("%w; give one with --stratumcert, or --nostratumtls", err)
		}
		cfg.TLS = n.tlsCert.TLSConfig()
	}
	cfg.Log.Debugf("Room for %d connections of miners, the limit on open files is %d", places, openFiles())
	n.stratum, err = stratum.New(cfg)
	return err
}

// minerSource is where miners' work comes from.
func (n *node) minerSource() miningSource { return miningSource{stratum.FromGenerator(n.generator), n} }

// webPages is what browsers see on the miners' port; nil: nothing.
func (n *node) webPages() http.Handler {
	if n.cfg.Stratum.NoStatus {
		return nil
	}
	return web.New(&dashboard{n: n})
}

// openMiners opens a port for miners.
func (n *node) openMiners(ctx context.Context, addr string) (net.Listener, error) {
	fresh := func(_, addr string) (net.Listener, error) { return stratum.ListenTCP(ctx, addr) }
	return n.cfg.control.listener(portsStratum, fresh)("tcp", addr)
}
