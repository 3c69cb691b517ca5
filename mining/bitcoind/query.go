package bitcoind

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
)

// TipHash returns the best block.
func (c *Client) TipHash(ctx context.Context) (chainhash.Hash, error) {
	return c.hashCall(ctx, c.lanes.query, "getbestblockhash")
}

// HashAt returns the block at a height of the best chain. A height above the tip is an
// [ErrUnknownBlock].
func (c *Client) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	hash, err := c.hashCall(ctx, c.lanes.query, "getblockhash", height)
	return hash, unknownBlock(err, "a block at height %d", height)
}

// Confirmations returns 1 for the best block, more below it, -1 for a block beside the
// best chain, and an [ErrUnknownBlock] for one the node doesn't know.
func (c *Client) Confirmations(ctx context.Context, hash chainhash.Hash) (int64, error) {
	info, err := c.header(ctx, &hash)
	return info.Confirmations, err
}

// Block returns a whole block, with witnesses. A block that the node doesn't know, or
// has pruned, is an [ErrUnknownBlock].
func (c *Client) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	raw, err := c.call(ctx, c.lanes.query, "getblock", hash.String(), 0)
	if err != nil {
		return nil, unknownBlock(err, "block %v", hash)
	}
	block, err := parseBlock(raw)
	if err == nil {
		err = checkHash(&block.Header, &hash)
	}
	if err != nil {
		return nil, newError(ErrBadReply, "the Bitcoin node's block %v: %v", hash, err)
	}
	return block, nil
}

// parseBlock reads the reply to a getblock that isn't verbose.
func parseBlock(raw json.RawMessage) (*wire.MsgBlock, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(b) > mining.DefaultWeightLimit {
		return nil, errors.New("larger than a block may be")
	}
	block := new(wire.MsgBlock)
	r := bytes.NewReader(b)
	if err := block.Deserialize(r); err != nil {
		return nil, err
	}
	if r.Len() != 0 {
		return nil, errors.New("bytes after the last transaction")
	}
	return block, nil
}

// hashCall makes a call whose result is a hash.
func (c *Client) hashCall(ctx context.Context, ln *lane, method string, params ...any) (chainhash.Hash, error) {
	raw, err := c.call(ctx, ln, method, params...)
	if err != nil {
		return chainhash.Hash{}, err
	}
	hash, err := parseHash(raw)
	if err != nil {
		return hash, newError(ErrBadReply, "the Bitcoin node's answer to %s can't be read: %v", method, err)
	}
	return hash, nil
}

// parseHash reads a hash in a JSON string.
func parseHash(raw json.RawMessage) (hash chainhash.Hash, err error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return hash, err
	}
	return hash, decodeHash(&hash, text)
}
