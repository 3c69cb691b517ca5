package bitcoind

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// maxSideBranch bounds the walk from a block beside the best chain back to that chain,
// which is how a block's height is found where the node (btcd) doesn't tell. Longer
// branches don't occur outside attacks on test networks.
const maxSideBranch = 100

// HeaderInfo is what the node knows of a block header.
type HeaderInfo struct {
	Header wire.BlockHeader
	Hash   chainhash.Hash
	Height uint32

	// Confirmations is 1 for the best block, more below it, and -1 for a block beside
	// the best chain.
	Confirmations int64

	// InBestChain tells whether the block is in the best chain.
	InBestChain bool

	// Invalid tells that the node has found the block, or one that it builds on,
	// invalid. It is reliable for the tip of a branch; a block below an invalid tip is
	// not marked, as the node doesn't say which block of a branch is at fault.
	Invalid bool
}

// headerJSON is the verbose reply to getblockheader.
type headerJSON struct {
	Confirmations int64  `json:"confirmations"`
	Height        uint32 `json:"height"`
	Version       int32  `json:"version"`
	MerkleRoot    string `json:"merkleroot"`
	Time          uint32 `json:"time"`
	Nonce         uint32 `json:"nonce"`
	Bits          string `json:"bits"`
	PreviousHash  string `json:"previousblockhash"`
}

// Header returns the header of a block, in the best chain or beside it. An unknown block
// is an [ErrUnknownBlock].
func (c *Client) Header(ctx context.Context, hash chainhash.Hash) (HeaderInfo, error) {
	info, err := c.header(ctx, &hash)
	if err != nil || info.InBestChain {
		return info, err
	}
	info.Invalid, err = c.isInvalidTip(ctx, &hash)
	return info, err
}

// header is Header without the question whether the block is invalid.
func (c *Client) header(ctx context.Context, hash *chainhash.Hash) (HeaderInfo, error) {
	var reply headerJSON
	err := c.callInto(ctx, &reply, "getblockheader", hash.String(), true)
	switch {
	case rpcCode(err) == btcjson.ErrRPCInternal.Code:
		// btcd gives blocks beside its best chain in raw form only.
		return c.sideHeader(ctx, hash)
	case err != nil:
		return HeaderInfo{}, unknownBlock(err, "block %v", hash)
	}
	header, err := reply.header()
	if err == nil {
		err = checkHash(header, hash)
	}
	if err != nil {
		return HeaderInfo{}, newError(ErrBadReply, "the Bitcoin node's header of block %v: %v", hash, err)
	}
	return HeaderInfo{
		Header: *header, Hash: *hash, Height: reply.Height,
		Confirmations: reply.Confirmations, InBestChain: reply.Confirmations > 0,
	}, nil
}

// sideHeader returns the header of a block beside the best chain, with its height
// counted from where the branch leaves that chain.
func (c *Client) sideHeader(ctx context.Context, hash *chainhash.Hash) (HeaderInfo, error) {
	info := HeaderInfo{Hash: *hash, Confirmations: -1}
	at := *hash
	for depth := range uint32(maxSideBranch) {
		header, err := c.rawHeader(ctx, &at)
		if err != nil {
			return HeaderInfo{}, err
		}
		if depth == 0 {
			info.Header = *header
		}
		at = header.PrevBlock

		var parent headerJSON
		err = c.callInto(ctx, &parent, "getblockheader", at.String(), true)
		switch {
		case err == nil:
			info.Height = parent.Height + depth + 1
			return info, nil
		case rpcCode(err) != btcjson.ErrRPCInternal.Code:
			return HeaderInfo{}, err
		}
	}
	return HeaderInfo{}, newError(ErrUnknownBlock, "block %v is on a branch of more than %d blocks",
		hash, maxSideBranch)
}

// rawHeader returns the 80 bytes of a header, parsed.
func (c *Client) rawHeader(ctx context.Context, hash *chainhash.Hash) (*wire.BlockHeader, error) {
	raw, err := c.call(ctx, c.lanes.query, "getblockheader", hash.String(), false)
	if err != nil {
		return nil, unknownBlock(err, "block %v", hash)
	}
	return parseRawHeader(raw, hash)
}

// parseRawHeader reads the reply to a getblockheader that isn't verbose.
func parseRawHeader(raw json.RawMessage, hash *chainhash.Hash) (*wire.BlockHeader, error) {
	var text string
	header := new(wire.BlockHeader)
	err := json.Unmarshal(raw, &text)
	if err == nil && len(text) != 2*wire.MaxBlockHeaderPayload {
		err = fmt.Errorf("%d hex digits", len(text))
	}
	var b []byte
	if err == nil {
		b, err = hex.DecodeString(text)
	}
	if err == nil {
		err = header.Deserialize(bytes.NewReader(b))
	}
	if err == nil {
		err = checkHash(header, hash)
	}
	if err != nil {
		return nil, newError(ErrBadReply, "the Bitcoin node's header of block %v: %v", hash, err)
	}
	return header, nil
}

// header puts the fields together.
func (j *headerJSON) header() (*wire.BlockHeader, error) {
	h := &wire.BlockHeader{Version: j.Version, Timestamp: time.Unix(int64(j.Time), 0), Nonce: j.Nonce}
	if err := decodeHash(&h.MerkleRoot, j.MerkleRoot); err != nil {
		return nil, fmt.Errorf("merkleroot: %w", err)
	}
	if j.PreviousHash != "" { // the genesis block has none
		if err := decodeHash(&h.PrevBlock, j.PreviousHash); err != nil {
			return nil, fmt.Errorf("previousblockhash: %w", err)
		}
	}
	bits, err := strconv.ParseUint(j.Bits, 16, 32)
	h.Bits = uint32(bits)
	return h, err
}

// checkHash compares a header with the hash that it was asked by.
func checkHash(header *wire.BlockHeader, hash *chainhash.Hash) error {
	if got := header.BlockHash(); got != *hash {
		return fmt.Errorf("it hashes to %v", got)
	}
	return nil
}

// unknownBlock turns the node's "not found" or "out of range" into an ErrUnknownBlock
// and leaves other errors alone.
func unknownBlock(err error, format string, args ...any) error {
	switch rpcCode(err) {
	case btcjson.ErrRPCBlockNotFound, btcjson.ErrRPCInvalidParameter, btcjson.ErrRPCOutOfRange:
		return &Error{
			Kind:        ErrUnknownBlock,
			Description: "the Bitcoin node doesn't know " + fmt.Sprintf(format, args...),
			Err:         err,
		}
	}
	return err
}

// isInvalidTip tells whether the node lists the block as the tip of an invalid branch.
func (c *Client) isInvalidTip(ctx context.Context, hash *chainhash.Hash) (bool, error) {
	raw, err := c.call(ctx, c.lanes.query, "getchaintips")
	if err != nil {
		return false, err
	}
	tips, err := unmarshalList[chainTip](raw, maxChainTips)
	if err != nil {
		return false, newError(ErrBadReply, "the Bitcoin node's answer to getchaintips can't be read: %v", err)
	}
	for _, tip := range tips {
		if tip.Status == "invalid" && tip.Hash == hash.String() {
			return true, nil
		}
	}
	return false, nil
}

// maxChainTips bounds the branches that a node reports. Test networks have some hundreds.
const maxChainTips = 50_000

// chainTip is an element of the reply to getchaintips.
type chainTip struct {
	Hash   string `json:"hash"`
	Status string `json:"status"`
}
