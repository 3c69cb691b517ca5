package database

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// The footer of LevelDB's tables: two block handles, each an offset and a length
// as varints, padding, and a magic number. Blocks have 5 bytes of trailer.
const (
	footerSize      = 48
	footerMagicSize = 8
	blockTrailer    = 5
)

// checkFooter verifies that the blocks named in a table's footer lie within its
// file. The footer has no checksum, and LevelDB allocates whatever length it
// finds there: one flipped bit can ask for gigabytes.
func checkFooter(fd storage.FileDesc, r storage.Reader) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil || size < footerSize {
		return err // too short: LevelDB notices
	}
	var b [footerSize]byte
	if _, err := r.ReadAt(b[:], size-footerSize); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rest := b[:footerSize-footerMagicSize]
	room := uint64(size - footerSize)
	for range 2 {
		offset, n := binary.Uvarint(rest)
		rest = rest[max(n, 0):]
		length, m := binary.Uvarint(rest)
		rest = rest[max(m, 0):]
		if n <= 0 || m <= 0 || offset > room || length > room || offset+length+blockTrailer > room {
			return &storage.ErrCorrupted{Fd: fd, Err: errors.New("the footer of table " + fd.String() + " is damaged")}
		}
	}
	return nil
}
