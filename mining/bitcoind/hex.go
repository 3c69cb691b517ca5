package bitcoind

import (
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/p2poold/p2poold/mining"
)

// hexDigits are the two digits of each byte, the first one below.
var hexDigits = func() (pairs [256]uint64) {
	for i := range pairs {
		var digits [2]byte
		hex.Encode(digits[:], []byte{byte(i)})
		pairs[i] = uint64(binary.LittleEndian.Uint16(digits[:]))
	}
	return pairs
}()

// encodeHex is hex.Encode in half the time, by four bytes at once: of a solved block's way
// to the node the making of its digits is a large part.
func encodeHex(dst, src []byte) (n int) {
	for len(src) >= 4 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst,
			hexDigits[src[0]]|hexDigits[src[1]]<<16|hexDigits[src[2]]<<32|hexDigits[src[3]]<<48)
		src, dst, n = src[4:], dst[8:], n+8
	}
	return n + hex.Encode(dst, src)
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
