package rpcserver

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Backend is everything the server asks of the node. Its methods are called
// concurrently from many goroutines, must return promptly once ctx is done
// (each request has a deadline), and return values that nobody changes
// afterwards.
//
// Errors: a *Error is sent to the client as it is, ErrNotFound and ErrNotReady
// (also wrapped) get their codes and the whole error text, anything else is an
// internal error whose text the operator sees.
type Backend interface {
	NodeBackend
	ChainBackend
	PayoutBackend
	PeerBackend
	BanBackend
	NetworkBackend
	MiningBackend
	MergedBackend
}

// NodeBackend answers questions about, and controls, the process as a whole.
type NodeBackend interface {
	// Info returns the node's overall state.
	Info(ctx context.Context) (*Info, error)
	// Uptime returns how long the node has been running.
	Uptime(ctx context.Context) (time.Duration, error)
	// SetLogLevels applies a --debuglevel specification and returns the
	// level of every subsystem afterwards. An empty specification changes
	// nothing. A specification that does not parse changes nothing either
	// and gives an error made with InvalidParameter.
	SetLogLevels(ctx context.Context, spec string) (map[string]string, error)
	// Stop begins an orderly shutdown and returns at once.
	Stop(ctx context.Context) error
	// Restart begins an orderly shutdown after which the program that is installed
	// now goes on, with the ports open meanwhile. It returns when that is certain.
	Restart(ctx context.Context) error
	// Reload reads the conf file again. An error means that nothing has changed.
	Reload(ctx context.Context) (*Reload, error)
}

// ChainBackend reads the sharechain.
type ChainBackend interface {
	// ChainInfo returns the state of the sharechain.
	ChainInfo(ctx context.Context) (*ChainInfo, error)
	// TipShare returns the newest share of the main chain, ErrNotFound
	// while there is none.
	TipShare(ctx context.Context) (*Share, error)
	// ShareIDAt returns the main-chain share at a sharechain height,
	// ErrNotFound beyond the tip or below the oldest share kept.
	ShareIDAt(ctx context.Context, height uint32) (chainhash.Hash, error)
	// Share returns a share with all its fields, ErrNotFound if it is
	// unknown.
	Share(ctx context.Context, id chainhash.Hash) (*Share, error)
	// RecentShares returns up to count (1..MaxShares) shares of the main
	// chain, newest first, each with the uncles it refers to.
	RecentShares(ctx context.Context, count int) ([]ShareSummary, error)
}

// PayoutBackend tells who is owed what, and who was paid.
type PayoutBackend interface {
	// Payouts returns what the payees of a query are owed, what blocks of each
	// class hold for them, and what the next share at the current template
	// would pay them. ErrNotReady while there is no template, an error made
	// with InvalidParameter if there is no such class or address, an *Error
	// with CodeNotFound if the address has no score.
	Payouts(ctx context.Context, q PayoutQuery) (*Payouts, error)
	// PayoutAddresses returns the node's own payout addresses.
	PayoutAddresses(ctx context.Context) ([]PayoutAddress, error)
	// FoundBlocks returns up to count (1..MaxBlocks) Bitcoin blocks found
	// by the pool, newest first, with what last became known of their fate.
	FoundBlocks(ctx context.Context, count int) ([]FoundBlock, error)
}

// PeerBackend reads and changes the node's connections to other nodes.
type PeerBackend interface {
	// Peers returns one entry per connected peer.
	Peers(ctx context.Context) ([]PeerInfo, error)
	// AddNode asks the node to connect to addr ("host:port", or "host" for
	// the network's default port) and to stay connected. It returns without
	// waiting for the connection.
	AddNode(ctx context.Context, addr string) error
	// RelayInfo counts what became of what peers sent.
	RelayInfo(ctx context.Context) (*RelayInfo, error)
}

// MiningBackend reads the state of local mining.
type MiningBackend interface {
	// Miners returns one entry per worker, connected or remembered.
	Miners(ctx context.Context) ([]MinerInfo, error)
	// StratumInfo returns the state of the miners' ports.
	StratumInfo(ctx context.Context) (*StratumInfo, error)
	// MinerAddresses returns the same by address, the highest hash rate first.
	MinerAddresses(ctx context.Context) ([]MinerAddress, error)
	// Template returns a summary of the current block template, ErrNotReady
	// while there is none.
	Template(ctx context.Context) (*TemplateInfo, error)
}
