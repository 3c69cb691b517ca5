package compact

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestShortID uses the SipHash-2-4 vector of a 256-bit number that Bitcoin Core's
// tests have (hash_tests.cpp), with the key 00 … 0f and the bytes 00 … 1f.
func TestShortID(t *testing.T) {
	var key idKey
	var id chainhash.Hash
	for i := range key {
		key[i] = byte(i)
	}
	for i := range id {
		id[i] = byte(i)
	}
	want := message.ShortID{0xce, 0x7c, 0xf2, 0x72, 0x2f, 0x51} // of 0x7127512f72f27cce
	if got := key.short(&id); got != want {
		t.Errorf("short id %x, want %x", got, want)
	}
	if a, b := newIDKey(&id, 1), newIDKey(&id, 2); *a == *b {
		t.Error("the nonce does not count")
	}
}

// TestSegments: a list named by any other expands to itself, with what isn't known
// missing.
func TestSegments(t *testing.T) {
	all := transactions(60)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []*Tx {
			n := rapid.IntRange(0, len(all)).Draw(t, name)
			return rapid.Permutation(all).Draw(t, name)[:n]
		}
		list, base, known := draw("list"), draw("base"), draw("known")
		key := newIDKey(&chainhash.Hash{1}, rapid.Uint64().Draw(t, "nonce"))
		segs := segments(list, base, key)

		l := message.TxList{Base: chainhash.Hash{1}, Segments: segs}
		wire := (&message.CmpctShare{List: l}).AppendPayload(nil)
		if _, err := message.Decode(message.CmdCmpctShare, wire); err != nil {
			t.Fatal(err)
		}
		p := newPool()
		p.add(known)
		got, missing, ids, ok := expand(segs, base, p.finder(key, segs))
		if !ok || len(got) != len(list) || len(ids) != len(missing) {
			t.Fatalf("%v: %d of %d transactions, %d missing, %d ids", ok, len(got), len(list), len(missing), len(ids))
		}
		for i, tx := range list {
			at := slices.Index(missing, i)
			switch {
			case at < 0 && got[i] != tx:
				t.Fatalf("transaction %d is another", i)
			case at >= 0 && (got[i] != nil || ids[at] != key.short(&tx.WTxID) || slices.Contains(known, tx)):
				t.Fatalf("transaction %d is missing", i)
			}
		}
	})
}

// TestCopiesMost: one transaction that moved costs one short id, not all behind it.
func TestCopiesMost(t *testing.T) {
	base := transactions(100)
	for _, list := range [][]*Tx{
		slices.Concat(base[99:], base[:99]),
		slices.Concat(base[1:], base[:1]),
		slices.Concat(base[:10], base[90:91], base[10:90], base[91:]),
	} {
		fresh := 0
		for _, s := range segments(list, base, new(idKey)) {
			fresh += len(s.Fresh)
		}
		if fresh != 1 {
			t.Errorf("%d short ids", fresh)
		}
	}
}

// TestCollision: a short id that two known transactions share is asked for.
func TestCollision(t *testing.T) {
	txs := transactions(2)
	key := new(idKey)
	segs := segments(txs, nil, key)
	twin := *txs[0]
	p := newPool()
	p.add(txs)
	p.txs[chainhash.Hash{0xff}] = &pooled{tx: &twin, refs: 1} // as if another had the same short id
	list, missing, _, _ := expand(segs, nil, p.finder(key, segs))
	if !slices.Equal(missing, []int{0}) || list[1] != txs[1] {
		t.Errorf("missing %v", missing)
	}
}

func TestPool(t *testing.T) {
	txs := transactions(10)
	p := newPool()
	a, b := p.add(txs[:8]), p.add(txs[4:])
	if len(p.txs) != 10 {
		t.Errorf("%d transactions", len(p.txs))
	}
	p.remove(a)
	if len(p.txs) != 6 || b[0] != txs[4] {
		t.Errorf("%d transactions", len(p.txs))
	}
	p.remove(b)
	if len(p.txs) != 0 || p.bytes != 0 {
		t.Errorf("%d transactions, %d bytes stay", len(p.txs), p.bytes)
	}
}
