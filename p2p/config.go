package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// Limits.
const (
	// DefaultMaxInbound is the default number of inbound connections: Bitcoin
	// Core's 125 slots less its 11 outbound ones.
	DefaultMaxInbound = 114
	// MaxNodes is the number of addresses kept connected, Connect and AddNode
	// together.
	MaxNodes = 64
	// MaxPendingPerGroup is the number of inbound connections from one address
	// group (IPv4 /16, IPv6 /32) that may be in their handshake.
	MaxPendingPerGroup = 4
	// dialTimeout bounds one dial: at 30 % packet loss TCP connects within 4 s in
	// 95 % of all cases (measured).
	dialTimeout = 30 * time.Second
	// backoffMin and backoffMax bound the wait before an address is dialed again;
	// it doubles each time. The upper one is how often Bitcoin Core tries its
	// added nodes.
	backoffMin = time.Second
	backoffMax = time.Minute
	// backoffReset is how long a connection must have lived for the next wait to
	// be short again.
	backoffReset = time.Minute
	// verifyChunk is the number of shares that the chain judges at a time. Storing
	// them together costs one sync of the disk rather than 64, while others wait for
	// the chain's lock for milliseconds only: a share takes some 100 µs to verify.
	verifyChunk = 64
	// progressInterval is the time between log lines during a sync.
	progressInterval = 10 * time.Second
)

// Chain is the sharechain of the node. All methods must be safe for concurrent
// use.
type Chain interface {
	netsync.Chain

	// AcceptAll judges shares in order and adds the valid ones to the chain. It
	// returns one verdict for each: nil for a valid share, a share.RuleError for an
	// invalid one, a *blockchain.UndecidedError if something is missing, and
	// anything else for duplicates and the node's own trouble. The share whose id
	// is root, zero for none, may be accepted without its parent. What is valid is
	// stored when AcceptAll returns.
	AcceptAll(list []*share.Share, root chainhash.Hash) []error
}

// Config configures a Server.
type Config struct {
	Params *chainparams.Params // magic, ChainID, default port
	Chain  Chain

	// Listen holds the addresses to listen on, "host:port"; none: don't listen.
	// The host may be empty for all interfaces, the port 0 for any.
	Listen []string
	// Connect and AddNode hold the addresses to stay connected to, "host" or
	// "host:port". A node with Connect talks to those only: it ignores AddNode,
	// and should be given no Listen.
	Connect, AddNode []string
	// MaxInbound is the number of inbound connections; 0: DefaultMaxInbound.
	MaxInbound int

	// V1Only turns the encrypted transport (BIP 324) off in both directions.
	V1Only bool

	Discovery Discovery // how to find peers

	Mode      message.RelayMode // how to hear of new shares
	UserAgent string            // printable ASCII, at most message.MaxUserAgent

	// Dial makes outbound connections; nil: net.Dialer. It must heed the context.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  slog.Logger // nil: silent
}

// check completes the configuration and refuses what cannot work.
func (c *Config) check() error {
	if c.Params == nil || c.Chain == nil {
		return errors.New("p2p: Params and Chain are required")
	}
	if len(c.UserAgent) > message.MaxUserAgent {
		return fmt.Errorf("p2p: user agent of %d bytes, at most %d are allowed", len(c.UserAgent), message.MaxUserAgent)
	}
	if c.MaxInbound == 0 {
		c.MaxInbound = DefaultMaxInbound
	}
	if c.Log == nil {
		c.Log = slog.Disabled
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if len(c.Connect) > 0 {
		c.AddNode = nil
	}
	return c.Discovery.check(c)
}

// normalize returns an address as host:port, with the default port if it has
// none.
func normalize(addr string, defaultPort uint16) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = strings.Trim(addr, "[]"), strconv.Itoa(int(defaultPort))
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", fmt.Errorf("%q is not a peer address; write host, host:port or [ipv6]:port", addr)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("peer address %q: %q is not a port, allowed are 1 to 65535", addr, port)
	}
	if host == "" || strings.ContainsAny(host, " /@") {
		return "", fmt.Errorf("%q is not a peer address; write host, host:port or [ipv6]:port", addr)
	}
	return net.JoinHostPort(host, port), nil
}
