package web

import (
	"context"
	"errors"
	"net"
)

// Backend tells the node's state. Reason and OnlyTLS are called by many goroutines at
// once, each of the other methods by one at a time.
type Backend interface {
	// Reason says why miners get no work, in words for strangers; "" while they do. It
	// is called for each request of /health.
	Reason() string
	// OnlyTLS reports whether miners must encrypt where a connection came in, by its
	// local address.
	OnlyTLS(local net.Addr) bool
	// Status returns the state now.
	Status(ctx context.Context) (*Status, error)
	// Blocks returns the newest Bitcoin blocks of the pool, up to count, the newest
	// first.
	Blocks(ctx context.Context, count int) ([]Block, error)
	// Miners returns what is known of all miners now.
	Miners(ctx context.Context) (Miners, error)
}

// Miners is what is known of all miners at one moment: a pointer, as states are told apart
// by it. It is asked by one goroutine at a
// time.
type Miners interface {
	// Miner tells of the miners of an address, with at most workers of them, those that
	// do most in front. An address that nothing is known of is no error, and costs next
	// to nothing; ErrNoAddress is the answer to what is no address that can be paid. The
	// text has at most maxAddress bytes, whichever.
	Miner(address string, workers int) (*Miner, error)
}

// ErrNoAddress is the error for texts that are no address of the node's Bitcoin network.
var ErrNoAddress = errors.New("not an address that this pool can pay")

// Status is what the page shows and /api/status holds. Hash rates are hashes per second,
// times Unix times in seconds, 0 for never, and amounts satoshi.
type Status struct {
	Name         string   `json:"name"`         // p2poold
	Version      string   `json:"version"`      // of the program
	Network      string   `json:"network"`      // mainnet, testnet4, signet, regtest
	Pool         string   `json:"pool"`         // name of the pool
	Starting     bool     `json:"starting"`     // the sharechain is not loaded yet
	Syncing      bool     `json:"syncing"`      // the node is catching up with its peers
	Synced       float64  `json:"synced"`       // how far, percent
	Height       uint32   `json:"height"`       // of the sharechain's tip
	LastShare    int64    `json:"lastshare"`    // time of that share
	Difficulty   float64  `json:"difficulty"`   // of the next share
	Bitcoin      uint32   `json:"bitcoin"`      // height of the Bitcoin block that is mined on; 0: not known
	PoolHashRate float64  `json:"poolhashrate"` // estimate for the whole pool
	BlockTime    float64  `json:"blocktime"`    // seconds that the pool needs for a Bitcoin block on average; 0: not known
	HashRate     float64  `json:"hashrate"`     // of the miners of this node
	Connections  int      `json:"connections"`  // of miners
	Workers      int      `json:"workers"`      // on those connections
	Peers        int      `json:"peers"`        // other nodes connected to
	Working      bool     `json:"working"`      // miners get work
	Reasons      []string `json:"reasons"`      // why miners get no work, in words; empty while they do
	NeedsAddress bool     `json:"needsaddress"` // a miner's user name must be an address
	TLS          bool     `json:"tls"`          // miners may encrypt, on the same port
	Fingerprint  string   `json:"fingerprint"`  // SHA-256 of the certificate, in hex; empty without TLS
	Fee          float64  `json:"fee"`          // part of the work of miners with an address of their own that pays this node's, percent
	Donation     float64  `json:"donation"`     // part of all work that is donated, percent
	Next         Next     `json:"next"`         // what the next Bitcoin block of the pool would pay
}

// Next is the payout of the next Bitcoin block, if it were found now.
type Next struct {
	Known     bool   `json:"known"`     // if not, all else is 0: there is no work
	Height    uint32 `json:"height"`    // on Bitcoin's chain
	Value     int64  `json:"value"`     // subsidy and fees
	FinderFee int64  `json:"finderfee"` // of that, what the finder gets on top
	Payees    int    `json:"payees"`    // addresses that are owed something
	Shares    int    `json:"shares"`    // in the window that is paid for, uncles not included
	Uncles    int    `json:"uncles"`    // of those shares
}

