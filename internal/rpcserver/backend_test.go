package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// fakeBackend answers with values that tests can tell apart.
type fakeBackend struct {
	err     error       // returned by every method if set
	stopped atomic.Bool // Stop was called
	added   string      // by AddNode
	bans    bans        // what was asked about them
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

func (b *fakeBackend) Payouts(_ context.Context, q PayoutQuery) (*Payouts, error) {
	if q.Outputs == 12 {
		return nil, fmt.Errorf("no template: %w", ErrNotReady)
	}
	if q.Address != "" {
		q.Count = 1
	}
	rows := make([]Payout, q.Count)
	for i := range rows {
		rows[i] = largestPayout(q.Address)
	}
	return &Payouts{Class: q.Outputs, Skipped: q.Skip, Payouts: rows}, b.err
}

// largestPayout has the most digits that a payee can have.
func largestPayout(address string) Payout {
	const score = "6277101735386680763835789423207666416102355444464034512895" // 2¹⁹² − 1
	p := Payout{Script: strings.Repeat("5", 68), Address: address, Score: score, Owed: share.MaxMoney, Amount: share.MaxMoney}
	if address == "" {
		p.Address = "bcrt1p" + strings.Repeat("q", 58)
	}
	for _, class := range share.Classes() {
		p.Classes = append(p.Classes, ClassChance{Class: class.Outputs(), Probability: 1.2345678901234567e-100, Amount: share.MaxMoney})
	}
	return p
}

func (b *fakeBackend) NetworkInfo(context.Context) (*NetworkInfo, error) {
	return &NetworkInfo{Networks: []NetworkState{{Name: "onion", Proxy: "127.0.0.1:9050"}}}, b.err
}

func (b *fakeBackend) PayoutAddresses(context.Context) ([]PayoutAddress, error) { return nil, b.err }

func (b *fakeBackend) FoundBlocks(context.Context, int) ([]FoundBlock, error) { return nil, b.err }
func (b *fakeBackend) Peers(context.Context) ([]PeerInfo, error)              { return nil, b.err }
func (b *fakeBackend) Restart(context.Context) error                          { return b.err }
func (b *fakeBackend) Reload(context.Context) (*Reload, error) {
	return &Reload{Changed: []string{"fee"}, Restart: []string{}}, b.err
}
func (b *fakeBackend) Miners(context.Context) ([]MinerInfo, error)            { return nil, b.err }
func (b *fakeBackend) MinerAddresses(context.Context) ([]MinerAddress, error) { return nil, b.err }

func (b *fakeBackend) StratumInfo(context.Context) (*StratumInfo, error) {
	return &StratumInfo{Miners: 5, Counts: StratumCounts{Evicted: 6}}, b.err
}

func (b *fakeBackend) RelayInfo(context.Context) (*RelayInfo, error) {
	return &RelayInfo{Shares: RelayedShares{Valid: 1}, Transactions: RelayedTxLists{AtOnce: 2}, Blocks: RelayedBlocks{Rebuilt: 3}}, b.err
}

func (b *fakeBackend) AddNode(_ context.Context, addr string) error {
	b.added = addr
	return b.err
}

func (b *fakeBackend) Template(context.Context) (*TemplateInfo, error) {
	return &TemplateInfo{BitcoinHeight: 9}, b.err
}

func fakeShare() *Share { return &Share{Hash: "best", Status: "main", Hex: "abcd"} }

var errBackend = errors.New("the disk is on fire")
