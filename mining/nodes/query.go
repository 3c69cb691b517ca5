package nodes

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining/bitcoind"
)

// order returns the nodes in the order in which they are asked: the one that is mined on
// and the other healthy ones, or all if none is healthy.
func (p *Pool) order() []*bitcoind.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	usable := func(i int) bool {
		return p.members[i].health.OK || p.members[i].checked && p.members[i].template == nil
	}
	var first, rest []*bitcoind.Client
	for i, client := range p.clients {
		switch {
		case i == p.current && usable(i):
			first = append([]*bitcoind.Client{client}, first...)
		case usable(i):
			first = append(first, client)
		case i == p.current:
			rest = append([]*bitcoind.Client{client}, rest...)
		default:
			rest = append(rest, client)
		}
	}
	if len(first) > 0 {
		return first
	}
	return rest
}

// ask puts a question to one node after the other until one has an answer. That none
// knows a block says more than that some don't answer.
func ask[T any](ctx context.Context, p *Pool, question func(*bitcoind.Client) (T, error)) (answer T, err error) {
	var failed error
	for _, client := range p.order() {
		if answer, err = question(client); err == nil || ctx.Err() != nil {
			return answer, err
		}
		if failed == nil || errors.Is(err, bitcoind.ErrUnknownBlock) && !errors.Is(failed, bitcoind.ErrUnknownBlock) {
			failed = err
		}
	}
	return answer, failed
}

// TipHash is [bitcoind.Client.TipHash].
func (p *Pool) TipHash(ctx context.Context) (chainhash.Hash, error) {
	return ask(ctx, p, func(c *bitcoind.Client) (chainhash.Hash, error) { return c.TipHash(ctx) })
}

// HashAt is [bitcoind.Client.HashAt].
func (p *Pool) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	return ask(ctx, p, func(c *bitcoind.Client) (chainhash.Hash, error) { return c.HashAt(ctx, height) })
}

// Header is [bitcoind.Client.Header].
func (p *Pool) Header(ctx context.Context, hash chainhash.Hash) (bitcoind.HeaderInfo, error) {
	return ask(ctx, p, func(c *bitcoind.Client) (bitcoind.HeaderInfo, error) { return c.Header(ctx, hash) })
}

// HeadersBack is [bitcoind.Client.HeadersBack].
func (p *Pool) HeadersBack(ctx context.Context, tip chainhash.Hash, n int) ([]bitcoind.HeaderInfo, error) {
	return ask(ctx, p, func(c *bitcoind.Client) ([]bitcoind.HeaderInfo, error) { return c.HeadersBack(ctx, tip, n) })
}

// Block is [bitcoind.Client.Block].
func (p *Pool) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	return ask(ctx, p, func(c *bitcoind.Client) (*wire.MsgBlock, error) { return c.Block(ctx, hash) })
}

// present returns the node that is mined on.
func (p *Pool) present() *bitcoind.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clients[p.current]
}

// ProposeBlock is [bitcoind.Client.ProposeBlock] of the node that is mined on: the
// template is its own, and the others may have another tip.
func (p *Pool) ProposeBlock(ctx context.Context, block []byte) error {
	return p.present().ProposeBlock(ctx, block)
}

// TipStats is [bitcoind.Client.TipStats] of the node that is mined on.
func (p *Pool) TipStats() bitcoind.TipStats { return p.present().TipStats() }
