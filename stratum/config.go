package stratum

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Defaults of Config.
const (
	// DefaultStartDifficulty suits an ASIC of 1 TH/s for its first second; vardiff
	// corrects it within seconds upwards and in a minute downwards.
	DefaultStartDifficulty = 1024
	// DefaultMinDifficulty makes a device of 130 H/s, far slower than any real one,
	// submit 18 times a minute.
	DefaultMinDifficulty = 0.0000001
	// DefaultMaxConnections is for callers that do not look at the limit on open files.
	DefaultMaxConnections = 10_000
)

// Config is all that a Server needs. It is not changed after New.
type Config struct {
	// Listen holds the TCP addresses to listen on, host:port.
	Listen []string
	// ListenTLS holds further ones, where nothing but TLS is spoken.
	ListenTLS []string
	// OpenListener opens a listener for an address of Listen or ListenTLS, perhaps one
	// that another process had. Nil: a new socket.
	OpenListener func(ctx context.Context, addr string) (net.Listener, error)
	// TLS is the server's side of TLS, on all listeners. Nil: it is refused.
	TLS *tls.Config
	// HTTP answers HTTP requests on all listeners. Nil: they are refused.
	HTTP http.Handler
	// Proxies are the addresses whose PROXY headers are believed.
	Proxies []netip.Prefix
	// Source gives work and takes solutions.
	Source Source
	// Params is the Bitcoin network whose addresses usernames may hold.
	Params *chaincfg.Params
	// Payees says whom jobs pay. Nil stands for the addresses that usernames name,
	// and refuses others.
	Payees Payees
	// Notice is shown to clients whose username names an address, once, with their
	// first job; empty: nothing. It is for what the node takes of their work.
	Notice string
	// Devices knows what devices carry by their user agents. Zero means KnownDevices.
	Devices Devices
	// NodeForInvalid makes usernames that hold an address which cannot be paid mine
	// for the node's own address instead of being refused. The miner is told.
	NodeForInvalid bool
	// StartDifficulty is the difficulty of a new connection that suggests none.
	// 0 means DefaultStartDifficulty.
	StartDifficulty float64
	// MinDifficulty is the least that vardiff goes down to. The share's difficulty
	// caps what a device gets even below it, lest shares be lost. 0 means
	// DefaultMinDifficulty.
	MinDifficulty float64
	// MaxConnections bounds the connections. When there are so many, those that have
	// not logged in make room for new ones; when all have, further ones are closed at
	// once. 0 means DefaultMaxConnections.
	MaxConnections int
	// MaxPerAddress bounds the connections of one IP address, or IPv6 network of 64
	// bits. 0 means a quarter of MaxConnections.
	MaxPerAddress int
	// Exempt are addresses that MaxPerAddress does not hold for, besides loopback.
	Exempt []netip.Prefix
	// StateFile keeps statistics and sessions over a restart; empty: nowhere.
	StateFile string
	// Log may be nil.
	Log slog.Logger
}

// normalize checks the configuration and fills in the defaults.
func (c *Config) normalize() error {
	if c.Source == nil || c.Params == nil {
		return errors.New("stratum: Config needs Source and Params")
	}
	if c.Payees == nil {
		c.Payees = FixedPayee(nil)
	}
	if own, _ := c.Payees.Turn(chainhash.Hash{}); own != nil {
		if err := share.CheckPayee(own); err != nil {
			return fmt.Errorf("stratum: the node's own payee cannot be paid: %w", err)
		}
	}
	if own, _ := c.Payees.Turn(chainhash.Hash{}); own == nil && c.NodeForInvalid {
		return errors.New("stratum: NodeForInvalid needs an own payee")
	}
	for _, addr := range slices.Concat(c.Listen, c.ListenTLS) {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("stratum: listen address %q is not host:port: %w", addr, err)
		}
	}
	if len(c.ListenTLS) > 0 && c.TLS == nil {
		return errors.New("stratum: listeners for TLS need a certificate")
	}
	if c.StartDifficulty < 0 || c.MinDifficulty < 0 || c.MaxConnections < 0 || c.MaxPerAddress < 0 {
		return errors.New("stratum: difficulties and connection limits must not be negative")
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
	if c.OpenListener == nil {
		c.OpenListener = ListenTCP
	}
	if c.Devices.rules == nil && c.Devices.classes == nil {
		c.Devices = KnownDevices()
	}
	if c.Log == nil {
		c.Log = slog.Disabled
	}
	return nil
}
