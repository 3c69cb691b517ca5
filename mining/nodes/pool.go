package nodes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// MaxNodes bounds the nodes of a Pool. Each costs six connections at most, and a block is
// sent to each.
const MaxNodes = 16

const (
	// lookInterval is how often the Pool looks for what only time changes.
	lookInterval = time.Second

	// checkSlack is how long Check waits for the other nodes once one is usable.
	checkSlack = 2 * time.Second
)

// Config is what a [Pool] needs to know.
type Config struct {
	// Nodes are the nodes, the preferred first. OnTemplate, OnTip and OnHealth of each
	// are the Pool's.
	Nodes []bitcoind.Config

	// OnTemplate gets each new template of the node that is mined on, OnTip the first
	// news of a block above the present one from any node, and OnHealth the health of
	// them all together when it changes; all under the conditions of bitcoind.Config.
	OnTemplate func(*mining.Template)
	OnTip      func(bitcoind.Tip)
	OnHealth   func(bitcoind.Health)

	// P2P are addresses of Bitcoin's peer network, host:port, that blocks are sent to
	// besides; UserAgent is our name there.
	P2P       []string
	UserAgent string

	// Log is the subsystem's logger; nil means none.
	Log slog.Logger
}

// Pool is several Bitcoin nodes. See the package documentation.
type Pool struct {
	cfg     Config
	log     slog.Logger
	clients []*bitcoind.Client
	now     func() time.Time

	deliverMu sync.Mutex // held during callbacks, so that they come one at a time

	mu        sync.Mutex // guards what follows
	members   []member   // in the order of clients
	current   int        // whose templates are taken
	noted     int        // whose the log last said it is
	delivered *mining.Template
	on        block           // of delivered, or of news since
	health    bitcoind.Health // as last reported

	preferred  preferred
	portPause  time.Duration // shorter in tests
	submitting sync.WaitGroup
	life       context.Context // of submissions
	end        context.CancelFunc
}

// New returns a Pool that doesn't contact any node yet. Its errors name the option to
// correct.
func New(cfg Config) (*Pool, error) {
	if len(cfg.Nodes) == 0 || len(cfg.Nodes) > MaxNodes {
		return nil, fmt.Errorf("--bitcoind: %d Bitcoin nodes, want 1 to %d", len(cfg.Nodes), MaxNodes)
	}
	p := &Pool{cfg: cfg, log: cfg.Log, now: time.Now, portPause: portPause, members: make([]member, len(cfg.Nodes))}
	if p.log == nil {
		p.log = slog.Disabled
	}
	if p.cfg.OnTemplate == nil {
		p.cfg.OnTemplate = func(*mining.Template) {}
	}
	if p.cfg.OnTip == nil {
		p.cfg.OnTip = func(bitcoind.Tip) {}
	}
	if p.cfg.OnHealth == nil {
		p.cfg.OnHealth = func(bitcoind.Health) {}
	}
	seen := make(map[string]bool)
	for i, node := range cfg.Nodes {
		node.OnTemplate, node.OnTip, node.OnHealth = p.listeners(i)
		client, err := bitcoind.New(node)
		if err != nil {
			return nil, err
		}
		if seen[client.Addr()] {
			return nil, fmt.Errorf("--bitcoind: %s is named twice", client.Addr())
		}
		seen[client.Addr()] = true
		p.members[i].health = client.Health()
		p.clients = append(p.clients, client)
	}
	p.health = p.members[0].health
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// listeners returns the callbacks of a node.
func (p *Pool) listeners(i int) (func(*mining.Template), func(bitcoind.Tip), func(bitcoind.Health)) {
	m := &p.members[i]
	onTemplate := func(t *mining.Template) {
		p.update(nil, func(time.Time) int { m.template, m.announced = t, time.Time{}; return i })
	}
	onTip := func(tip bitcoind.Tip) {
		p.update(&tip, func(now time.Time) int { m.tip, m.announced = tip, now; return i })
	}
	onHealth := func(h bitcoind.Health) {
		p.update(nil, func(time.Time) int { m.health = h; return i })
	}
	return onTemplate, onTip, onHealth
}

// block is one on which miners work.
type block struct {
	hash   chainhash.Hash
	height uint32
}

// Run runs all nodes until ctx ends, and returns ctx's error. It may be called once.
func (p *Pool) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, client := range p.clients {
		wg.Go(func() { _ = client.Run(ctx) }) // always ctx's
	}
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			p.update(nil, func(time.Time) int { return p.current })
			p.askVeto(ctx)
		}
	}
	wg.Wait()
	return ctx.Err()
}

// Check returns nil if at least one node can be mined on, and warns of the others; else
// what is wrong with each. A node that tells of a rule we don't know speaks for all.
func (p *Pool) Check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		node int
		err  error
	}
	results := make(chan result, len(p.clients))
	for i, client := range p.clients {
		go func() { results <- result{i, client.Check(ctx)} }()
	}
	errs := make([]error, len(p.clients))
	usable, slack := 0, (<-chan time.Time)(nil)
	for range p.clients {
		var r result
		select {
		case r = <-results:
		case <-slack:
			cancel() // the others answer at once
			slack = nil
			r = <-results
		}
		if errs[r.node] = r.err; r.err == nil {
			usable++
			slack = time.After(checkSlack)
		}
	}
	if usable == 0 {
		return joinErrors(errs)
	}
	for _, err := range errs {
		if errors.Is(err, bitcoind.ErrUnknownRule) {
			return err
		}
	}
	for i, err := range errs {
		if errors.Is(err, context.Canceled) {
			err = fmt.Errorf("the Bitcoin node at %s is slow to answer", p.clients[i].Addr())
		}
		if err != nil {
			p.log.Warnf("Going on without a Bitcoin node: %v", err)
		}
	}
	p.checked(errs)
	return nil
}

// checked notes which nodes can be asked before Run knows.
func (p *Pool) checked(errs []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.members {
		p.members[i].checked = errs[i] == nil
	}
	for i := range p.members {
		if p.members[i].checked {
			p.current, p.noted = i, i
			return
		}
	}
}

// Template returns the newest template of the node that is mined on, or nil.
func (p *Pool) Template() *mining.Template {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered
}

// Health tells whether any node can be mined on; if not, what is wrong with each.
func (p *Pool) Health() bitcoind.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}

// severalErrors is what is wrong with each of several nodes.
type severalErrors []error

// Error implements the error interface.
func (e severalErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives errors.Is and errors.As all of them.
func (e severalErrors) Unwrap() []error { return e }

// joinErrors returns the errors as one, those that are nil left out.
func joinErrors(errs []error) error {
	var list severalErrors
	for _, err := range errs {
		if err != nil {
			list = append(list, err)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}
