package bitcoind

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// MaxHeadersBack bounds the headers of one call of HeadersBack: 10,080 make ten
	// weeks, five times the longest payout window.
	MaxHeadersBack = 10_080

	// headerBatch is how many calls go into one HTTP request. A raw header takes 200
	// bytes, so a batch has 100 kB.
	headerBatch = 500

	// headerTries is how often the headers are read anew when a reorganisation of the
	// best chain got in between.
	headerTries = 3
)

// HeadersBack returns the last n headers up to tip, oldest first; fewer where the chain
// begins. It is meant for the start of the program: 4,000 headers take about a second on
// the same machine. n is at most [MaxHeadersBack]; an unknown tip is an
// [ErrUnknownBlock]. No header is marked invalid.
func (c *Client) HeadersBack(ctx context.Context, tip chainhash.Hash, n int) ([]HeaderInfo, error) {
	if n < 0 || n > MaxHeadersBack {
		return nil, fmt.Errorf("bitcoind: %d headers asked, at most %d", n, MaxHeadersBack)
	}
	if n == 0 {
		return nil, nil
	}
	for try := 1; ; try++ {
		infos, err := c.headersBack(ctx, &tip, n)
		if err == nil || kindOf(err) != ErrReorg || try == headerTries {
			return infos, err
		}
	}
}

// headersBack walks from tip back to the best chain and reads the rest by height. If the
// best chain changes in between, it returns an ErrReorg.
func (c *Client) headersBack(ctx context.Context, tip *chainhash.Hash, n int) ([]HeaderInfo, error) {
	var infos []HeaderInfo // newest first
	for at := *tip; len(infos) < n; at = infos[len(infos)-1].Header.PrevBlock {
		info, err := c.header(ctx, &at)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
		if info.InBestChain || info.Height == 0 {
			break
		}
	}
	slices.Reverse(infos)

	first := &infos[0]
	count := min(n-len(infos), int(first.Height))
	if count == 0 {
		return infos, nil
	}
	older, err := c.headersByHeight(ctx, first.Height-uint32(count), count)
	if err != nil {
		return nil, err
	}
	infos = append(older, infos...)
	for i := 1; i < len(infos); i++ {
		if infos[i].Header.PrevBlock != infos[i-1].Hash {
			return nil, newError(ErrReorg, "the Bitcoin node's best chain changes faster than it can be read")
		}
	}
	// The confirmations follow from those of the newest in the best chain.
	for i := range older {
		infos[i].InBestChain = true
		infos[i].Confirmations = first.Confirmations + int64(first.Height-infos[i].Height)
	}
	return infos, nil
}

// headersByHeight reads count headers of the best chain from the given height up.
func (c *Client) headersByHeight(ctx context.Context, height uint32, count int) ([]HeaderInfo, error) {
	infos := make([]HeaderInfo, 0, count)
	for len(infos) < count {
		part := min(headerBatch, count-len(infos))
		from := height + uint32(len(infos))

		hashes := make([]chainhash.Hash, part)
		raws, err := c.batch(ctx, "getblockhash", part, func(i int) []any { return []any{from + uint32(i)} })
		if err != nil {
			return nil, unknownBlock(err, "the blocks from height %d", from)
		}
		for i, raw := range raws {
			if hashes[i], err = parseHash(raw); err != nil {
				return nil, newError(ErrBadReply, "the Bitcoin node's block at height %d: %v", from+uint32(i), err)
			}
		}

		raws, err = c.batch(ctx, "getblockheader", part, func(i int) []any { return []any{hashes[i].String(), false} })
		if err != nil {
			return nil, unknownBlock(err, "the blocks from height %d", from)
		}
		for i, raw := range raws {
			var header *wire.BlockHeader
			if header, err = parseRawHeader(raw, &hashes[i]); err != nil {
				return nil, err
			}
			infos = append(infos, HeaderInfo{Header: *header, Hash: hashes[i], Height: from + uint32(i)})
		}
	}
	return infos, nil
}
