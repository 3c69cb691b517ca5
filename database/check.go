package database

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// maxProblems bounds the list of a Report.
const maxProblems = 100

// Report is what Check found.
type Report struct {
	Version  uint32         // of the schema, 0 if that cannot be read
	Shares   uint64         // that can be read and hash to their ID
	Base     uint32         // nothing below this height is stored
	Tip      chainhash.Hash // zero for an empty chain, or if it cannot be read
	Bytes    int64          // of all files
	Problems []string       // none for a healthy database, at most 100
	Omitted  int            // problems beyond those
}

// Healthy reports whether nothing was found.
func (r *Report) Healthy() bool { return len(r.Problems) == 0 }

func (r *Report) problem(err error) {
	if len(r.Problems) == maxProblems {
		r.Omitted++
		return
	}
	r.Problems = append(r.Problems, err.Error())
}

// Check reads the whole database in the folder path and changes nothing. It calls
// each for every share that can be read, in ascending order of height. Damage,
// and what each returns, is collected in the report; the error is for what
// keeps Check from looking: no database, in use, of another chain, of a newer
// version, not permitted.
func Check(path string, chainID chainhash.Hash, each func(s *share.Share, root bool) error) (Report, error) {
	return newEngine().check(path, chainID, each)
}

func (e *engine) check(path string, chainID chainhash.Hash, each func(*share.Share, bool) error) (r Report, err error) {
	there, err := e.disk.exists(path)
	if err == nil && !there {
		err = errors.New("there is none")
	}
	if err != nil {
		return r, fmt.Errorf("opening the database %s: %w", path, err)
	}
	if r.Bytes, err = e.disk.size(path); err != nil {
		return r, explain(path, err)
	}
	h, err := e.openLevelDB(path, readOnly)
	if err == nil {
		err = errors.Join(e.inspect(h, chainID, each, &r), h.close())
	}
	if err = explain(path, err); errors.Is(err, ErrCorrupt) {
		r.problem(err)
		return r, nil
	}
	return r, err
}

// inspect goes on after damage as long as there is something to look at.
func (e *engine) inspect(h *handle, chainID chainhash.Hash, each func(*share.Share, bool) error, r *Report) error {
	rd, err := newReader(h.DB, h.folder, chainID)
	if err != nil && !isDamage(err) {
		return err
	}
	if err == nil {
		r.Version = rd.version
		acknowledged, _ := readMark(h.folder)
		err = steps[rd.version].survey(h.DB, rd.key, acknowledged)
	}
	if err != nil {
		if !isDamage(err) {
			return err
		}
		r.problem(err)
	}
	r.Base, r.Tip = rd.state.base, rd.state.tip
	for s, root := range rd.shares(r.problem) {
		r.Shares++
		if err := each(s, root); err != nil {
			r.problem(fmt.Errorf("share %v at height %d: %w", s.ID(), s.Data.Height, err))
		}
	}
	if r.Shares != rd.state.stored {
		r.problem(fmt.Errorf("%d of %d shares can be read", r.Shares, rd.state.stored))
	}
	return nil
}
