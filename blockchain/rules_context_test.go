package blockchain_test

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// rootOf makes a root at height 1,000,000, on schedule as its chain has it, and
// offers it to an empty chain.
func rootOf(t *test, opts ...chaingen.Option) error {
	t.T.Helper()
	t.chain = blockchain.New(t.Params)
	opts = append([]chaingen.Option{edit(func(d *share.Data) {
		d.Previous, d.Height, d.Count = chainhash.Hash{1}, 1_000_000, 1_200_000
		d.Anchor = d.Time - 2*1_200_000
	})}, opts...)
	t.Next("root", "", opts...)
	_, err := t.chain.AcceptRoot(t.Share("root").Share, t.now)
	return err
}

func rootIsValid(opts ...chaingen.Option) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		if err := rootOf(t, opts...); err != nil {
			t.Fatal(err)
		}
		t.tip("root")
	}
}

func brokenRoot(opts ...chaingen.Option) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error {
		t.T.Helper()
		return rootOf(t, opts...)
	}
}

// rootRules are what can be said of a share without its parent.
func rootRules() []ruleCase {
	place := func(height, count uint32) chaingen.Option {
		return edit(func(d *share.Data) { d.Height, d.Count = height, count })
	}
	const highest = 1<<31 - 1
	return []ruleCase{
		{blockchain.ErrHeight, "a root's at most", rootIsValid(place(highest-1, highest)), brokenRoot(place(highest+1, highest))},
		{blockchain.ErrHeight, "a root's at least", rootIsValid(place(1, 2)), brokenRoot(place(0, 1))},
		{blockchain.ErrShareCount, "a root's at least", rootIsValid(place(1000, 1001)), brokenRoot(place(1000, 1000))},
		{blockchain.ErrShareCount, "a root's at most", rootIsValid(place(1000, highest)), brokenRoot(place(1000, highest+1))},
		{blockchain.ErrUnexpectedBits, "a root's", rootIsValid(chaingen.Bits(0x201fffff)), brokenRoot(chaingen.Bits(0x2100ffff))},
		{share.ErrProofOfWork, "a root's", rootIsValid(), rootWithoutWork},
	}
}

func rootWithoutWork(t *test, _ blockchain.ErrorKind) error {
	s := clone(t.Next("root", "a").Share)
	for {
		s.Header.Nonce++
		if _, err := s.CheckSanity(&t.Params.ChainID); err != nil {
			_, err = blockchain.New(t.Params).AcceptRoot(s, t.now)
			return err
		}
	}
}

// bitcoinRules tie a share to Bitcoin.
func bitcoinRules() []ruleCase {
	on, head := chaingen.On, func(f func(h *wire.BlockHeader)) chaingen.Option { return chaingen.Header(f) }
	height := func(add uint32) chaingen.Option {
		return edit(func(d *share.Data) { d.BitcoinHeight += add })
	}
	version := func(v int32) chaingen.Option { return head(func(h *wire.BlockHeader) { h.Version = v }) }
	bits := func(b uint32) chaingen.Option { return head(func(h *wire.BlockHeader) { h.Bits = b }) }
	return []ruleCase{
		{blockchain.ErrBitcoinHeight, "above", valid(), broken(height(1))},
		{blockchain.ErrBitcoinHeight, "below", valid(on("B2")), broken(on("B2"), height(^uint32(0)))},
		{blockchain.ErrBitcoinHeader, "bits", valid(bits(0x207fffff)), broken(bits(0x207ffffe))},
		{blockchain.ErrBitcoinHeader, "no bits", valid(bits(0x207fffff)), broken(bits(0))},
		// The median of B1 and genesis is B1's.
		{blockchain.ErrBitcoinHeader, "time", valid(headerAt(time.Second)), broken(headerAt(0))},
		{blockchain.ErrBitcoinHeader, "version", valid(version(4)), broken(version(3))},
		{blockchain.ErrBitcoinHeader, "negative version", valid(version(0x7fffffff)), broken(version(-1))},
		{blockchain.ErrBitcoinInvalid, "", valid(on("B2")), onInvalid},
		{blockchain.ErrBitcoinBackwards, "to the parent of the newest", valid(on("B2")), broken(on("genesis"))},
		{blockchain.ErrBitcoinBackwards, "by two on another branch", oneLower, twoLower("C1")},
		{blockchain.ErrBitcoinBackwards, "by two to a block that is not asked for", oneLower, twoLower("unknown")},
		{blockchain.ErrTimeBeforeBitcoin, "", beforeBitcoin(7200), beforeBitcoinFails(7201)},
	}
}

// headerAt gives the header a time so long after that of its block, which is a
// minute before what is usual.
func headerAt(after time.Duration) chaingen.Option {
	return chaingen.Header(func(h *wire.BlockHeader) { h.Timestamp = h.Timestamp.Add(after - time.Minute) })
}

func onInvalid(t *test, kind blockchain.ErrorKind) error {
	t.chain.BitcoinBlockInvalid(t.Bitcoin("B2").Hash)
	return broken(chaingen.On("B2"))(t, kind)
}

// oneLower goes from B2 to C1, a block lower but not B2's parent.
func oneLower(t *test) {
	t.T.Helper()
	t.Next("on B2", "a", chaingen.On("B2"))
	t.Next("on C1", "on B2", chaingen.On("C1"))
	t.accept("on B2", "on C1")
}

func twoLower(block string) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.NextBitcoin("unknown", "genesis")
		t.Next("on B3", "a", chaingen.On("B3"))
		t.accept("on B3")
		t.Next("on "+block, "on B3", chaingen.On(block))
		return t.reject(kind, "on "+block)
	}
}

// beforeBitcoin builds a share on a Bitcoin block that is so many seconds younger.
func (t *test) beforeBitcoin(seconds int64) {
	t.T.Helper()
	block := "B3"
	for i := range 16 { // to 190 minutes after genesis, and the shares begin after 60
		next := fmt.Sprint("late", i)
		t.NextBitcoin(next, block)
		t.addBitcoin(next)
		block = next
	}
	at := t.Bitcoin(block).Header.Timestamp.Unix()
	t.Next("early", "a", chaingen.On(block), edit(func(d *share.Data) { d.Time = uint32(at - seconds) }))
}

func beforeBitcoin(seconds int64) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.beforeBitcoin(seconds)
		t.accept("early")
	}
}

func beforeBitcoinFails(seconds int64) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.beforeBitcoin(seconds)
		return t.reject(kind, "early")
	}
}
