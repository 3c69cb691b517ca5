// Package database keeps the sharechain on disk in LevelDB.
//
// # Schema, version 1
//
//	key                     value
//	"m"                     schema version u32 ‖ ChainID 32
//	"t"                     number of shares appended u64 ‖ ID of the tip 32
//	"q" ‖ sequence u64 BE   ShareID 32
//	"s" ‖ ShareID 32        sequence u64 ‖ encoding of the share
//
// Integers are little endian but in the key, where big endian makes LevelDB's
// order that of acceptance. Sequence numbers begin at 0 and have no gaps, so
// that a lost record is noticed.
//
// # Durability
//
// Append writes shares, their places in the sequence and the new tip as one
// batch with Sync: after a crash the store has all of them or none. Files
// become part of their directory durably before LevelDB writes to them.
//
// # Damage
//
// LevelDB skips what it cannot read in its journal, silently, and deletes the
// journal once it is opened for writing. Therefore Open looks at the database
// read-only first: the sequence must be whole and no shorter than the number
// of acknowledged shares, which the file ACKNOWLEDGED beside LevelDB's own
// holds (see mark). Damage is reported as ErrCorrupt with the folder left as it
// was; the store never deletes or repairs anything by itself.
//
// goleveldb is unmaintained; this package is its only importer, and the rest of
// the node knows the small interfaces that the Store implements.
//
// A Store is safe for concurrent use. Append calls are serialised.
package database
