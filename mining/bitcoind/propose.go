package bitcoind

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/btcsuite/btcd/btcjson"

	"github.com/p2poold/p2poold/mining"
)

// What stands around a block's hex digits in a proposal (BIP 23).
const (
	proposeHead = `{"jsonrpc":"1.0","id":1,"method":"getblocktemplate","params":[{"mode":"proposal","rules":["segwit"%s],"data":"`
	proposeTail = `"}]}`
)

// undecidedProposals are reasons that say nothing of the block: the node has another
// best block by now, or has had this one.
var undecidedProposals = []string{
	"inconclusive-not-best-prevblk", "inconclusive", "duplicate", "duplicate-inconclusive", "bad-prevblk", "prev-blk-not-found",
}

// ProposeBlock asks the node whether a serialized block would be valid on its best block
// but for the proof of work. It returns nil if so, an error that wraps
// [mining.ErrBlockRefused] if not, and any other error if the node can't tell.
func (c *Client) ProposeBlock(ctx context.Context, raw []byte) error {
	if len(raw) > mining.DefaultWeightLimit {
		return fmt.Errorf("%w: %d bytes are more than a block may have", mining.ErrBlockRefused, len(raw))
	}
	reply, err := c.single(ctx, c.proposeRequest(raw))
	switch code := rpcCode(err); {
	case code == btcjson.ErrRPCDeserialization, code == btcjson.ErrRPCVerify:
		e, _ := errors.AsType[*btcjson.RPCError](err)
		return fmt.Errorf("%w: %s", mining.ErrBlockRefused, clip(e.Message))
	case err != nil:
		return err
	}
	return proposalResult(reply)
}

// proposeRequest returns the call. As for submitblock the hex form is never in memory
// as a whole.
func (c *Client) proposeRequest(raw []byte) *request {
	signet := ""
	if c.challenge != nil {
		signet = `,"signet"`
	}
	head := fmt.Sprintf(proposeHead, signet)
	return &request{
		lane: c.lanes.query, name: "getblocktemplate", timeout: c.timing.call, limit: smallReply,
		body: func() io.Reader {
			return io.MultiReader(strings.NewReader(head), &hexReader{left: raw}, strings.NewReader(proposeTail))
		},
		size: int64(len(head) + hex.EncodedLen(len(raw)) + len(proposeTail)),
	}
}

// proposalResult reads the node's verdict.
func proposalResult(reply json.RawMessage) error {
	var reason *string
	if err := json.Unmarshal(reply, &reason); err != nil {
		return newError(ErrBadReply, "the Bitcoin node's answer to a block proposal can't be read: %v", err)
	}
	if reason == nil {
		return nil
	}
	text := strings.TrimPrefix(*reason, btcdRejected)
	for _, undecided := range undecidedProposals {
		if text == undecided || strings.HasPrefix(text, "already have block") {
			return fmt.Errorf("the node says %s", clip(text))
		}
	}
	return fmt.Errorf("%w: %s", mining.ErrBlockRefused, clip(text))
}
