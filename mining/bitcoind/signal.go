package bitcoind

import (
	"context"
	"encoding/json"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

// Tip is a block that the node has made its best, before its template is here.
type Tip struct {
	Hash   chainhash.Hash
	Header wire.BlockHeader
	Height uint32
	Source Source
	At     time.Time // of the news

	// Guessed says that the node hasn't validated the block yet, as far as is known. The
	// next template tells: on the block, or on another one if it was invalid.
	Guessed bool
}

// sighting is news of a block.
type sighting struct {
	source Source
	hash   chainhash.Hash
	header *wire.BlockHeader // nil where only the hash is known
	at     time.Time

	// trusted says that the endpoint is known to be our node, so that a block on top
	// of the tip needs no question.
	trusted bool
}

// sight takes news of a block. It reports whether the node has to be asked about it.
//
// A header on top of the tip, with its proof of work and by Bitcoin's rules, is believed
// as it stands: to make one up costs as much as to find a block. Everything else, such as
// a hash alone, or a block that doesn't extend the tip, is worth one question.
func (c *Client) sight(s sighting) (ask bool) {
	validated := s.source != SourceCompact
	switch c.tips.note(s.source, s.hash, s.at, validated) {
	case old:
		return false
	case confirmed:
		c.wakePoll() // now there is a template to be had
		return false
	}
	if s.header != nil && s.trusted && c.cfg.CheckHeader != nil && c.onTop(s.header) &&
		hasWork(&s.hash, s.header.Bits) && c.cfg.CheckHeader(s.header) == nil {
		m := move{source: s.source, hash: s.hash, parent: s.header.PrevBlock, at: s.at, guessed: !validated}
		if c.advance(&m, s.header, c.tips.extend) {
			return false
		}
	}
	return validated // of what it hasn't validated the node knows nothing
}

// onTop tells whether a block extends the tip, for now.
func (c *Client) onTop(header *wire.BlockHeader) bool {
	tip, _, known := c.tips.present()
	return known && header.PrevBlock == tip
}

// hasWork tells whether a header's hash meets its own target.
func hasWork(hash *chainhash.Hash, bits uint32) bool {
	t, err := target.FromCompact(bits)
	return err == nil && target.HashMeets(hash, &t)
}

// advance changes the tip, if the condition lets it, and tells of the new one: by its
// template, should that be here (the node may have gone back to it), else by its header.
func (c *Client) advance(m *move, header *wire.BlockHeader, condition func(*move) bool) bool {
	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()
	if !condition(m) {
		return false
	}
	c.log.Debugf("New tip %v at height %d by %v, %v ago", m.hash, m.height, m.source, time.Since(m.at))
	if t := c.Template(); t != nil && t.PrevBlock == m.hash {
		again := *t // another one, so that nobody takes it for what he has
		c.setTemplate(&again)
		c.cfg.OnTemplate(&again)
	} else {
		c.cfg.OnTip(Tip{Hash: m.hash, Header: *header, Height: m.height, Source: m.source, At: m.at, Guessed: m.guessed})
	}
	c.wakePoll()
	return true
}

// wakePoll makes the poll loop fetch a template soon.
func (c *Client) wakePoll() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// askTries is how often a question is asked again when the tip has changed meanwhile.
const askTries = 3

// ask asks the node about a block, and makes it the tip if the node says that it is. It
// reports whether the news was true.
func (c *Client) ask(ctx context.Context, s *sighting) bool {
	for range askTries {
		moves := c.tips.count()
		header, height, err := c.bestHeader(ctx, &s.hash)
		if err != nil && ctx.Err() == nil {
			c.log.Debugf("Block %v, told by %v: %v", s.hash, s.source, err)
		}
		if header == nil { // not the best block, or unknown
			c.tips.refuse(s.source)
			return false
		}
		m := move{source: s.source, hash: s.hash, parent: header.PrevBlock, height: height, at: s.at}
		if c.advance(&m, header, func(m *move) bool { return c.tips.moveIf(m, moves) }) {
			return true
		}
		if tip, _, _ := c.tips.present(); tip == s.hash {
			c.tips.note(s.source, s.hash, s.at, true) // another source was faster
			return true
		}
	}
	return false
}

// bestHeader returns a block's header and height, or nil if the block isn't the best.
func (c *Client) bestHeader(ctx context.Context, hash *chainhash.Hash) (*wire.BlockHeader, uint32, error) {
	raw, err := c.callWithin(ctx, c.lanes.signal, c.timing.ask, "getblockheader", hash.String(), true)
	if err != nil {
		return nil, 0, err
	}
	var reply headerJSON
	if err := json.Unmarshal(raw, &reply); err != nil {
		return nil, 0, newError(ErrBadReply, "the Bitcoin node's answer to getblockheader can't be read: %v", err)
	}
	if reply.Confirmations != 1 {
		return nil, 0, nil
	}
	header, err := reply.header()
	if err == nil {
		err = checkHash(header, hash)
	}
	if err != nil {
		return nil, 0, newError(ErrBadReply, "the Bitcoin node's header of block %v: %v", hash, err)
	}
	return header, reply.Height, nil
}
