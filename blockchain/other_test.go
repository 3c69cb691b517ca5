package blockchain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// taken is a chain beside the test's that has accepted these shares, the first of
// them as root.
func (t *test) taken(names ...string) *blockchain.Chain {
	t.T.Helper()
	c := t.chain.Beside()
	for _, name := range names {
		if _, err := c.AcceptRoot(t.decoded(name), t.now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return c
}

// TestYieldsTo: another chain takes a chain's place with twice the work that is
// known, if it is whole; or with more, if ours is not; or if ours ended long ago.
func TestYieldsTo(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("h", "", chaingen.Later(1))
	a, b := t.Line("a", "g", 90, 3), t.Line("b", "h", 100, 3)
	t.accept("g")
	t.accept(a[:28]...)
	now, late := t.now, t.now.Add(5*24*time.Hour)
	t.Next("later", "b99", chaingen.Later(4*24*3600))

	for _, test := range []struct {
		name  string
		other *blockchain.Chain
		at    time.Time
		want  bool
	}{
		{"nothing", t.chain.Beside(), now, false},
		{"not whole", t.taken(b[60:75]...), now, false},
		{"whole, but less than twice the work", t.taken(b[45:100]...), now, false},
		{"whole from its first share, with twice the work", t.taken(append([]string{"h"}, b...)...), now, true},
		{"no newer than ours, which is old", t.taken(b[45:100]...), late, false},
	} {
		if got := t.chain.YieldsTo(test.other, test.at); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}

	t.now = late
	newer := t.taken(append(b[45:100:100], "later")...)
	if !t.chain.YieldsTo(newer, late) {
		t.Error("a chain that ended long ago stays")
	}
	joining := t.taken(b[80:90]...)
	if !joining.Joining() || len(joining.Locator()) != 0 || !joining.YieldsTo(t.taken(b[45:100]...), now) {
		t.Error("a chain that is not whole stays")
	}
	if whole := t.taken(b[45:100]...); whole.Joining() || len(whole.Locator()) == 0 {
		t.Error("a whole chain is still joining")
	}
	if !t.chain.Beside().YieldsTo(newer, late) {
		t.Error("an empty chain stays")
	}
}

// TestWorthComparing: what is far easier than our average is not fetched.
func TestWorthComparing(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.accept("g")
	last := "g"
	for i := range 400 { // to a difficulty of about 100
		name := "a" + string(rune(i))
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		last = name
	}
	easy := &share.Share{Data: share.Data{Bits: t.Params.EasiestBits}}
	hard := &share.Share{Data: share.Data{Bits: t.NextBits(last)}}
	none := &share.Share{}
	if !t.chain.WorthComparing(hard, t.now) || t.chain.WorthComparing(none, t.now) {
		t.Error("the wrong one")
	}
	if t.chain.WorthComparing(easy, t.now) {
		t.Error("an easy chain is worth comparing with a hard one")
	}
	if !t.chain.WorthComparing(easy, t.now.Add(5*24*time.Hour)) || !t.chain.Beside().WorthComparing(easy, t.now) {
		t.Error("everything is worth comparing with nothing")
	}
}

// TestFirstShareOfAnother: a chain that is known from its root on takes no other
// first share, as their work could not be compared.
func TestFirstShareOfAnother(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("h", "", chaingen.Later(1))
	a := t.Line("a", "g", 70, 3)
	t.chain = t.taken(a[10:]...)
	_, err := t.chain.Accept(t.decoded("h"), t.now)
	if !errors.Is(err, blockchain.ErrOtherChain) {
		t.Errorf("got %v", err)
	}
}

// TestTooDeepToJudge: once joined, a fork whose window reaches below the root is
// refused without blame.
func TestTooDeepToJudge(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	a := t.Line("a", "g", 60, 3)
	t.Next("fork", "a15", chaingen.Payee(9))
	t.chain = t.taken(a[10:]...)
	if t.chain.Joining() {
		t.Fatal("still joining")
	}
	t.reject(blockchain.ErrWindow, "fork")
}
