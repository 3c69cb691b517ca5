package mining

import (
	"errors"
	"fmt"
	"math"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
)

// ErrNoEmptyTemplate is wrapped by the errors of [EmptyTemplate]: only the Bitcoin node
// knows what the next block needs.
var ErrNoEmptyTemplate = errors.New("no template without the Bitcoin node")

// EmptyTemplate makes a template without transactions on top of prev, for the moment
// between the news of a block and the node's own template on it. next is what Bitcoin's
// rules demand; version, limits and rules are taken over from the node's previous
// template, unless a soft fork could have changed them in between.
//
// The block pays the subsidy alone. A few tens of milliseconds of work on it are worth
// more than the same time of work on the old block, which is worth nothing.
func EmptyTemplate(params *chaincfg.Params, previous *Template, prev chainhash.Hash, next blockchain.NextBitcoin, now time.Time) (*Template, error) {
	if previous == nil {
		return nil, fmt.Errorf("%w: it has sent none yet", ErrNoEmptyTemplate)
	}
	if previous.Deploying && period(params, previous.Height) != period(params, next.Height) {
		return nil, fmt.Errorf("%w: a soft fork may have become active before block %d", ErrNoEmptyTemplate, next.Height)
	}
	if next.Height > maxTemplateHeight {
		return nil, fmt.Errorf("%w: no block has height %d", ErrNoEmptyTemplate, next.Height)
	}
	t := &Template{
		Version: previous.Version, PrevBlock: prev, Height: next.Height, Bits: next.Bits,
		MinTime:       next.MinTime,
		CurTime:       max(next.MinTime, uint32(max(0, min(now.Unix(), math.MaxUint32)))),
		CoinbaseValue: btcchain.CalcBlockSubsidy(int32(next.Height), params),
		WeightLimit:   previous.WeightLimit, SigopLimit: previous.SigopLimit,
		Rules: previous.Rules, Deploying: previous.Deploying, Empty: true, Received: now,
	}
	return t, t.Check()
}

// period numbers the signalling periods, at whose beginnings alone BIP 9's states change.
func period(params *chaincfg.Params, height uint32) uint32 {
	return height / max(1, params.MinerConfirmationWindow)
}
