// Package database keeps the sharechain on disk in LevelDB.
//
// # Schema, version 2
//
//	key                                value
//	"m"                                schema version u32 ‖ ChainID 32 ‖ obfuscation key 8
//	"t"                                shares stored u64 ‖ shares ever appended u64 ‖ base height u32 ‖ ID of the tip 32
//	"s" ‖ height u32 BE ‖ ShareID 0–15  flags u8 (bit 0: root) ‖ encoding of the share without its merkle root
//
// Integers are little endian but in the key, where big endian makes LevelDB's
// order that of the heights. Parents and uncles are lower than their children and
// nephews, so reading in that order needs no other index, and pruning deletes a
// range. A root is a share that was accepted without its parent. The zero ID is
// the tip of an empty chain. Nothing below the base height is stored. All values
// but the meta record are XORed with the obfuscation key, over and over from their
// first byte on; the key is random and not zero.
//
// Beside LevelDB's files lies ACKNOWLEDGED:
//
//	bytes   content
//	0–7     shares ever appended u64, as acknowledged
//	8–11    CRC-32C of these
//	12–19   copy of the obfuscation key
//	20–23   CRC-32C of this
//
// and beside the folder, while they are needed, folders with the endings .new (a
// database in the making), .ready (one about to take the old one's place), .salvage
// (what could be read of a damaged one) and .candidate (another chain's, see Pair);
// .bad-YYYYMMDD-HHMMSS is what Rebuild has replaced, .left-YYYYMMDD-HHMMSS what Pair
// has. DeleteOlder leaves two of each kind; under any other name a folder is nobody's
// to delete but the user's.
//
// # Versions
//
// Open brings an older database up to date, step by step, after it was found
// healthy. A step writes durable batches, the last of which has the new version;
// after a crash it goes on where it was. It needs twice the space for a while.
// There is no way back. A newer version is refused.
//
//	step     what it does
//	1 → 2    each "s" record gets its height in the key, flags instead of the
//	         sequence number, and is obfuscated; the "q" records go; meanwhile "u"
//	         holds the obfuscation key
//
// Version 1 was:
//
//	key                     value
//	"m"                     schema version u32 ‖ ChainID 32
//	"t"                     number of shares appended u64 ‖ ID of the tip 32
//	"q" ‖ sequence u64 BE   ShareID 32
//	"s" ‖ ShareID 32        sequence u64 ‖ encoding of the share
//
// # Reliability
//
// Nine rules keep LevelDB from losing what was acknowledged:
//
//  1. A new file's directory entry is durable before anything is written to the
//     file: carefulStorage.Create.
//  2. A database is made under another name and then renamed, and LevelDB may never
//     make one by itself (ErrorIfMissing): engine.create.
//  3. The chain is verified at the start. Here: Open reads every record, in a
//     LevelDB that is opened to be read only, before anything may be written
//     (survey); Load verifies that each record holds its share; none may be missing,
//     by the counts in "t". Parents and proof of work are the business of Load's
//     caller, as is fetching again what Rebuild could not save.
//  4. Appending a share that is stored changes nothing (Store.insert); pruning is
//     applied again at the start (Store.pruneAgain).
//  5. Shares, tip, counts and pruning are one batch with Sync, and then the mark is
//     written, before Append returns.
//  6. A Bitcoin block is submitted before its share is stored: package mining.
//  7. The first write that fails, in the background too, is the last one
//     (carefulStorage); Append returns ErrStopped from then on, and the node ends.
//  8. Recover is called on nothing, not even on a copy, for the reasons given at
//     salvager: Rebuild reads a damaged database's files without changing them,
//     and fills a new database.
//  9. Values are obfuscated, not compressed, and found with filters of ten bits a
//     key: tuning.
//
// LevelDB skips what it cannot read in its journal, silently, and deletes the
// journal once it is opened for writing. That is why Open surveys first, and why
// the mark exists: a batch at the journal's end that is not readable was cut short
// by a crash, or it has rotted, and only the mark knows whether anybody was told.
// Damage is reported as ErrCorrupt with the folder left as it was. Check tells all
// that is wrong, and Rebuild saves what can be read.
//
// goleveldb is unmaintained; this package is its only importer, and the rest of
// the node knows the small interfaces that the Store implements.
//
// # Space
//
// LevelDB's levels are tuned for a chain that grows at the top and is pruned at the
// bottom (tuning). A full retention of 152,064 shares with 12 branch hashes has 106
// MB of keys and values and takes 111 MB, and 117 MB at the worst moment of a sync
// that replaces it all.
//
// A Store is safe for concurrent use. Append calls are serialised. The package has
// no goroutines but LevelDB's.
package database
