package bitcoind

import (
	"errors"
	"sync"
	"sync/atomic"
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

	tips        tips
	wake        chan struct{} // asks the poll loop for a template on the tip
	longpolling atomic.Bool   // a longpoll is pending

	latency atomic.Int64 // nanoseconds, see Latency

	deliverMu sync.Mutex // held during callbacks, so that they come one at a time

	stateMu  sync.Mutex // guards what follows
	template *mining.Template
	health   Health
}

// timing holds the durations that tests shorten.
type timing struct {
	poll       time.Duration // between two looks at the best block
	refresh    time.Duration // age at which a template is fetched anew
	longpoll   time.Duration // after which a longpoll is asked again
	gap        time.Duration // between two longpolls for the same block
	settle     time.Duration // that a pending longpoll has to bring a new block's template
	retry      time.Duration // between two requests for a new block's template
	ask        time.Duration // for the answer to a question about a block
	warm       time.Duration // between two uses of the connection that is kept for a block
	hedge      time.Duration // without an answer, before a block goes out over another connection too
	listenMax  time.Duration // between two tries to reach a source of news, at most
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
		// Bitcoin Core answers after a minute if transactions have come; a wait that
		// is given up before costs it a thread, see longpollLoop.
		longpoll: 2 * time.Minute,
		// Bounds the work if a node answers longpolls at once.
		gap: 250 * time.Millisecond,
		// A node that has to make a large template for two would take longer for both.
		settle: 250 * time.Millisecond,
		// Bounds the work if a node's templates lag behind its best block.
		retry: 50 * time.Millisecond,
		ask:   5 * time.Second,
		warm:  idleConn * 3 / 4,
		// Most nodes validate a block in less. One that takes longer gets it a second
		// time for nothing, which costs it a tenth of a second beside that.
		hedge:      time.Second,
		listenMax:  30 * time.Second,
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
	if cfg.OnTip == nil {
		cfg.OnTip = func(Tip) {}
	}
	if cfg.OnHealth == nil {
		cfg.OnHealth = func(Health) {}
	}
	c := &Client{cfg: cfg, end: end, log: cfg.Log, timing: defaultTiming(), lanes: newLanes(defaultTiming().dial),
		wake: make(chan struct{}, 1)}
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
