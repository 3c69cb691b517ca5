package mining

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Chain is what mining needs of the sharechain. All methods are called
// concurrently.
type Chain interface {
	// Tip returns the newest tip.
	Tip() *blockchain.Tip
	// Payouts returns what the coinbase of a share on top of parent pays.
	Payouts(parent chainhash.Hash, headerBits uint32, value int64, class share.Class) (payout.Result, error)
	// Accept judges a share and stores it if it is valid.
	Accept(s *share.Share) error
}

// Node is what mining needs of the Bitcoin node.
type Node interface {
	// SubmitBlock offers a serialized block found here and returns nil once the node has
	// accepted it or has had it already. No node gets the block's end before safe is
	// closed, which it soon is; nil stands for a closed one.
	SubmitBlock(ctx context.Context, block RawBlock, safe <-chan struct{}) error
	// SubmitPeerBlock is SubmitBlock for a block of another node, which mustn't hold up
	// those found here.
	SubmitPeerBlock(ctx context.Context, block RawBlock) error
}

// maxTemplateAge is how old a template may become before work on it stops. A
// healthy node sends one every 30 s even when nothing happens; after two minutes
// of silence a new Bitcoin block has been missed with a chance of 18 %, and work
// on an old block earns nothing.
const maxTemplateAge = 2 * time.Minute

// waitingForTemplate is the reason for having no work after the start.
const waitingForTemplate = "waiting for the first template from the Bitcoin node"

// Config is what a Generator is made of.
type Config struct {
	Params *chainparams.Params
	Chain  Chain
	Node   Node
	Tag    []byte           // coinbase tag, at most share.MaxTag bytes, share.MaxTagMerged with Merged
	Merged Merged           // what jobs commit to of other chains; may be nil
	Found  func(*Found)     // called for every share and block found here, see Found; may be nil
	Log    slog.Logger      // nil for none
	Now    func() time.Time // nil for time.Now

	Journal Journal // remembers blocks; may be nil
}

// Generator makes Work. Its lock is never held while anything else is called
// but Chain.Tip and Chain.Payouts.
type Generator struct {
	cfg Config

	mu       sync.Mutex
	template *Template
	node     string // why the node gives no templates, "" if it does
	hold     string // why there must be no work for other reasons, "" if none
	work     *Work
	reason   string // why work is nil
	watchers map[chan struct{}]struct{}

	proposing bool      // a proposal is under way
	proposed  *Template // the last that was
	proposals int       // begun so far
	refused   error     // why the node refuses even a block without transactions; nil: it doesn't

	peerBlocks atomic.Int32 // other nodes' blocks on their way to the Bitcoin node
	submitting sync.WaitGroup
	submitCtx  context.Context
	giveUp     context.CancelFunc
}

