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
		HTTP: n.statusPage(), OpenListener: n.openMiners, StateFile: n.cfg.minersFile(), Log: n.logs.logger(subsysStratum),
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

// statusPage is what browsers see on the miners' port; nil: nothing.
func (n *node) statusPage() http.Handler {
	if n.cfg.Stratum.NoStatus {
		return nil
	}
	return web.New(pageStatus{n})
}

// pageStatus tells the status page what everybody may know.
type pageStatus struct{ n *node }

// Status implements web.Backend.
func (p pageStatus) Status(ctx context.Context) (*web.Status, error) {
	info, err := backend(p).Info(ctx)
	if err != nil {
		return nil, err
	}
	status := &web.Status{
		Name: "p2poold", Version: info.Version, Network: info.Network, Pool: info.Pool,
		Starting: info.Starting, Height: info.Height, Bitcoin: info.Bitcoind.BitcoinHeight,
		PoolHashRate: info.PoolHashRate, HashRate: info.HashRate,
		Connections: info.StratumConnections, Peers: info.Peers,
		Reasons: []string{}, NeedsAddress: len(info.Addresses) == 0, TLS: p.n.tlsCert != nil,
	}
	// Strangers are told what miners are. Other reasons of health may name the
	// operator's machines and files.
	if source := p.n.minerSource(); source.Work() != nil {
		status.Working = true
	} else {
		status.Reasons = append(status.Reasons, source.Reason())
	}
	if status.TLS {
		status.Fingerprint = p.n.tlsCert.Info().Fingerprint
	}
	return status, nil
}

// openMiners opens a port for miners.
func (n *node) openMiners(ctx context.Context, addr string) (net.Listener, error) {
	fresh := func(_, addr string) (net.Listener, error) { return stratum.ListenTCP(ctx, addr) }
	return n.cfg.control.listener(portsStratum, fresh)("tcp", addr)
}
