package message

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// ruleError builds a share.RuleError from a format.
func ruleError(kind share.ErrorKind, format string, args ...any) error {
	return share.RuleError{Kind: kind, Description: fmt.Sprintf(format, args...)}
}

// decoder consumes a payload and remembers the first error, after which every
// read yields zeros.
type decoder struct {
	b    []byte
	what string // command, for error texts
	err  error
}

// fail records an error unless there is one already.
func (d *decoder) fail(kind share.ErrorKind, format string, args ...any) {
	if d.err == nil {
		d.err = ruleError(kind, d.what+": "+format, args...)
	}
}

// take returns the next n bytes, which alias the payload, or nil after an error.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.b) {
		d.fail(ErrTruncated, "payload ends before its last field")
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uint8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) hash() (h chainhash.Hash) {
	copy(h[:], d.take(chainhash.HashSize))
	return h
}

// varint reads a CompactSize and refuses all but its shortest form, so that a
// message has one encoding only.
func (d *decoder) varint() uint64 {
	var v, least uint64
	switch first := d.uint8(); first {
	case 0xff:
		v, least = d.uint64(), 1<<32
	case 0xfe:
		v, least = uint64(d.uint32()), 1<<16
	case 0xfd:
		v, least = uint64(d.uint16()), 0xfd
	default:
		return uint64(first)
	}
	if v < least {
		d.fail(ErrVarInt, "varint %d is not in its shortest form", v)
	}
	return v
}

// count reads a varint that counts list entries or bytes of at least size bytes
// each. It fails unless the count lies within least and most and its entries
// can be in what is left of the payload, so that callers may allocate by it.
func (d *decoder) count(least, most, size int, name string) int {
	v := d.varint()
	if d.err != nil {
		return 0
	}
	if v < uint64(least) || v > uint64(most) {
		d.fail(ErrCount, "%d %s, allowed are %d to %d", v, name, least, most)
		return 0
	}
	if int(v) > len(d.b)/size {
		d.fail(ErrTruncated, "%d %s do not fit in %d bytes", v, name, len(d.b))
		return 0
	}
	return int(v)
}

// hashes reads a list of least to most hashes; an empty one is nil.
func (d *decoder) hashes(least, most int, name string) []chainhash.Hash {
	n := d.count(least, most, chainhash.HashSize, name)
	if n == 0 {
		return nil
	}
	list := make([]chainhash.Hash, n)
	for i := range list {
		list[i] = d.hash()
	}
	return list
}

// appendVarint appends v as CompactSize in its shortest form.
func appendVarint(b []byte, v uint64) []byte {
	le := binary.LittleEndian
	switch {
	case v < 0xfd:
		return append(b, byte(v))
	case v < 1<<16:
		return le.AppendUint16(append(b, 0xfd), uint16(v))
	case v < 1<<32:
		return le.AppendUint32(append(b, 0xfe), uint32(v))
	default:
		return le.AppendUint64(append(b, 0xff), v)
	}
}

// varintSize returns the encoded length of v in bytes.
func varintSize(v int) int {
	switch {
	case v < 0xfd:
		return 1
	case v < 1<<16:
		return 3
	case uint64(v) < 1<<32:
		return 5
	default:
		return 9
	}
}

func appendHashes(b []byte, list []chainhash.Hash) []byte {
	b = appendVarint(b, uint64(len(list)))
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}

func hashesSize(list []chainhash.Hash) int {
	return varintSize(len(list)) + len(list)*chainhash.HashSize
}