// NewGenerator returns a Generator without work: it waits for a template.
func NewGenerator(cfg Config) (*Generator, error) {
	maxTag := share.MaxTag
	if cfg.Merged != nil {
		maxTag = share.MaxTagMerged
	}
	if len(cfg.Tag) > maxTag {
		return nil, fmt.Errorf("coinbase tag of %d bytes, at most %d are allowed", len(cfg.Tag), maxTag)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Journal == nil {
		cfg.Journal = noJournal{}
	}
	if cfg.Found == nil {
		cfg.Found = func(*Found) {}
	}
	g := &Generator{
		cfg:      cfg,
		reason:   waitingForTemplate,
		watchers: make(map[chan struct{}]struct{}),
	}
	g.submitCtx, g.giveUp = context.WithCancel(context.Background())
	return g, nil
}

// Work returns the newest work, or nil while there is none.
func (g *Generator) Work() *Work {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.work
}

// Reason says in one sentence why Work returns nil, and is "" when it does not.
func (g *Generator) Reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// Template returns the newest template, or nil.
func (g *Generator) Template() *Template {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.template
}

// SetTemplate takes a checked template and makes work of it. An empty one never takes
// the place of another template on the same block.
func (g *Generator) SetTemplate(t *Template) {
	g.mu.Lock()
	if t.Empty && g.template != nil && g.template.PrevBlock == t.PrevBlock {
		g.mu.Unlock()
		return
	}
	g.template, g.refused = t, nil
	if !t.Empty { // which says nothing of how the node is
		g.node = ""
	}
	g.mu.Unlock()
	g.rebuild()
}

// SetNodeHealth tells whether the Bitcoin node answers; reason is "" if so. Work
// goes on with the last template until that is too old.
func (g *Generator) SetNodeHealth(reason string) {
	g.mu.Lock()
	changed := g.node != reason
	g.node = reason
	g.mu.Unlock()
	if changed {
		g.rebuild()
	}
}

// Hold stops work with a reason, such as an unfinished synchronisation, until it
// is called with "".
func (g *Generator) Hold(reason string) {
	g.mu.Lock()
	changed := g.hold != reason
	g.hold = reason
	g.mu.Unlock()
	if changed {
		g.rebuild()
	}
}

// ChainChanged makes new work after a new share tip.
func (g *Generator) ChainChanged() { g.rebuild() }

// Tick lets time pass: it ends work on a template that has become too old.
func (g *Generator) Tick() {
	g.mu.Lock()
	expired := g.work != nil && g.tooOld(g.template)
	g.mu.Unlock()
	if expired {
		g.rebuild()
	}
}

// Subscribe returns a channel that gets a value soon after each change of Work
// or Reason; several changes in a row may count as one. The caller ends the
// subscription with cancel.
func (g *Generator) Subscribe() (changed <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	g.mu.Lock()
	g.watchers[ch] = struct{}{}
	g.mu.Unlock()
	return ch, func() {
		g.mu.Lock()
		delete(g.watchers, ch)
		g.mu.Unlock()
	}
}

// rebuild joins the current template and tip.
func (g *Generator) rebuild() {
	g.mu.Lock()
	defer g.mu.Unlock()
	work, err := g.build()
	switch {
	case err != nil:
		if g.reason != err.Error() {
			g.cfg.Log.Warnf("No work for miners: %v", err)
		}
		g.work, g.reason = nil, err.Error()
	default:
		if g.reason != "" {
			g.cfg.Log.Infof("Work for miners at Bitcoin height %d, share height %d", work.template.Height, work.tip.NextHeight)
		}
		g.work, g.reason = work, ""
		g.propose(work)
	}
	for ch := range g.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// build makes work or says why there is none. The caller holds the lock.
func (g *Generator) build() (*Work, error) {
	t := g.template
	switch {
	case g.hold != "":
		return nil, errors.New(g.hold)
	case g.refused != nil:
		return nil, g.refused
	case t == nil && g.node != "":
		return nil, errors.New(g.node)
	case t == nil:
		return nil, errors.New(waitingForTemplate)
	case g.tooOld(t):
		if g.node != "" {
			return nil, errors.New(g.node)
		}
		return nil, fmt.Errorf("no template from the Bitcoin node since %s", t.Received.UTC().Format(time.TimeOnly))
	}
	work, err := newWork(&g.cfg, t, g.cfg.Chain.Tip(), g.work)
	if err != nil {
		return nil, err
	}
	// What no device could mine is no work.
	return work, work.check()
}

func (g *Generator) tooOld(t *Template) bool {
	return g.cfg.Now().Sub(t.Received) > maxTemplateAge
}

// shutdownGrace is how long the end of the program waits for a block that the
// Bitcoin node has not taken yet.
const shutdownGrace = time.Minute

// Wait blocks until no submission to the Bitcoin node is under way. It gives up
// those that take longer than a minute.
func (g *Generator) Wait() {
	timer := time.AfterFunc(shutdownGrace, g.giveUp)
	defer timer.Stop()
	g.submitting.Wait()
}
