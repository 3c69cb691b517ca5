package database

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// FuzzRecord: no record makes the loader panic, and what it accepts is what was
// stored.
func FuzzRecord(f *testing.F) {
	for _, n := range []int{0, 3, 4} {
		f.Add(shareKey(uint32(n), testShare(n).ID()), appendRecord(nil, testShare(n), isRoot(n)))
	}
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, shareKeySize), make([]byte, 8))
	f.Add(shareKey(7, chainhash.Hash{}), bytes.Repeat([]byte{0xff}, 300))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s, root, err := decodeRecord(&testChain, key, value)
		if err != nil {
			return
		}
		if !bytes.Equal(shareKey(s.Data.Height, s.ID()), key) || !bytes.Equal(appendRecord(nil, s, root), value) {
			t.Errorf("record %x under %x became another", value, key)
		}
	})
}

// FuzzRecord1: the same for version 1.
func FuzzRecord1(f *testing.F) {
	id := testShare(4).ID()
	f.Add(id[:], testShare(4).AppendEncode(make([]byte, 8)))
	f.Add(id[:], []byte{})
	f.Fuzz(func(t *testing.T, id, value []byte) {
		sequence, s, err := decodeRecord1(id, value)
		if err != nil {
			return
		}
		if got := s.ID(); !bytes.Equal(got[:], id) || sequence > 1<<63 && value[7] < 0x80 || !bytes.Equal(s.Encode(), value[8:]) {
			t.Errorf("record %x of share %x became another", value, id)
		}
	})
}

// FuzzState: no state panics, and what is accepted is what was stored.
func FuzzState(f *testing.F) {
	f.Add(appendState(nil, state{3, 5, 1 << 31, chainhash.Hash{7}}))
	f.Add(make([]byte, stateSize))
	f.Add(bytes.Repeat([]byte{0xff}, stateSize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err == nil && (!bytes.Equal(appendState(nil, s), b) || s.stored > s.appended) {
			t.Errorf("state %x became %+v", b, s)
		}
	})
}

// FuzzMeta: no meta record panics, and what is accepted is what was stored.
func FuzzMeta(f *testing.F) {
	f.Add(encodeMeta(schemaVersion, testChain, obfuscation{1}))
	f.Add(encodeMeta(1, testChain, obfuscation{})[:metaSize1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b, testChain)
		if err != nil {
			return
		}
		want := encodeMeta(m.version, testChain, m.key)
		if m.version == 1 {
			want = want[:metaSize1]
		}
		if !bytes.Equal(want, b) {
			t.Errorf("meta record %x became %+v", b, m)
		}
	})
}

// FuzzMark: no mark panics, and only what was written counts.
func FuzzMark(f *testing.F) {
	f.Add(mustMark(1))
	k := encodeKeyCopy(obfuscation{1, 2, 3})
	f.Add(append(mustMark(1), k[:]...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, key := decodeMark(b)
		if n != 0 && !bytes.Equal(mustMark(n), b[:markSize]) {
			t.Errorf("%x counts as %d", b, n)
		}
		if k := encodeKeyCopy(key); key != (obfuscation{}) && !bytes.Equal(k[:], b[markSize:]) {
			t.Errorf("%x has the key %x", b, key)
		}
	})
}
