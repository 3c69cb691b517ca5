package database

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
)

const (
	// markName is the mark's file in the folder of the database. LevelDB leaves
	// alone what it has not named itself.
	markName = "ACKNOWLEDGED"
	// markSize is a count u64 and its CRC-32C, which a disk writes in one piece.
	markSize = 8 + 4
)

// mark is the number of acknowledged shares, kept outside of LevelDB.
//
// A reader of LevelDB's journal cannot tell a batch that was cut short by a
// crash, which nobody was told of, from an acknowledged one that has rotted: it
// skips both, and with them the rest of a 32 KiB block. A later batch shows the
// gap, but there may be none. The mark is written after the batch is durable
// and before Append returns, so that it never runs ahead of the journal, and
// less than the mark's number of shares is damage. It need not be synced: a
// mark that lags behind after a loss of power is no mistake, only less to
// compare with.
type mark struct{ file *os.File }

// openMark opens the mark in the folder dir for writing.
func openMark(dir string) (*mark, error) {
	f, err := os.OpenFile(filepath.Join(dir, markName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(markSize); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &mark{file: f}, nil
}

// set writes the number of acknowledged shares.
func (m *mark) set(count uint64) error {
	b := encodeMark(count)
	_, err := m.file.WriteAt(b[:], 0)
	return err
}

// close makes the mark durable and closes it.
func (m *mark) close() error {
	return errors.Join(m.file.Sync(), m.file.Close())
}

// readMark returns the number of acknowledged shares, 0 if the mark is missing
// or damaged: then the shares themselves are all there is to go by.
func readMark(dir string) uint64 {
	b, err := os.ReadFile(filepath.Join(dir, markName))
	if err != nil {
		return 0
	}
	return decodeMark(b)
}

func encodeMark(count uint64) [markSize]byte {
	var b [markSize]byte
	binary.LittleEndian.PutUint64(b[:], count)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// decodeMark returns 0 for what encodeMark has not made.
func decodeMark(b []byte) uint64 {
	if len(b) != markSize {
		return 0
	}
	count := binary.LittleEndian.Uint64(b)
	if encodeMark(count) != [markSize]byte(b) {
		return 0
	}
	return count
}