// Block is a Bitcoin block of the pool.
type Block struct {
	Hash          string `json:"hash"`          // as block explorers show it
	Height        uint32 `json:"height"`        // on Bitcoin's chain
	ShareHeight   uint32 `json:"shareheight"`   // on the sharechain
	Time          int64  `json:"time"`          // when it was found
	Value         int64  `json:"value"`         // the whole coinbase
	Status        string `json:"status"`        // pending, accepted, matured, orphaned or rejected
	Confirmations int64  `json:"confirmations"` // 1 for Bitcoin's newest block; 0: the Bitcoin node does not have it; -1: not in the best chain
}

// Miner is what is known of an address.
type Miner struct {
	Address        string   `json:"address"`        // in its usual form
	Connections    int      `json:"connections"`    // now
	HashRateMinute float64  `json:"hashrateminute"` // over a minute, from accepted solutions
	HashRate       float64  `json:"hashrate"`       // over five minutes
	HashRateHour   float64  `json:"hashratehour"`   // over an hour
	HashRateDay    float64  `json:"hashrateday"`    // over a day
	Accepted       uint64   `json:"accepted"`       // solutions
	Shares         uint64   `json:"shares"`         // of those, shares
	Stale          uint64   `json:"stale"`          // solutions
	Rejected       uint64   `json:"rejected"`       // solutions, stale ones not included
	BestDifficulty float64  `json:"bestdifficulty"` // of the best solution ever
	LastSubmit     int64    `json:"lastsubmit"`     // of an accepted solution
	Payout         Payout   `json:"payout"`         // of the next Bitcoin block
	WorkerCount    int      `json:"workercount"`    // workers remembered, connected or not
	Workers        []Worker `json:"workers"`        // those that do most, 100 at most
}

// Worker is one worker, on however many connections.
type Worker struct {
	Name           string  `json:"name"`           // behind the address; may be empty
	UserAgent      string  `json:"useragent"`      // of its latest connection, printable ASCII only
	Connections    int     `json:"connections"`    // now
	HashRateMinute float64 `json:"hashrateminute"` // over a minute, from accepted solutions
	HashRate       float64 `json:"hashrate"`       // over five minutes
	HashRateHour   float64 `json:"hashratehour"`   // over an hour
	HashRateDay    float64 `json:"hashrateday"`    // over a day
	Accepted       uint64  `json:"accepted"`       // solutions, since the worker was first seen
	Shares         uint64  `json:"shares"`         // of those, shares
	Stale          uint64  `json:"stale"`          // solutions
	Duplicate      uint64  `json:"duplicate"`      // solutions handed in before
	LowDifficulty  uint64  `json:"lowdifficulty"`  // solutions not as difficult as they had to be
	Invalid        uint64  `json:"invalid"`        // solutions wrong in any other way
	Difficulty     float64 `json:"difficulty"`     // set last
	BestDifficulty float64 `json:"bestdifficulty"` // of its best solution ever
	LastSubmit     int64   `json:"lastsubmit"`     // of an accepted solution
	Class          int     `json:"class"`          // payouts that its coinbase may have
}

// Payout is what the next Bitcoin block holds for an address.
type Payout struct {
	Known   bool     `json:"known"`   // if not, all else is 0: there is no work
	Shares  int      `json:"shares"`  // of the address in the window that is paid for
	Uncles  int      `json:"uncles"`  // likewise
	Place   int      `json:"place"`   // among all payees by what they are owed, from 1; 0: nothing is owed
	Part    float64  `json:"part"`    // of what is owed to all, 0 to 1
	Owed    int64    `json:"owed"`    // satoshi
	Classes []Chance `json:"classes"` // what a block of each output class holds, the smallest class first; empty if nothing is owed
}

// Chance is what a block of one output class holds for an address, while nobody knows
// yet on which share it builds.
type Chance struct {
	Class       int     `json:"class"`       // most payouts
	Exact       bool    `json:"exact"`       // paid what is owed, by every such block
	Probability float64 `json:"probability"` // of being paid, 0 to 1
	Amount      int64   `json:"amount"`      // satoshi, if paid
}
