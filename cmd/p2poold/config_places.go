package main

import (
	"errors"
	"fmt"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

const (
	// defaultMaxMiners takes 260 MB: 19,500 connections were measured, with up to 13 kB
	// for each.
	defaultMaxMiners = 20_000
	// maxMaxMiners is more than a machine can serve: each miner submits 18 times a
	// minute.
	maxMaxMiners = 1_000_000
	// minMiners is the least room that a node begins with.
	minMiners = 16
	// otherFiles are descriptors for all that is neither a miner nor a peer nor an RPC
	// client: 128 tables of the database and its journals, log, lock and temporary files, up to 16
	// Bitcoin nodes with some connections each, nodes of merged chains, listeners.
	otherFiles = 400
)

// validateStratumTLS completes what is about encrypted connections of miners.
func (c *config) validateStratumTLS() error {
	s := &c.Stratum
	switch {
	case s.NoTLS && len(s.TLSListen) > 0:
		return c.invalid("nostratumtls", errors.New("--stratumtlslisten asks for the contrary; remove one of them"))
	case s.NoTLS && s.Cert+s.Key != "":
		return c.invalid("nostratumtls", errors.New("--stratumcert and --stratumkey ask for the contrary; remove them or it"))
	case s.Cert != "" && s.Key == "":
		return c.invalid("stratumcert", errors.New("this needs --stratumkey too; it may be the same file"))
	case s.Cert == "" && s.Key != "":
		return c.invalid("stratumkey", errors.New("this needs --stratumcert too"))
	}
	for _, file := range []struct {
		option string
		path   *string
	}{{"stratumcert", &s.Cert}, {"stratumkey", &s.Key}} {
		if *file.path == "" {
			continue
		}
		full, err := appdir.Expand(*file.path)
		if err != nil {
			return c.invalid(file.option, err)
		}
		*file.path = full
	}
	if err := c.complete("stratumtlslisten", s.TLSListen, c.params.DefaultStratumPort, hostport.Listen); err != nil {
		return err
	}
	if err := c.distinct("stratumtlslisten", s.TLSListen, "listen", c.P2P.listens()); err != nil {
		return err
	}
	return c.distinct("stratumtlslisten", s.TLSListen, "stratumlisten", s.Listen)
}

// validatePlaces checks who may connect, and how many.
func (c *config) validatePlaces() error {
	s := &c.Stratum
	if len(s.Proxies) > maxAddresses {
		return c.invalid("proxyprotocol", fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	var err error
	if s.proxies, err = parseNetworks(s.Proxies); err != nil {
		return c.invalid("proxyprotocol", err)
	}
	switch {
	case s.MaxMiners < 0 || s.MaxMiners > maxMaxMiners:
		return c.invalid("maxminers", fmt.Errorf("it must be from 0 to %d", maxMaxMiners))
	case s.MaxPerIP < 0 || s.MaxPerIP > maxMaxMiners:
		return c.invalid("maxminersperip", fmt.Errorf("it must be from 0 to %d", maxMaxMiners))
	}
	return nil
}

// minerPlaces returns how many connections of miners there may be, as the limit on
// open files allows.
func (c *config) minerPlaces(openFiles uint64) (int, error) {
	taken := uint64(c.P2P.MaxPeers + c.maxLAN() + rpcserver.MaxConnections + otherFiles)
	room := 0
	if openFiles > taken {
		room = int(min(openFiles-taken, maxMaxMiners))
	}
	switch wanted := c.Stratum.MaxMiners; {
	case wanted > room:
		return 0, c.invalid("maxminers", fmt.Errorf("the limit on open files, %d, leaves room for %d connections of miners: raise it (ulimit -n, or LimitNOFILE= of systemd) to %d",
			openFiles, room, uint64(wanted)+taken))
	case wanted > 0:
		return wanted, nil
	case room < minMiners:
		return 0, fmt.Errorf("the limit on open files, %d, leaves no room for miners: raise it (ulimit -n, or LimitNOFILE= of systemd) to %d or more, or lower --maxpeers",
			openFiles, taken+1024)
	}
	return min(room, defaultMaxMiners), nil
}
