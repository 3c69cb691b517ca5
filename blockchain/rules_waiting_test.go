package blockchain_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// waitingRules are what a share waits for. Inside, it has come; outside, the share
// must be held.
func waitingRules() []ruleCase {
	return []ruleCase{
		{blockchain.ErrMissingParent, "", valid(), waits(edit(func(d *share.Data) { d.Previous[0]++ }))},
		{blockchain.ErrMissingUncle, "", threeUncles, waits(edit(func(d *share.Data) { d.Uncles = []chainhash.Hash{{1}} }))},
		{blockchain.ErrMissingBitcoinBlock, "", valid(chaingen.On("B2")), onUnknown},
		{blockchain.ErrMissingBitcoinBlock, "old and absent", onAbsent(staleBlockAge+time.Second, true), absentWaits(staleBlockAge, true)},
		{blockchain.ErrMissingBitcoinBlock, "old, but not asked for", onAbsent(staleBlockAge+time.Second, true), absentWaits(staleBlockAge+time.Second, false)},
		{blockchain.ErrMissingBitcoinBlock, "older headers", olderHeaders(10), olderHeadersMiss(9)},
		{blockchain.ErrTimeTooNew, "", ahead(90*time.Second, 0), aheadWaits(90*time.Second+1, 0)},
		{blockchain.ErrHeaderTimeTooNew, "", ahead(0, 2*time.Hour), aheadWaits(0, 2*time.Hour+1)},
	}
}

// staleBlockAge is the age from which a share is judged without a Bitcoin block
// that our node does not have.
const staleBlockAge = 2 * time.Hour

// waits is a share on a that is held.
func waits(opts ...chaingen.Option) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.Next("waiting", "a", opts...)
		return t.undecided(kind, "waiting")
	}
}

func onUnknown(t *test, kind blockchain.ErrorKind) error {
	t.NextBitcoin("unknown", "B1")
	return waits(chaingen.On("unknown"))(t, kind)
}

// absent makes a share of that age on a block that our node does not have, and
// says so if the node was asked for it.
func (t *test) absent(age time.Duration, asked bool) {
	t.T.Helper()
	t.NextBitcoin("stale", "B1")
	s := t.Next("old", "a", chaingen.On("stale"))
	t.now = time.Unix(int64(s.Data.Time), 0).Add(age)
	if asked {
		t.chain.BitcoinBlockAbsent(t.Bitcoin("stale").Hash)
	}
}

func onAbsent(age time.Duration, asked bool) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.absent(age, asked)
		t.accept("old")
		// What stands on it does not wait for the block either.
		t.Next("next", "old", chaingen.On("B2"))
		t.accept("next")
	}
}

func absentWaits(age time.Duration, asked bool) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.absent(age, asked)
		return t.undecided(kind, "old")
	}
}

// withHeaders returns a chain whose node has told of so many Bitcoin headers below
// the block that a first share builds on.
func (t *test) withHeaders(older int) {
	t.T.Helper()
	blocks := []string{"B1"}
	for i := range 20 {
		blocks = append(blocks, fmt.Sprint("high", i))
		t.NextBitcoin(blocks[i+1], blocks[i])
	}
	t.chain = blockchain.New(t.Params)
	for _, name := range blocks[len(blocks)-1-older:] {
		t.addBitcoin(name)
	}
	t.Next("high", "", chaingen.On(blocks[len(blocks)-1]), chaingen.Later(3*3600))
}

// olderHeaders: the median time needs ten blocks below the one built on.
func olderHeaders(older int) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.withHeaders(older)
		t.accept("high")
	}
}

// olderHeadersMiss waits for the next older header and, once our node turns out
// not to have it, for a time to ask again.
func olderHeadersMiss(older int) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.withHeaders(older)
		err := t.undecided(kind, "high")
		if err.MissingBlock == nil || *err.MissingBlock != t.Bitcoin("high9").Hash {
			t.Errorf("waits for block %v", err.MissingBlock)
		}
		t.chain.BitcoinBlockAbsent(*err.MissingBlock)
		if u := t.chain.Retry(t.now); len(u.Accepted)+len(u.Refused)+len(u.MissingBlocks) != 0 {
			t.Errorf("an absent block brought %+v", u)
		}
		if err := t.undecided(kind, "high"); err.MissingBlock != nil || !err.RetryAt.After(t.now) {
			t.Errorf("waits for block %v, asks again at %v", err.MissingBlock, err.RetryAt)
		}
		t.addBitcoin("high9")
		t.now = t.now.Add(time.Hour)
		if u := t.chain.Retry(t.now.Add(-59 * time.Minute)); len(u.Accepted) != 1 {
			t.Errorf("the block brought %+v", u)
		}
		return err
	}
}

// dated makes a share whose time and header's time lie so far ahead of the clock;
// what is not asked for is not ahead.
func (t *test) dated(share, header time.Duration) {
	t.T.Helper()
	s := t.Next("dated", "a", chaingen.Header(func(h *wire.BlockHeader) {
		if header > 0 {
			h.Timestamp = h.Timestamp.Add(5 * time.Hour)
		}
	}))
	t.now = time.Unix(int64(s.Data.Time), 0).Add(-share)
	if header > 0 {
		t.now = s.Header.Timestamp.Add(-header)
	}
}

func ahead(share, header time.Duration) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.dated(share, header)
		t.accept("dated")
	}
}

