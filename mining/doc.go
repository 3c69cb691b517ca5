// Package mining turns Bitcoin templates and the share tip into jobs, and
// solutions into Bitcoin blocks and shares.
//
// A Generator joins the newest Template with the newest tip of the sharechain
// into Work. Work is immutable and hands out a Job for each payee and output
// class; all jobs of one Work and class share their bytes but for a short head.
// A solution goes back to Generator.Submit, which sends a Bitcoin block to the
// node before it does anything else with it, but for giving it to the Journal, which
// keeps it for the case that it doesn't get there.
//
// Templates arrive through SetTemplate from the adapter in mining/bitcoind, new
// tips through ChainChanged. Blocks of other chains that jobs commit to (Merged) come
// from mining/merged, and solutions of them go back there. Everything is safe for concurrent use; no method
// but Submit waits for anything slower than a merkle tree.
package mining
