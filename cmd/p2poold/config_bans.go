package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/p2p"
)

// defaultBanTime is p2p/banman's DefaultDuration as users write it.
const defaultBanTime = "24h"

// validateBans parses what is about keeping peers out.
func (c *config) validateBans() error {
	p := &c.P2P
	if len(p.White) > maxAddresses {
		return c.invalid("whitelist", fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	for _, text := range p.White {
		prefix, err := parseNetwork(text)
		if err != nil {
			return c.invalid("whitelist", err)
		}
		p.whitelist = append(p.whitelist, prefix)
	}
	var err error
	if p.banTime, err = time.ParseDuration(p.BanTime); err != nil || p.banTime < 0 {
		return c.invalid("banduration", fmt.Errorf("%q is not a time such as 30m, 24h or 0", p.BanTime))
	}
	if p.banTime != 0 && p.banTime < time.Second {
		return c.invalid("banduration", errors.New("less than a second has no effect; 0 turns it off"))
	}
	return nil
}

// bans says whom to keep out.
func (c *config) bans() p2p.Bans {
	return p2p.Bans{File: filepath.Join(c.netDir, appdir.Bans), Duration: c.P2P.banTime, Whitelist: c.P2P.whitelist}
}
