package addrmgr

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// table is a number of buckets with bucketSize slots each, and the list of those
// that aren't empty.
type table struct {
	slots []id     // 0: free
	used  []uint8  // by bucket: slots taken
	list  []uint16 // buckets that aren't empty, in no order
	at    []uint16 // by bucket: its place in list
}

func newTable(buckets int) table {
	return table{
		slots: make([]id, buckets*bucketSize),
		used:  make([]uint8, buckets),
		at:    make([]uint16, buckets),
	}
}

func (t *table) get(bucket, slot int) id { return t.slots[bucket*bucketSize+slot] }

// set fills a free slot.
func (t *table) set(bucket, slot int, i id) {
	t.slots[bucket*bucketSize+slot] = i
	if t.used[bucket]++; t.used[bucket] == 1 {
		t.at[bucket] = uint16(len(t.list))
		t.list = append(t.list, uint16(bucket))
	}
}

// clear frees a taken slot.
func (t *table) clear(bucket, slot int) {
	t.slots[bucket*bucketSize+slot] = 0
	if t.used[bucket]--; t.used[bucket] == 0 {
		last := t.list[len(t.list)-1]
		t.list[t.at[bucket]], t.at[last] = last, t.at[bucket]
		t.list = t.list[:len(t.list)-1]
	}
}

// random returns an entry of a bucket that isn't empty; there must be one.
func (t *table) random(r *rand.Rand) id {
	bucket := int(t.list[r.IntN(len(t.list))])
	nth := r.IntN(int(t.used[bucket]))
	for slot := range bucketSize {
		if i := t.get(bucket, slot); i != 0 {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	panic("addrmgr: a bucket has fewer entries than counted")
}

// What the key is hashed with, so that one result says nothing about another.
const (
	forNewGroup byte = iota
	forNewBucket
	forTriedGroup
	forTriedBucket
	forNewSlot
	forTriedSlot
)

// hash returns a number that nobody without the key can foresee.
func (m *Manager) hash(purpose byte, parts ...[]byte) uint64 {
	var buf [256]byte
	b := append(append(buf[:0], m.key[:]...), purpose)
	for _, p := range parts {
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[:])
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// newSlot returns where an address that a source told of belongs in the new table.
func (m *Manager) newSlot(a, source netaddr.Addr) (bucket, slot int) {
	group, from := m.groupOf(a).AppendKey(nil), m.groupOf(source).AppendKey(nil)
	within := m.hash(forNewGroup, group, from) % newBucketsPerSource
	bucket = int(m.hash(forNewBucket, from, number(within)) % newBuckets)
	return bucket, m.slotIn(forNewSlot, bucket, a)
}

// triedSlot returns where an address belongs in the tried table.
func (m *Manager) triedSlot(a netaddr.Addr) (bucket, slot int) {
	group := m.groupOf(a).AppendKey(nil)
	within := m.hash(forTriedGroup, a.AppendKey(nil)) % triedBucketsPerGroup
	bucket = int(m.hash(forTriedBucket, group, number(within)) % triedBuckets)
	return bucket, m.slotIn(forTriedSlot, bucket, a)
}

func (m *Manager) slotIn(purpose byte, bucket int, a netaddr.Addr) int {
	return int(m.hash(purpose, number(uint64(bucket)), a.AppendKey(nil)) % bucketSize)
}
