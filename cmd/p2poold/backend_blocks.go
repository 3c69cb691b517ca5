package main

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// coinbaseMaturity is how many blocks must follow before wallets let a coinbase
// be spent (Bitcoin's COINBASE_MATURITY).
const coinbaseMaturity = 100

// FoundBlocks implements rpcserver.PayoutBackend.
func (b backend) FoundBlocks(ctx context.Context, count int) ([]rpcserver.FoundBlock, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	list := []rpcserver.FoundBlock{}
	answers := true
	for _, info := range b.n.chain.Blocks(count) {
		block := rpcserver.FoundBlock{
			Hash: info.ID.String(), Height: info.BitcoinHeight, ShareHeight: info.Height, Time: int64(info.Time),
			Address: rpcserver.Address(info.Payee, b.n.cfg.params.Bitcoin), Value: info.CoinbaseValue,
			Status: rpcserver.BlockUnknown,
		}
		if answers { // a node that is away must not be waited for again and again
			var err error
			block.Status, block.Confirmations, err = b.blockStatus(ctx, info.ID)
			answers = err == nil
		}
		list = append(list, block)
	}
	return list, ctx.Err()
}

// blockStatus asks the Bitcoin node what became of a block.
func (b backend) blockStatus(ctx context.Context, hash chainhash.Hash) (status string, confirmations int64, err error) {
	header, err := b.n.bitcoin.Header(ctx, hash)
	switch {
	case errors.Is(err, bitcoind.ErrUnknownBlock):
		return rpcserver.BlockPending, 0, nil
	case err != nil:
		return rpcserver.BlockUnknown, 0, err
	case header.Invalid:
		return rpcserver.BlockRejected, -1, nil
	case !header.InBestChain:
		return rpcserver.BlockStale, -1, nil
	case header.Confirmations <= coinbaseMaturity:
		return rpcserver.BlockImmature, header.Confirmations, nil
	}
	return rpcserver.BlockMature, header.Confirmations, nil
}
