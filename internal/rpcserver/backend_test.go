package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// fakeBackend answers with values that tests can tell apart.
type fakeBackend struct {
	err     error       // returned by every method if set
	stopped atomic.Bool // Stop was called
	added   string      // by AddNode
	block   chan struct{}
}

func (b *fakeBackend) Info(ctx context.Context) (*Info, error) {
	if b.block != nil {
		select {
		case <-b.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &Info{Version: "test", Network: "regtest", Health: []string{}}, b.err
}

func (b *fakeBackend) Uptime(context.Context) (time.Duration, error) {
	return 90 * time.Second, b.err
}

func (b *fakeBackend) SetLogLevels(_ context.Context, spec string) (map[string]string, error) {
	if spec == "bad" {
		return nil, InvalidParameter("no level %q", spec)
	}
	return map[string]string{"spec": spec}, b.err
}

func (b *fakeBackend) Stop(context.Context) error {
	b.stopped.Store(true)
	return b.err
}

func (b *fakeBackend) ChainInfo(context.Context) (*ChainInfo, error) {
	return &ChainInfo{Height: 7}, b.err
}

func (b *fakeBackend) TipShare(context.Context) (*Share, error) {
	return fakeShare(), b.err
}

func (b *fakeBackend) ShareIDAt(_ context.Context, height uint32) (chainhash.Hash, error) {
	if height > 7 {
		return chainhash.Hash{}, fmt.Errorf("no share at height %d: %w", height, ErrNotFound)
	}
	return chainhash.Hash{byte(height)}, b.err
}

func (b *fakeBackend) Share(_ context.Context, id chainhash.Hash) (*Share, error) {
	if id == (chainhash.Hash{}) {
		return nil, fmt.Errorf("share %v: %w", id, ErrNotFound)
	}
	s := fakeShare()
	s.Hash = id.String()
	return s, b.err
}

func (b *fakeBackend) RecentShares(_ context.Context, count int) ([]ShareSummary, error) {
	if count == 13 {
		panic("a bug in a handler")
	}
	return make([]ShareSummary, count), b.err
}

func (b *fakeBackend) Payouts(_ context.Context, outputs int) (*Payouts, error) {
	if outputs == 12 {
		return nil, fmt.Errorf("no template: %w", ErrNotReady)
	}
	return &Payouts{Class: outputs}, b.err
}

func (b *fakeBackend) FoundBlocks(context.Context, int) ([]FoundBlock, error) { return nil, b.err }
func (b *fakeBackend) Peers(context.Context) ([]PeerInfo, error)              { return nil, b.err }
func (b *fakeBackend) Miners(context.Context) ([]MinerInfo, error)            { return nil, b.err }

func (b *fakeBackend) AddNode(_ context.Context, addr string) error {
	b.added = addr
	return b.err
}

func (b *fakeBackend) Template(context.Context) (*TemplateInfo, error) {
	return &TemplateInfo{BitcoinHeight: 9}, b.err
}

func fakeShare() *Share { return &Share{Hash: "best", Status: "main", Hex: "abcd"} }

var errBackend = errors.New("the disk is on fire")
