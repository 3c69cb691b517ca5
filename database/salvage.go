package database

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/journal"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/table"
)

// salvager reads every record that can be read in a damaged LevelDB's files.
//
// LevelDB's own Recover does not serve. It rewrites the files; of a table with an
// unreadable block it loses all if the table has two versions of one record, as
// ours have ("keys are not in increasing order"); and the filters it writes don't
// match their table. The formats are simple, the packages that read them public.
type salvager struct {
	write func(*leveldb.Batch) error
	batch leveldb.Batch
	// newest are the few records that change. Share records never do, and it does
	// not matter which version is found, nor that deleted ones are.
	newest map[string]version
}

// version is a record's value with LevelDB's number of the write.
type version struct {
	sequence uint64
	value    []byte
}

// salvage hands the records of all tables and journals of src to write, whether
// LevelDB's manifest knows them or not.
func salvage(src folder, write func(*leveldb.Batch) error) error {
	s := &salvager{write: write, newest: make(map[string]version)}
	fds, err := src.List(storage.TypeTable | storage.TypeJournal)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		r, err := src.Open(fd)
		if err != nil {
			continue // not to be read: damage like any other
		}
		read := s.table
		if fd.Type == storage.TypeJournal {
			read = s.journal
		}
		err = read(fd, lenientReader{r})
		_ = r.Close() // a table's is closed already
		if err != nil {
			return err
		}
	}
	for key, v := range s.newest {
		s.batch.Put([]byte(key), v.value)
	}
	return s.flush()
}

// flush writes what was found.
func (s *salvager) flush() error {
	defer s.batch.Reset()
	return s.write(&s.batch)
}

// table reads the records of a table. Their keys end with the sequence number of
// the write, shifted by a byte that is 1 for a value and 0 for a deletion.
func (s *salvager) table(fd storage.FileDesc, r storage.Reader) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil || checkFooter(fd, r) != nil {
		return nil
	}
	t, err := table.NewReader(r, size, fd, nil, nil, &opt.Options{Strict: opt.StrictBlockChecksum})
	if err != nil {
		return nil
	}
	defer t.Release()
	it := t.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		const suffix = 8
		key := it.Key()
		n := len(key) - suffix
		if n < 1 {
			continue
		}
		if number := binary.LittleEndian.Uint64(key[n:]); number&0xff == 1 {
			if err := s.add(key[:n], it.Value(), number>>8); err != nil {
				return err
			}
		}
	}
	return nil
}

// journal reads the batches of a journal. Each has a header of its first sequence
// number u64 and its length u32.
func (s *salvager) journal(_ storage.FileDesc, r storage.Reader) error {
	const header = 8 + 4
	batches := journal.NewReader(r, nil, false, true)
	for {
		next, err := batches.Next()
		if err != nil {
			return nil // the end
		}
		b, err := io.ReadAll(next)
		if err != nil || len(b) < header {
			continue // damaged
		}
		found := &batchReplay{s: s, sequence: binary.LittleEndian.Uint64(b)}
		var batch leveldb.Batch
		if batch.Load(b[header:]) == nil && batch.Replay(found) == nil && found.err != nil {
			return found.err
		}
	}
}

// batchReplay numbers the records of a batch.
type batchReplay struct {
	s        *salvager
	sequence uint64
	err      error
}

func (r *batchReplay) Put(key, value []byte) {
	r.err = errors.Join(r.err, r.s.add(key, value, r.sequence))
	r.sequence++
}

func (r *batchReplay) Delete([]byte) { r.sequence++ }

// add takes one record.
func (s *salvager) add(key, value []byte, sequence uint64) error {
	switch {
	case len(key) == 1:
		if v, known := s.newest[string(key)]; !known || v.sequence < sequence {
			s.newest[string(key)] = version{sequence, slices.Clone(value)}
		}
	case isShareKey(key) || isShareKey1(key):
		s.batch.Put(key, value)
		if len(s.batch.Dump()) > 1<<20 {
			return s.flush()
		}
	}
	return nil
}

// lenientReader returns nothing for what cannot be read, which then does not match
// its checksum.
type lenientReader struct{ storage.Reader }

func (r lenientReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.Reader.ReadAt(b, at)
	if err != nil {
		clear(b[n:])
		err = io.EOF
	}
	return n, err
}

func (r lenientReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
