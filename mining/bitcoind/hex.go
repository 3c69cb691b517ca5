package bitcoind

import (
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/p2poold/p2poold/mining"
)

// encodeHex is hex.Encode, four bytes at a time: of a solved block's way to the node the
// making of its digits, byte by byte, was the longest part.
func encodeHex(dst, src []byte) int {
	const (
		nibbles = 0x000f_000f_000f_000f
		ones    = 0x0101_0101_0101_0101
	)
	n := len(src) &^ 3
	for i := 0; i < n; i += 4 {
		// One byte in each 16 bits, then its high digit before its low one.
		x := uint64(binary.LittleEndian.Uint32(src[i:]))
		x = (x | x<<16) & 0x0000_ffff_0000_ffff
		x = (x | x<<8) & 0x00ff_00ff_00ff_00ff
		x = x>>4&nibbles | x&nibbles<<8
		letters := (x + 6*ones) >> 4 & ones // 1 for a digit above 9
		binary.LittleEndian.PutUint64(dst[2*i:], x+'0'*ones+letters*('a'-'9'-1))
	}
	return 2*n + hex.Encode(dst[2*n:], src[n:])
}

// hexReader reads as the hex form of a block.
type hexReader struct {
	left []byte // of a piece
	half bool   // the first digit of left[0] is out
	rest mining.RawBlock
}

// Read implements io.Reader.
func (r *hexReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		for len(r.left) == 0 {
			if len(r.rest) == 0 && n == 0 {
				return 0, io.EOF
			}
			if len(r.rest) == 0 {
				return n, nil
			}
			r.left, r.rest = r.rest[0], r.rest[1:]
		}
		n += r.encode(p[n:])
	}
	return n, nil
}

// encode writes digits of the piece into p, which has room for one at least, until
// either ends.
func (r *hexReader) encode(p []byte) (n int) {
	var digits [2]byte
	if r.half {
		hex.Encode(digits[:], r.left[:1])
		p[0] = digits[1]
		r.left, r.half, n = r.left[1:], false, 1
	}
	whole := min((len(p)-n)/2, len(r.left))
	n += encodeHex(p[n:], r.left[:whole])
	r.left = r.left[whole:]
	if n < len(p) && len(r.left) > 0 { // room for one more
		hex.Encode(digits[:], r.left[:1])
		p[n] = digits[0]
		r.half = true
		n++
	}
	return n
}
