package blockchain_test

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// chainRules compare a share with its own chain.
func chainRules() []ruleCase {
	one := *new(uint256.Uint256).SetUint64(1)
	data := func(kind blockchain.ErrorKind, name string, outside func(d *share.Data)) ruleCase {
		return ruleCase{kind, name, valid(), broken(edit(outside))}
	}
	return []ruleCase{
		{blockchain.ErrFirstShare, "height", first(), brokenFirst(edit(func(d *share.Data) { d.Height = 1 }))},
		{blockchain.ErrFirstShare, "uncles", first(), brokenFirst(edit(func(d *share.Data) { d.Uncles = []chainhash.Hash{{1}} }))},
		data(blockchain.ErrHeight, "above", func(d *share.Data) { d.Height++ }),
		data(blockchain.ErrHeight, "below", func(d *share.Data) { d.Height-- }),
		data(blockchain.ErrHeight, "a first share's", func(d *share.Data) { d.Height = 0 }),
		data(blockchain.ErrAnchor, "later", func(d *share.Data) { d.Anchor++ }),
		data(blockchain.ErrAnchor, "earlier", func(d *share.Data) { d.Anchor-- }),
		{blockchain.ErrAnchor, "a first share's", first(), brokenFirst(edit(func(d *share.Data) { d.Anchor++ }))},
		data(blockchain.ErrShareCount, "more", func(d *share.Data) { d.Count++ }),
		data(blockchain.ErrShareCount, "fewer", func(d *share.Data) { d.Count-- }),
		{blockchain.ErrShareCount, "with uncles", threeUncles, broken(edit(func(d *share.Data) { d.Count += 3 }))},
		{blockchain.ErrShareCount, "a first share's", first(), brokenFirst(edit(func(d *share.Data) { d.Count = 0 }))},
		data(blockchain.ErrTotalWork, "more", func(d *share.Data) { d.Work.Add(&one) }),
		data(blockchain.ErrTotalWork, "less", func(d *share.Data) { d.Work.Sub(&one) }),
		data(blockchain.ErrTotalWork, "none", func(d *share.Data) { d.Work.Zero() }),
		data(blockchain.ErrTotalWork, "most", claims(share.MaxWorkBits, -1)),
		{blockchain.ErrTotalWork, "a first share's", first(), brokenFirst(edit(func(d *share.Data) { d.Work.Add(&one) }))},
		// Of two times the median is the later, which is a's.
		{blockchain.ErrTimeTooOld, "", valid(chaingen.Later(-1)), broken(chaingen.Later(-2))},
		{blockchain.ErrUnexpectedBits, "harder", valid(), broken(chaingen.Bits(0x203fffff))},
		{blockchain.ErrUnexpectedBits, "easier than the network allows", valid(), broken(chaingen.Bits(0x2100ffff))},
		{blockchain.ErrUnexpectedBits, "a harder first share", first(), brokenFirst(chaingen.Bits(0x203fffff))},
		{blockchain.ErrUncleDepth, "parent too deep", uncles("on m2"), brokenUncles("on a")},
		{blockchain.ErrUncleDepth, "as high as the nephew", uncles("on m3"), brokenUncles("on m4")},
		{blockchain.ErrUncleDepth, "a first share", uncles("on m2", "on m3"), brokenUncles("other first")},
		{blockchain.ErrUncleParent, "", uncles("on m2"), brokenUncles("on m2's")},
		{blockchain.ErrUncleIsAncestor, "the parent", uncles("on m3"), brokenUncles("m4")},
		{blockchain.ErrUncleIsAncestor, "further down", uncles("on m2"), brokenUncles("m3")},
		{blockchain.ErrUncleTwice, "", uncleOnBothBranches, uncleTwice},
	}
}

// first is a chain's first share, and brokenFirst is none.
func first(opts ...chaingen.Option) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.Next("first", "", opts...)
		t.accept("first")
		t.tip("a") // a second first share is nothing to move for
	}
}

func brokenFirst(opts ...chaingen.Option) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.Next("no first", "", opts...)
		return t.reject(kind, "no first")
	}
}

// family makes candidates for uncles of a nephew on m4.
//
//	g - a - m2 - m3 - m4 - (nephew)
//	     \    \    \    \ on m4
//	      \    \    \ on m3
//	       \    \ on m2 - on m2's
//	        \ on a
func (t *test) family() {
	t.T.Helper()
	for i, link := range [][2]string{
		{"m2", "a"}, {"m3", "m2"}, {"m4", "m3"}, {"on a", "a"}, {"on m2", "m2"}, {"on m3", "m3"}, {"on m4", "m4"},
		{"on m2's", "on m2"}, {"other first", ""},
	} {
		t.Next(link[0], link[1], chaingen.Payee(i))
		t.accept(link[0])
	}
}

func uncles(names ...string) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.family()
		t.Next("nephew", "m4", chaingen.Uncles(names...))
		t.accept("nephew")
		if info, _ := t.chain.Info(t.Share("nephew").ID); len(info.Uncles) != len(names) {
			t.Errorf("%d uncles, want %v", len(info.Uncles), names)
		}
	}
}

func brokenUncles(name string) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.family()
		t.Next("no nephew", "m4", chaingen.Uncles(name))
		return t.reject(kind, "no nephew")
	}
}

// uncleOnBothBranches has one uncle included on two branches, which know nothing of
// each other.
func uncleOnBothBranches(t *test) {
	t.T.Helper()
	uncles("on m3")(t)
	t.Next("other nephew", "on m4", chaingen.Uncles("on m3"))
	t.accept("other nephew")
}

func uncleTwice(t *test, kind blockchain.ErrorKind) error {
	t.T.Helper()
	uncles("on m3")(t)
	t.Next("again", "nephew", chaingen.Uncles("on m3"))
	return t.reject(kind, "again")
}
