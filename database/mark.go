package database

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	// markName is the mark's file in the folder of the database. LevelDB leaves
	// alone what it has not named itself.
	markName = "ACKNOWLEDGED"
	// markSize is a count u64 and its CRC-32C, which a disk writes in one piece,
	// and keyCopySize a copy of the obfuscation key and its CRC-32C after them.
	markSize    = 8 + 4
	keyCopySize = obfuscationSize + 4
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
//
// The number is that of shares ever appended, which pruning leaves alone.
//
// Beside it lies a copy of the obfuscation key. Without the key nothing could be
// salvaged, and LevelDB has it in one place only.
type mark struct{ file markFile }

// openMark opens the mark for writing, with that count and copy of the key.
func openMark(f folder, count uint64, key obfuscation) (*mark, error) {
	file, err := f.openMark()
	if err != nil {
		return nil, err
	}
	m := &mark{file: file}
	k := encodeKeyCopy(key)
	_, keyErr := file.WriteAt(k[:], markSize)
	if err := errors.Join(keyErr, m.set(count), file.Truncate(markSize+keyCopySize), file.Sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
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
// or damaged: then the shares themselves are all there is to go by. The key is
// zero likewise.
func readMark(f folder) (count uint64, key obfuscation) {
	b, err := f.readMark()
	if err != nil {
		return 0, key
	}
	return decodeMark(b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeMark(count uint64) (b [markSize]byte) {
	binary.LittleEndian.PutUint64(b[:], count)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	return b
}

func encodeKeyCopy(key obfuscation) (b [keyCopySize]byte) {
	copy(b[:], key[:])
	binary.LittleEndian.PutUint32(b[obfuscationSize:], crc32.Checksum(key[:], castagnoli))
	return b
}

// decodeMark returns zero for each part that it cannot read. Version 1 had the
// count alone.
func decodeMark(b []byte) (count uint64, key obfuscation) {
	if len(b) != markSize && len(b) != markSize+keyCopySize {
		return 0, key
	}
	if n := binary.LittleEndian.Uint64(b); encodeMark(n) == [markSize]byte(b[:markSize]) {
		count = n
	}
	if b = b[markSize:]; len(b) > 0 {
		if k := obfuscation(b[:obfuscationSize]); encodeKeyCopy(k) == [keyCopySize]byte(b) {
			key = k
		}
	}
	return count, key
}
