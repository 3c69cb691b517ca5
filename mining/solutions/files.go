package solutions

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/atomicfile"
	"github.com/p2poold/p2poold/mining"
)

const (
	// maxBlock is the greatest size of a block, in bytes (BIP 141), and blockHeader the
	// size of its header.
	maxBlock    = 4_000_000
	blockHeader = 80

	// maxLine bounds the line before the block, in bytes: the limits of a record's
	// fields, in JSON, and a share of less than 1,000 bytes in hex.
	maxLine = 8 << 10

	// writeBuffer is for the thousands of pieces of a block, in bytes. With one of the
	// block's size they would be faster by as much as making the buffer takes.
	writeBuffer = 256 << 10

	blockSuffix = ".block"
)

// fileMode lets nobody else read: a block is public soon, workers' names are not.
const fileMode, dirMode = 0o600, 0o700

// fileVersion is that of the line. The first version had no number, and a checksum of the
// block alone.
const fileVersion = 2

// fileLine is the line before the block.
type fileLine struct {
	Version int `json:"version"`
	Record
	Size  int    `json:"size"`
	CRC   uint32 `json:"crc32c,omitzero"` // added by seal
	Share string `json:"share,omitempty"` // encoded, in hex

	damage error // what is wrong with it, as far as the block can be used all the same
}

// share returns the share that the block is, nil if the line has none that could be it.
// What has become of its other bytes is for the sharechain to judge.
func (l *fileLine) share() *share.Share {
	b, err := hex.DecodeString(l.Share)
	if err != nil {
		return nil
	}
	s, err := share.Decode(b)
	if err != nil || s.ID() != l.Hash {
		return nil
	}
	return s
}

var errNotOurs = errors.New("not a block file")

// encodeLine returns the line for a block, with its end.
func encodeLine(r *Record, block mining.RawBlock, s *share.Share) ([]byte, error) {
	line, err := json.Marshal(fileLine{Version: fileVersion, Record: *r, Size: block.Size(), Share: hex.EncodeToString(s.Encode())})
	if err != nil {
		return nil, err
	}
	return append(seal(line, block...), '\n'), nil
}

// decodeFile reads what a block file holds. A file that was cut short, or damaged, is an
// error.
func decodeFile(b []byte) (l fileLine, block []byte, err error) {
	line, _, ok := bytes.Cut(b[:min(len(b), maxLine)], []byte{'\n'})
	if !ok {
		return l, nil, errNotOurs
	}
	block = b[len(line)+1:]
	if err := json.Unmarshal(line, &l); err != nil {
		return l, nil, errNotOurs
	}
	var damaged bool
	switch l.Version {
	case 0:
		damaged = crc32.Checksum(block, castagnoli) != l.CRC
	case fileVersion:
		damaged = !sealed(line, block)
	default:
		return l, nil, fmt.Errorf("version %d, want %d", l.Version, fileVersion)
	}
	switch {
	case l.Size != len(block) || l.Size <= blockHeader || l.Size > maxBlock:
		return l, nil, fmt.Errorf("block of %d bytes, %d are there", l.Size, len(block))
	case damaged:
		return l, nil, errors.New("damaged block")
	case chainhash.DoubleHashH(block[:blockHeader]) != l.Hash:
		return l, nil, errors.New("another block")
	}
	if err := checkHeight(block, l.Height); err != nil {
		return l, nil, err
	}
	return l, block, l.check()
}

// checkHeight compares a block's height with what its coinbase begins with (BIP 34): the
// fate of a block is read off its height, and it must not be given up for a wrong one.
func checkHeight(block []byte, height uint32) error {
	r := bytes.NewReader(block[blockHeader:])
	if _, err := wire.ReadVarInt(r, 0); err != nil {
		return fmt.Errorf("block without transactions: %w", err)
	}
	var coinbase wire.MsgTx
	if err := coinbase.Deserialize(r); err != nil {
		return fmt.Errorf("block without a coinbase: %w", err)
	}
	if len(coinbase.TxIn) == 0 {
		return errors.New("block whose coinbase has no input")
	}
	push, err := txscript.NewScriptBuilder().AddInt64(int64(height)).Script()
	if err != nil || !bytes.HasPrefix(coinbase.TxIn[0].SignatureScript, push) {
		return fmt.Errorf("the coinbase isn't that of a block at height %d", height)
	}
	return nil
}

// readFile reads a block file. Its name has to be that of the block. If only the line is
// damaged, the block is read all the same.
func readFile(path string) (fileLine, []byte, error) {
	b, err := readLimited(path, maxLine+maxBlock)
	if err != nil {
		return fileLine{}, nil, err
	}
	l, block, err := decodeFile(b)
	if want := fileName(&l.Record); err == nil && filepath.Base(path) != want {
		err = fmt.Errorf("it is %s", want)
	}
	if err != nil {
		if l, block, ok := salvage(filepath.Base(path), b); ok {
			l.damage = err
			return l, block, nil
		}
	}
	return l, block, err
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes are more than %d", path, info.Size(), limit)
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// fileName names a block's file.
func fileName(r *Record) string { return fmt.Sprintf("%d-%v%s", r.Height, r.Hash, blockSuffix) }

// newSuffix is behind a block file's name until all its bytes are written.
const newSuffix = ".new"

// writeBlock writes a block's file, calls written when that would survive the end of the
// program, and makes it durable. The file appears under its name with all its bytes. One
// that is there already is replaced when the new one is durable, not before. A file that
// can't be made durable stays: it can be read until the power fails.
func writeBlock(dir, name string, parts [][]byte, written func()) error {
	path := filepath.Join(dir, name)
	_, err := os.Lstat(path)
	replace := err == nil
	if err := writeFile(path+newSuffix, parts, replace); err != nil {
		return err
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err // what has been written is used by the next start
	}
	written()
	if !replace {
		if err := syncFile(path); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(dir)
}

// writeFile writes a file and, if wanted, makes its content durable. On an error it is
// removed.
func writeFile(path string, parts [][]byte, sync bool) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	w := bufio.NewWriterSize(f, writeBuffer)
	for _, part := range parts {
		_, _ = w.Write(part) // Flush tells
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// syncFile makes a file's content durable that another handle has written: Windows renames
// no open file.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// completeNew gives files their names that the end of a program came before, unless there
// is such a file.
func completeNew(dir string, name string) (string, error) {
	path := filepath.Join(dir, strings.TrimSuffix(name, newSuffix))
	if _, err := os.Lstat(path); err == nil {
		return "", os.Remove(path + newSuffix)
	}
	return filepath.Base(path), os.Rename(path+newSuffix, path)
}

// badSuffix is behind the name of a file that is damaged.
const badSuffix = ".bad"

// setAside renames a damaged file, so that it is told of once, and can be looked at.
func setAside(path string, damage error) error {
	if _, ok := errors.AsType[*os.PathError](damage); ok {
		return damage // the disk's fault, which may pass
	}
	if err := os.Rename(path, path+badSuffix); err != nil {
		return errors.Join(damage, err)
	}
	return fmt.Errorf("%w; the file is now %s", damage, path+badSuffix)
}
