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
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
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
	// MaxOpenBlocks is the number of found blocks that peers are told of when they connect;
	// see Server.FoundBlock.
	MaxOpenBlocks = compact.MaxOpen
	// backoffMin and backoffMax bound the wait before an address is dialed again;
	// it doubles each time. With the upper one, a quarter more at most, and a dial that
	// has just sent its last SYN in vain, a named node that is in reach again has its
	// connection within 40 s.
	backoffMin = time.Second
	backoffMax = 20 * time.Second
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

	// Weigh tells, without context and within microseconds, whether a share was
	// dear to make: whether its proof of work took a considerable part of what the
	// next share of our chain takes. An error says that it breaks a rule by itself.
	Weigh(s *share.Share) (dear bool, err error)
}

// Config configures a Server.
type Config struct {
	Params *chainparams.Params // magic, ChainID, default port
	Chain  Chain

	// Loading says that Chain isn't loaded yet when Run begins. Until ChainLoaded is called
	// nothing is called of it but Tip, and peers are there for blocks and addresses only.
	Loading bool

	// Listen holds the addresses to listen on, "host:port"; none: don't listen.
	// The host may be empty for all interfaces, the port 0 for any.
	Listen []string
	// Hidden holds the addresses to listen on for the daemons of hidden services.
	Hidden []HiddenService
	// Connect and AddNode hold the addresses to stay connected to, "host" or
	// "host:port". A node with Connect talks to those only: it ignores AddNode,
	// and should be given no Listen.
	Connect, AddNode []string
	// MaxInbound is the number of inbound connections; 0: DefaultMaxInbound.
	MaxInbound int

	// V1Only turns the encrypted transport (BIP 324) off in both directions.
	V1Only bool

	// Patience and StallTimeout take the places of budget.Patience and
	// netsync.StallTimeout in tests; 0: those.
	Patience, StallTimeout time.Duration

	// Blocks takes shares of peers that are Bitcoin blocks; nil: they are shares only.
	Blocks Blocks
	// VerifyTxs judges the block that a peer's share would be; nil: nobody does. It may
	// take long. A share.RuleError ends the connection with who sent the transactions.
	VerifyTxs func(ctx context.Context, s *share.Share, txs []*compact.Tx) error

	Discovery Discovery // how to find peers
	Bans      Bans      // whom to keep out

	Mapping PortMapping // whether to have the router forward the port
	// MaxLAN is the number of connections to nodes found in the local network,
	// usually DefaultLAN. They don't count as any others. 0: none are looked for, and
	// this node does not show itself there. With Connect it counts as 0.
	MaxLAN int

	Mode      message.RelayMode // how to hear of new shares
	UserAgent string            // printable ASCII, at most message.MaxUserAgent

	// Routes says which proxies lead where. Its Direct is not used: Dial is.
	Routes dialer.Config

	// Dial makes outbound connections, those to proxies too; nil: net.Dialer. It must
	// heed the context.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// NetListen opens the listening sockets; nil: net.Listen.
	NetListen func(network, addr string) (net.Listener, error)
	Log       slog.Logger // nil: silent
}

// HiddenService is an address of this machine, "host:port", to which the daemon of
// a network forwards the connections to this node's service there. Whoever comes in
// by it is a peer of that network, and has no address.
type HiddenService struct {
	Listen  string
	Network netaddr.Network // TorV3 or I2P
}

// check completes the configuration and refuses what cannot work.
func (c *Config) check() error {
	if c.Params == nil || c.Chain == nil {
		return errors.New("p2p: Params and Chain are required")
	}
	if len(c.UserAgent) > message.MaxUserAgent {
		return fmt.Errorf("p2p: user agent of %d bytes, at most %d are allowed", len(c.UserAgent), message.MaxUserAgent)
	}
	for _, h := range c.Hidden {
		if h.Network != netaddr.TorV3 && h.Network != netaddr.I2P {
			return fmt.Errorf("p2p: %v has no hidden services", h.Network)
		}
	}
	if c.MaxInbound == 0 {
		c.MaxInbound = DefaultMaxInbound
	}
	if c.Log == nil {
		c.Log = slog.Disabled
	}
	c.Log = limitLog(c.Log)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.NetListen == nil {
		c.NetListen = net.Listen
	}
	if len(c.Connect) > 0 {
		c.AddNode, c.MaxLAN = nil, 0
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
