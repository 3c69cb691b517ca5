package message

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// MaxTxs is the number of transactions in a block, the coinbase excluded:
	// 4,000,000 weight units hold 16,666 of the smallest, of 60 bytes.
	MaxTxs = 4_000_000 / (60 * 4)
	// ShortIDSize is the length of a short transaction id in bytes, as in BIP 152.
	ShortIDSize = 6

	// minSegment is the least length of a segment: its three counts.
	minSegment = 3
	// txListFixed is the length of nonce and base.
	txListFixed = 8 + chainhash.HashSize
	// maxTxList is the greatest length of a TxList: every transaction in a segment
	// of its own, whose first count has three bytes and the others one.
	maxTxList = txListFixed + 3 + MaxTxs*(3+1+1+ShortIDSize)
)

// ShortID stands for a transaction: the first six bytes of a SipHash of its id
// with witness, keyed by share and nonce (BIP 152).
type ShortID [ShortIDSize]byte

// Segment is a stretch of a transaction list: it passes over Skip entries of the
// base, takes the next Copy, and goes on with the transactions in Fresh.
type Segment struct {
	Skip, Copy int
	Fresh      []ShortID
}

// TxList names a share's transactions in block order, the coinbase excluded, by
// what the receiver has: the list of another share, the base, and transactions it
// knows. Package compact makes and reads it.
type TxList struct {
	Nonce    uint64         // of the short ids
	Base     chainhash.Hash // the share whose list is copied from; zero: none
	Segments []Segment      // none for a block without transactions
}

// Len returns the number of transactions.
func (l *TxList) Len() (n int) {
	for i := range l.Segments {
		n += l.Segments[i].Copy + len(l.Segments[i].Fresh)
	}
	return n
}

func (l *TxList) size() int {
	n := txListFixed + varintSize(len(l.Segments))
	for i := range l.Segments {
		s := &l.Segments[i]
		n += varintSize(s.Skip) + varintSize(s.Copy) + varintSize(len(s.Fresh)) + len(s.Fresh)*ShortIDSize
	}
	return n
}

func (l *TxList) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, l.Nonce)
	b = append(b, l.Base[:]...)
	b = appendVarint(b, uint64(len(l.Segments)))
	for i := range l.Segments {
		s := &l.Segments[i]
		b = appendVarint(b, uint64(s.Skip))
		b = appendVarint(b, uint64(s.Copy))
		b = appendVarint(b, uint64(len(s.Fresh)))
		for _, id := range s.Fresh {
			b = append(b, id[:]...)
		}
	}
	return b
}

// decode reads the list. Neither the list nor the base it claims can be longer
// than MaxTxs, however few bytes speak of them, and a segment is never empty.
func (l *TxList) decode(d *decoder) {
	l.Nonce = d.uint64()
	l.Base = d.hash()
	n := d.count(0, MaxTxs, minSegment, "segments")
	if n == 0 {
		return
	}
	l.Segments = make([]Segment, n)
	total, base := 0, 0
	for i := range l.Segments {
		s := &l.Segments[i]
		s.Skip = d.bounded(MaxTxs-base, "entries passed over")
		base += s.Skip
		s.Copy = d.bounded(min(MaxTxs-base, MaxTxs-total), "entries copied")
		base += s.Copy
		total += s.Copy
		fresh := d.count(0, MaxTxs-total, ShortIDSize, "short ids")
		total += fresh
		if d.err != nil {
			return
		}
		if s.Copy+fresh == 0 {
			d.fail(ErrCount, "a segment without transactions")
			return
		}
		if fresh > 0 {
			s.Fresh = make([]ShortID, fresh)
		}
		for i := range s.Fresh {
			copy(s.Fresh[i][:], d.take(ShortIDSize))
		}
	}
	if base > 0 && l.Base == (chainhash.Hash{}) {
		d.fail(ErrField, "entries of no base")
	}
}

// bounded reads a varint of at most so much; nothing fits below zero.
func (d *decoder) bounded(most int, name string) int {
	v := d.varint()
	if d.err == nil && (most < 0 || v > uint64(most)) {
		d.fail(ErrCount, "%d %s, allowed are 0 to %d", v, name, most)
	}
	if d.err != nil {
		return 0
	}
	return int(v)
}
