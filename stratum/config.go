package stratum

import (
	"errors"
	"fmt"
	"net"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Defaults of Config.
const (
	// DefaultStartDifficulty suits an ASIC of 1 TH/s for its first second; vardiff
	// corrects it within seconds upwards and in a minute downwards.
	DefaultStartDifficulty = 1024
	// DefaultMinDifficulty makes a device of 13 kH/s, slower than any real one,
	// submit 18 times a minute.
	DefaultMinDifficulty = 0.000001
	// DefaultMaxConnections stays below the usual hard limit of file descriptors
	// with room for peers and database.
	DefaultMaxConnections = 10_000
)

// Config is all that a Server needs. It is not changed after New.
type Config struct {
	// Listen holds the TCP addresses to listen on, host:port.
	Listen []string
	// Source gives work and takes solutions.
	Source Source
	// Params is the Bitcoin network whose addresses usernames may hold.
	Params *chaincfg.Params
	// DefaultPayee is the output script paid when a username names no address. Nil
	// refuses such usernames.
	DefaultPayee []byte
	// ClassFor chooses the output class for a user agent; DefaultClass when nil.
	// It must be safe for concurrent use.
	ClassFor func(userAgent string) share.Class
	// StartDifficulty is the difficulty of a new connection that suggests none.
	// 0 means DefaultStartDifficulty.
	StartDifficulty float64
	// MinDifficulty is the least that vardiff goes down to. The share's difficulty
	// caps what a device gets even below it, lest shares be lost. 0 means
	// DefaultMinDifficulty.
	MinDifficulty float64
	// MaxConnections bounds the connections; further ones are closed at once. 0
	// means DefaultMaxConnections.
	MaxConnections int
	// Log may be nil.
	Log slog.Logger
}

// normalize checks the configuration and fills in the defaults.
func (c *Config) normalize() error {
	if c.Source == nil || c.Params == nil {
		return errors.New("stratum: Config needs Source and Params")
	}
	if c.DefaultPayee != nil {
		if err := share.CheckPayee(c.DefaultPayee); err != nil {
			return fmt.Errorf("stratum: the default payee cannot be paid: %w", err)
		}
	}
	for _, addr := range c.Listen {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("stratum: listen address %q is not host:port: %w", addr, err)
		}
	}
	if c.StartDifficulty < 0 || c.MinDifficulty < 0 || c.MaxConnections < 0 {
		return errors.New("stratum: difficulties and connection limit must not be negative")
	}
	if c.StartDifficulty == 0 {
		c.StartDifficulty = DefaultStartDifficulty
	}
	if c.MinDifficulty == 0 {
		c.MinDifficulty = DefaultMinDifficulty
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.ClassFor == nil {
		c.ClassFor = DefaultClass
	}
	if c.Log == nil {
		c.Log = slog.Disabled
	}
	return nil
}
