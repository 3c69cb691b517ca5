package database

import (
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Pair is the place of a node's database, beside which another can be filled that
// may take its place. Its methods are not safe for concurrent use.
type Pair struct {
	engine  *engine
	path    string
	chainID chainhash.Hash
}

// NewPair returns the place of the database in the folder path.
func NewPair(path string, chainID chainhash.Hash) *Pair {
	return &Pair{engine: newEngine(), path: path, chainID: chainID}
}

// Candidate makes an empty database beside the other. What an earlier one held is
// gone.
func (p *Pair) Candidate() (*Store, error) {
	if err := p.engine.disk.removeAll(p.path + candidateSuffix); err != nil {
		return nil, fmt.Errorf("making the database %s%s: %w", p.path, candidateSuffix, err)
	}
	return p.engine.open(p.path+candidateSuffix, p.chainID)
}

// Adopt puts a candidate in the place of the other database and opens it. The other is
// kept under the name returned, path.left-YYYYMMDD-HHMMSS. Both are closed, whatever
// happens. A crash at any time leaves one or the other.
func (p *Pair) Adopt(old, candidate *Store) (s *Store, kept string, err error) {
	if err := errors.Join(candidate.Close(), old.Close()); err != nil {
		return nil, "", err
	}
	if err := p.engine.disk.removeAll(p.path + newSuffix); err != nil {
		return nil, "", err
	}
	if err := p.engine.move(p.path+candidateSuffix, p.path+newSuffix); err != nil {
		return nil, "", err
	}
	if kept, err = p.engine.swap(p.path, leftSuffix, time.Now()); err != nil {
		return nil, "", err
	}
	s, err = p.engine.open(p.path, p.chainID)
	return s, kept, err
}

// Discard closes and deletes a candidate.
func (p *Pair) Discard(candidate *Store) error {
	return errors.Join(candidate.Close(), p.engine.disk.removeAll(p.path+candidateSuffix))
}
