package bitcoind

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcjson"

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

// Is makes errors.Is(err, ErrRejected) work.
func (e *RejectedError) Is(target error) bool { return target == error(ErrRejected) }

// SubmitBlock hands the node a serialized block with its witnesses. It returns nil if
// the node has the block: by this call, or already (a duplicate); whether it becomes
// part of the best chain is another question. It returns a [*RejectedError] if the block
// is invalid.
//
// As long as the node gives no verdict, because it can't be reached, is starting, busy,
// refuses our password or answers nonsense, it tries again until ctx ends, for a block is
// worth everything; ctx should therefore have a deadline.
func (c *Client) SubmitBlock(ctx context.Context, raw []byte) error {
	if len(raw) > mining.DefaultWeightLimit {
		return &RejectedError{Reason: fmt.Sprintf("%d bytes are more than a block may have", len(raw))}
	}
	block := hex.EncodeToString(raw)
	backoff := c.timing.backoffMin
	for try := 1; ; try++ {
		reply, err := c.call(ctx, c.lanes.submit, "submitblock", block)
		if err == nil {
			err = c.submitResult(reply)
		}
		switch {
		case err == nil, errors.Is(err, ErrRejected):
			return err
		case rpcCode(err) == btcjson.ErrRPCDeserialization, rpcCode(err) == btcjson.ErrRPCVerify:
			e, _ := errors.AsType[*btcjson.RPCError](err)
			return &RejectedError{Reason: clip(e.Message)}
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
