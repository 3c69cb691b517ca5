package web

import (
	"context"
	"sync"
	"time"
)

// Status is what the page shows and status.json holds. Hash rates are hashes per second.
type Status struct {
	Name         string   `json:"name"`         // p2poold
	Version      string   `json:"version"`      // of the program
	Network      string   `json:"network"`      // mainnet, testnet4, signet, regtest
	Pool         string   `json:"pool"`         // name of the pool
	Starting     bool     `json:"starting"`     // the sharechain is not loaded yet
	Height       uint32   `json:"height"`       // of the sharechain's tip
	Bitcoin      uint32   `json:"bitcoin"`      // height of the Bitcoin block that is mined on; 0: not known
	PoolHashRate float64  `json:"poolhashrate"` // estimate for the whole pool
	HashRate     float64  `json:"hashrate"`     // of the miners of this node
	Connections  int      `json:"connections"`  // of miners
	Peers        int      `json:"peers"`        // other nodes connected to
	Working      bool     `json:"working"`      // miners get work
	Reasons      []string `json:"reasons"`      // why miners get no work, in words; empty while they do
	NeedsAddress bool     `json:"needsaddress"` // a miner's user name must be an address
	TLS          bool     `json:"tls"`          // miners may encrypt, on the same port
	Fingerprint  string   `json:"fingerprint"`  // SHA-256 of the certificate, in hex; empty without TLS
}

// Backend tells the node's state.
type Backend interface {
	// Status returns the state now. It is called by one goroutine at a time.
	Status(ctx context.Context) (*Status, error)
}

// freshFor is how long a status is shown before the Backend is asked again.
const freshFor = time.Second

// cached asks the Backend for all requests of a moment together.
type cached struct {
	backend Backend

	mu     sync.Mutex
	status *Status
	asked  time.Time
}

func (c *cached) get(ctx context.Context) (*Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.status == nil || now.Sub(c.asked) >= freshFor {
		status, err := c.backend.Status(ctx)
		if err != nil {
			return nil, err
		}
		c.status, c.asked = status, now
	}
	return c.status, nil
}
