package database

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
)

// A step is what this program knows about one version of the schema.
type step struct {
	// survey checks a database of that version without changing it: every record
	// readable, none unknown, and no share missing.
	survey func(db *leveldb.DB, key obfuscation, acknowledged uint64) error
	// upgrade turns it into the next version, in durable batches. It may be
	// interrupted after any of them; survey and upgrade must then be able to go
	// on from there. The last batch writes the new version. Nil for the last.
	upgrade func(e *engine, h *handle, chainID chainhash.Hash) error
}

// steps by version.
var steps = [schemaVersion + 1]step{
	1: {survey1, upgrade1},
	2: {surveyRecords, nil},
}

// upgrade brings a database that was found healthy up to date.
func (e *engine) upgrade(h *handle, version uint32, chainID chainhash.Hash) error {
	for ; version < schemaVersion; version++ {
		if err := steps[version].upgrade(e, h, chainID); err != nil {
			return err
		}
	}
	return nil
}