// aheadWaits also waits for the right time, at which the share is taken.
func aheadWaits(share, header time.Duration) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.dated(share, header)
		err := t.undecided(kind, "dated")
		if u := t.chain.Retry(err.RetryAt.Add(-1)); u.TipChanged {
			t.Error("accepted before its time")
		}
		if u := t.chain.Retry(err.RetryAt); !u.TipChanged || err.RetryAt.Sub(t.now) > time.Second {
			t.Errorf("not accepted at %v, which was to be its time", err.RetryAt)
		}
		return err
	}
}

// ownAffairs concern the node alone.
func ownAffairs() []ruleCase {
	return []ruleCase{
		{blockchain.ErrDuplicate, "", valid(), func(t *test, kind blockchain.ErrorKind) error { return t.reject(kind, "a") }},
		{blockchain.ErrLowWork, "", cheapBranch, cheapBranchFails},
		{blockchain.ErrOtherChain, "", first(), beginsBesideRoot},
		{blockchain.ErrUnknown, "payouts", askPayouts("a", nil), func(t *test, _ blockchain.ErrorKind) error { return t.payouts(chainhash.Hash{1}) }},
		{blockchain.ErrUnknown, "scores", askPayouts("g", nil), func(t *test, _ blockchain.ErrorKind) error {
			_, err := t.chain.Scores(chainhash.Hash{1}, t.Params.Bitcoin.PowLimitBits)
			return err
		}},
		{blockchain.ErrCorrupt, "a hole", restores("g", "a"), restoreFails("a")},
		{blockchain.ErrCorrupt, "twice", restores("g", "a"), restoreFails("g", "g")},
		{blockchain.ErrCorrupt, "the tip is missing", restores("g", "a"), restoreFails("g")},
		{blockchain.ErrWindow, "", joinedAt("m0", 20), joinedAtFails("m0", 19)},
	}
}

func (t *test) payouts(parent chainhash.Hash) error {
	_, err := t.chain.Payouts(parent, t.Params.Bitcoin.PowLimitBits, chaingen.CoinbaseValue, share.Class12)
	return err
}

func askPayouts(name string, want error) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		if err := t.payouts(t.Share(name).ID); !errors.Is(err, want) {
			t.Errorf("payouts behind %s: %v", name, err)
		}
	}
}

// cheapBesides grows a chain whose shares become harder, and at every step offers one
// of the easiest, 2 hashes, on a branch from far below. It returns the first verdict
// with a tip of more hashes than the bound, and fails if one before was refused.
//
//	g - a0 - … - a10 - … - a400
//	                \ late - cheap …
func cheapBesides(tt *testing.T, bound uint64) error {
	t := newTest(tt, wholeChain)
	t.Next("g", "")
	t.accept("g")
	last := "g"
	for i := range 400 {
		name := fmt.Sprint("a", i)
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		if last = name; i < 10 {
			continue
		}
		if i == 10 {
			t.Next("late", "a9", chaingen.Later(3600))
			t.accept("late")
			continue
		}
		t.Next(fmt.Sprint("cheap", i), "late")
		_, err := t.chain.Accept(t.decoded(fmt.Sprint("cheap", i)), t.now)
		if work := t.chain.Latest(1)[0].Work; work.GtUint64(bound) {
			return err
		} else if err != nil {
			t.Fatalf("beside a tip of %v hashes: %v", work, err)
		}
	}
	t.Fatal("the chain never became that hard")
	return nil
}

// cheapBranch: up to sixteen times as hard as the branch, the tip leaves it alone.
func cheapBranch(t *test) {
	t.T.Helper()
	if err := cheapBesides(t.T, 31); err != nil {
		t.Fatal(err)
	}
}

func cheapBranchFails(t *test, _ blockchain.ErrorKind) error { return cheapBesides(t.T, 32) }

// beginsBesideRoot offers a first share where a chain is known from a root on.
func beginsBesideRoot(t *test, _ blockchain.ErrorKind) error {
	rootIsValid()(t)
	t.Next("first", "")
	_, err := t.chain.Accept(t.decoded("first"), t.now)
	return err
}

// restores enters shares into a new chain whose tip is to be a.
func (t *test) restores(names ...string) error {
	t.T.Helper()
	again := blockchain.New(t.Params)
	for _, name := range names {
		if err := again.Restore(t.decoded(name), false); err != nil {
			return err
		}
	}
	return again.Restored(t.Share("a").ID, 0)
}

func restores(names ...string) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		if err := t.restores(names...); err != nil {
			t.Fatal(err)
		}
	}
}

func restoreFails(names ...string) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error { return t.restores(names...) }
}

// joinedAt asks for the payouts behind a chain of so many shares from the root up.
func (t *test) joinedAt(root string, shares int) error {
	t.T.Helper()
	names := t.Line("m", "a", shares, 3)
	t.chain = blockchain.New(t.Params)
	if _, err := t.chain.AcceptRoot(t.decoded(root), t.now); err != nil {
		t.Fatal(err)
	}
	t.accept(names[1:]...)
	return t.payouts(t.Share(names[len(names)-1]).ID)
}

func joinedAt(root string, shares int) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		if err := t.joinedAt(root, shares); err != nil {
			t.Fatal(err)
		}
	}
}

func joinedAtFails(root string, shares int) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error { return t.joinedAt(root, shares) }
}
