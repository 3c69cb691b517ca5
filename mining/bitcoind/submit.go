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
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// RejectedError says that the node found a submitted block invalid. It is an
// [ErrRejected].
type RejectedError struct {
	// Reason is the node's own word: "high-hash" or "bad-txnmrklroot" from Bitcoin
	// Core (BIP 22), a sentence from btcd.
	Reason string
}

// Error implements the error interface.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("the Bitcoin node rejects the block: %s", e.Reason)
}

// NoParent tells that the node lacks the block below, which may yet come, and has said
// nothing of this one.
func (e *RejectedError) NoParent() bool {
	return e.Reason == "prev-blk-not-found" || strings.HasPrefix(e.Reason, "previous block ") &&
		(strings.HasSuffix(e.Reason, " is unknown") || strings.HasSuffix(e.Reason, " is not known"))
}

// Is makes errors.Is(err, ErrRejected) work.
func (e *RejectedError) Is(target error) bool { return target == error(ErrRejected) }

// SubmitBlock hands the node a serialized block with its witnesses that was found here. It
// returns nil if the node has the block: by this call, or already (a duplicate); whether it
// becomes part of the best chain is another question. It returns a [*RejectedError] if the
// block is invalid.
//
// As long as the node gives no verdict, because it can't be reached, is starting, busy,
// refuses our password or answers nonsense, it tries again until ctx ends, for a block is
// worth everything; ctx should therefore have a deadline.
//
// The call's last bytes, without which the node can do nothing with the others, leave
// when safe is closed; nil stands for a closed one.
func (c *Client) SubmitBlock(ctx context.Context, raw mining.RawBlock, safe <-chan struct{}) error {
	return c.submit(ctx, c.lanes.own, raw, safe)
}

// SubmitPeerBlock is SubmitBlock for a block found by another node. It may have to wait for
// others of that kind, but is in no block's way that was found here.
func (c *Client) SubmitPeerBlock(ctx context.Context, raw mining.RawBlock) error {
	return c.submit(ctx, c.lanes.others, raw, nil)
}

func (c *Client) submit(ctx context.Context, ln *lane, raw mining.RawBlock, safe <-chan struct{}) error {
	if size := raw.Size(); size > mining.DefaultWeightLimit {
		return &RejectedError{Reason: fmt.Sprintf("%d bytes are more than a block may have", size)}
	}
	backoff := c.timing.backoffMin
	for try := 1; ; try++ {
		err := c.submitTwice(ctx, ln, raw, safe)
		switch {
		case isVerdict(err):
			return err
		case ctx.Err() != nil:
			return err
		case !worthRetry(err):
			return err
		}
		if try == 1 {
			c.log.Warnf("Block not submitted yet, trying again: %v", err)
		}
		if !sleep(ctx, backoff) {
			return errors.Join(ctx.Err(), err)
		}
		backoff = min(2*backoff, c.timing.backoffMax)
	}
}

// Precious makes the node prefer a block that it has to others of the same work, as if
// it had come first. It is for blocks of our own that lost a race of seconds. Nodes
// other than Bitcoin Core can't; that is no error.
func (c *Client) Precious(ctx context.Context, hash chainhash.Hash) error {
	_, err := c.call(ctx, c.lanes.query, "preciousblock", hash.String())
	if rpcCode(err) == btcjson.ErrRPCMethodNotFound.Code {
		return nil
	}
	return unknownBlock(err, "block %v", hash)
}

// What stands around a block's hex digits in a call of submitblock.
const (
	submitHead = `{"jsonrpc":"1.0","id":1,"method":"submitblock","params":["`
	submitTail = `"]}`
)

// submitRequest returns the call that hands over a block. Its hex form, up to 8 MB, is
// never in memory as a whole: the first bytes leave before the others are made.
func (c *Client) submitRequest(ln *lane, raw mining.RawBlock, safe <-chan struct{}) *request {
	return &request{
		lane: ln, name: "submitblock", timeout: c.timing.call, limit: smallReply,
		body: func() io.Reader {
			return io.MultiReader(strings.NewReader(submitHead), &hexReader{rest: raw}, gate(safe), strings.NewReader(submitTail))
		},
		size: int64(len(submitHead) + hex.EncodedLen(raw.Size()) + len(submitTail)),
	}
}

// gate is an empty reader that reaches its end when the channel is closed, at once if
// there is none.
type gate <-chan struct{}

// Read implements io.Reader.
func (g gate) Read([]byte) (int, error) {
	if g != nil {
		<-g
	}
	return 0, io.EOF
}

// worthRetry tells whether a node that answered so may take the block later:
// always, unless the fault is on our side for good. A proxy's error page or an
// internal error of the node says nothing about the block.
func worthRetry(err error) bool {
	switch kindOf(err) {
	case ErrWrongNetwork, ErrTooOld, ErrUnknownRule:
		return false
	}
	return true
}

// submitOnce makes a call of submitblock and returns nil or an error like SubmitBlock's.
func (c *Client) submitOnce(ctx context.Context, r *request) error {
	reply, err := c.single(ctx, r)
	if err == nil {
		return c.submitResult(reply)
	}
	switch rpcCode(err) {
	case btcjson.ErrRPCDeserialization, btcjson.ErrRPCVerify:
		e, _ := errors.AsType[*btcjson.RPCError](err)
		return &RejectedError{Reason: clip(e.Message)}
	}
	return err
}

// isVerdict tells whether a submission's error, or that there is none, is a verdict.
func isVerdict(err error) bool { return err == nil || errors.Is(err, ErrRejected) }

// submitResult reads the node's verdict on a block.
func (c *Client) submitResult(reply json.RawMessage) error {
	var reason *string
	if err := json.Unmarshal(reply, &reason); err != nil {
		return newError(ErrBadReply, "the Bitcoin node's answer to submitblock can't be read: %v", err)
	}
	if reason == nil {
		return nil
	}
	switch r := *reason; {
	case r == "duplicate", strings.HasPrefix(r, btcdDuplicate):
		c.log.Debugf("The Bitcoin node has the block already")
		return nil
	case r == "inconclusive", r == "duplicate-inconclusive":
		// The node keeps the block but prefers another, for now.
		c.log.Infof("The Bitcoin node has taken the block, but not as its best")
		return nil
	default:
		return &RejectedError{Reason: clip(strings.TrimPrefix(r, btcdRejected))}
	}
}

// How btcd words its verdicts.
const (
	btcdRejected  = "rejected: "
	btcdDuplicate = btcdRejected + "already have block "
)
