package bitcoind

import (
	"errors"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/mining"
)

// Client talks to one Bitcoin node. See the package documentation for concurrency.
type Client struct {
	cfg       Config
	end       *endpoint
	challenge []byte // that the signet must have; nil on other networks
	log       slog.Logger
	timing    timing
	lanes     lanes

	asked string // the last id a longpoll waited on; longpollLoop's alone

	deliverMu sync.Mutex // held during callbacks, so that they come one at a time

	stateMu     sync.Mutex // guards what follows
	template    *mining.Template
	deliveredAt time.Time // of template
	health      Health
	dialed      string // the address that last took a connection; "" if none has
}

// timing holds the durations that tests shorten.
type timing struct {
	poll       time.Duration // between two looks at the best block
	refresh    time.Duration // age at which a template is fetched anew
	longpoll   time.Duration // after which a longpoll is asked again
	gap        time.Duration // between two longpolls for the same block
	backoffMin time.Duration // between the first two tries to reach the node
	backoffMax time.Duration // between two tries, at most
	grace      time.Duration // for which a reachable node may fail to answer
	probe      time.Duration // without an answer, before we see if the node still listens
	dial       time.Duration // for a TCP connection
	call       time.Duration // for any other call
}

// defaultTiming returns the durations of real life.
func defaultTiming() timing {
	return timing{
		// A poll costs the node some 0.1 ms; a second is 1/600 of a block.
		poll: time.Second,
		// Bitcoin Core's longpoll looks at the mempool once a minute only.
		refresh: 30 * time.Second,
		// rpcclient gives an HTTP request one minute, then waits before it tries again.
		longpoll: 50 * time.Second,
		// Bounds the work if a node answers longpolls at once.
		gap:        250 * time.Millisecond,
		backoffMin: 250 * time.Millisecond,
		backoffMax: 5 * time.Second,
		// A node may hold its locks for seconds while it connects a block.
		grace: 5 * time.Second,
		probe: time.Second,
		dial:  5 * time.Second,
		call:  30 * time.Second,
	}
}

// New returns a client for the configured node. It doesn't contact the node. Its errors
// name the option to correct.
func New(cfg Config) (*Client, error) {
	if cfg.Params == nil {
		return nil, errors.New("bitcoind: no Bitcoin network given")
	}
	end, err := parseEndpoint(&cfg)
	if err != nil {
		return nil, err
	}
	if cfg.OnTemplate == nil {
		cfg.OnTemplate = func(*mining.Template) {}
	}
	if cfg.OnHealth == nil {
		cfg.OnHealth = func(Health) {}
	}
	c := &Client{cfg: cfg, end: end, log: cfg.Log, timing: defaultTiming(), lanes: newLanes()}
	if c.log == nil {
		c.log = slog.Disabled
	}
	if isSignet(cfg.Params) {
		if c.challenge = cfg.SignetChallenge; c.challenge == nil {
			c.challenge = chaincfg.DefaultSignetChallenge
		}
	}
	c.health = Health{Kind: ErrStarting, Reason: "no contact with the Bitcoin node yet"}
	return c, nil
}

// isSignet tells whether params are those of a signet, default or custom.
func isSignet(params *chaincfg.Params) bool {
	return params.Name == chaincfg.SigNetParams.Name
}

// Addr returns the node's address, host:port, without credentials.
func (c *Client) Addr() string { return c.end.addr }

// Template returns the newest template that Run delivered, or nil.
func (c *Client) Template() *mining.Template {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.template
}
