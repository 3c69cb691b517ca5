package database

import (
	"errors"
	"fmt"
	"io"
	"os"

	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// Errors to be told apart by callers.
var (
	// ErrNotFound says that a share is not in the store.
	ErrNotFound = errors.New("share not found in the database")
	// ErrCorrupt says that the database is damaged. The message tells how to
	// repair it.
	ErrCorrupt = errors.New("database is corrupted")
	// ErrLocked says that another process has the database open.
	ErrLocked = errors.New("database is in use by another process")
	// ErrOtherChain says that the database belongs to another sharechain.
	ErrOtherChain = errors.New("database belongs to another sharechain")
	// ErrVersion says that the database was written by a newer program.
	ErrVersion = errors.New("database has an unknown version")
	// ErrStopped says that an earlier write has failed. What is on disk is not
	// known any more, and the store takes nothing until it is opened again.
	ErrStopped = errors.New("database has stopped after a failed write")
)

// damage is a finding that is not an error of LevelDB's: records that are missing
// or make no sense.
type damage string

func (d damage) Error() string { return string(d) }

// isDamage tells files that are missing, cut short or garbled, and records that
// make no sense, from a disk or system that fails in other ways, which repairing
// the database would not cure.
func isDamage(err error) bool {
	for _, missing := range []error{os.ErrNotExist, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, missing) {
			return true
		}
	}
	_, finding := errors.AsType[damage](err)
	_, record := errors.AsType[*ldberrors.ErrCorrupted](err)
	_, file := errors.AsType[*storage.ErrCorrupted](err)
	return finding || record || file
}

// explained is an error whose message says what to do.
type explained struct{ error }

func (e explained) Unwrap() error { return e.error }

// explain turns a failure to open or read a database into an explained one.
func explain(path string, err error) error {
	if _, already := errors.AsType[explained](err); already || err == nil {
		return err
	}
	if isLocked(err) {
		err = ErrLocked
	}
	switch {
	case errors.Is(err, ErrLocked):
		err = fmt.Errorf("%w: %s; stop the other p2poold or choose another --datadir", err, path)
	case errors.Is(err, ErrOtherChain):
		err = fmt.Errorf("%w: %s; each network and pool needs a data directory of its own", err, path)
	case errors.Is(err, ErrVersion):
		err = fmt.Errorf("opening the database %s: %w: use a matching release", path, err)
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("opening the database %s: %w; correct its owner and permissions", path, err)
	case isDamage(err):
		err = fmt.Errorf("%w: %s: %w. Nothing was deleted. To repair it, stop p2poold and start it once with --reindex: "+
			"what can be read is kept, the rest is fetched from your peers", ErrCorrupt, path, err)
	default:
		err = fmt.Errorf("reading the database %s: %w", path, err)
	}
	return explained{err}
}
