// Package solutions remembers the pool's Bitcoin blocks: it keeps those found here on disk
// until their fate is known, sees to it that the Bitcoin node has them, and follows what
// becomes of all.
//
// A [Journal] is told of a block as it is submitted. The block is written to a file of its
// own; its last bytes are sent after that, but don't wait for a disk that hangs. A block
// that can't be written is kept in memory, and written when the disk is well again.
// [Journal.Run] asks the Bitcoin node at each new tip about all blocks whose fate isn't final, and
// submits again those of our own that it doesn't know: after a crash of this program, of
// the node, or of the machine. Each block is pending until the node has it, then accepted
// (in the best chain) or orphaned, which may change with each reorganisation, or
// rejected; it is matured, or orphaned for good, with 100 blocks on top of it or of its
// rival. Then its file is deleted, and a line in the history stays.
//
// On disk, in one directory:
//
//	HEIGHT-HASH.block   a line of JSON (the record, and the share), then the serialized block
//	….block.new         such a file until all its bytes are written
//	….bad               what is damaged, for people to look at
//	history.json        the records of all blocks, the newest 5,000
//
// Both have checksums of all they hold. A file's height is compared with its name and its
// coinbase as well: a block with a wrong height would be given up for another's sake.
//
// Who calls what: package mining calls Keep and Submitted; cmd/p2poold makes the Journal,
// runs Run, tells it of new tips and of blocks on the sharechain, and shows List.
//
// # Concurrency
//
// All methods are safe for concurrent use; Run may be called once at a time. One round of
// questions is under way at a time. mu is never held during I/O, and nobody waits for the
// log: a goroutine of its own writes the lines. Rounds don't wait for the disk or for
// submissions either, which goroutines of their own see to, bounded by semaphores.
package solutions
