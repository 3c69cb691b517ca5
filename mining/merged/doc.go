// Package merged mines blocks of other chains with the work that is done for Bitcoin
// (merged mining, "AuxPoW", as Namecoin introduced it).
//
// A Manager asks a node of each chain for a block to mine and builds a merkle tree of
// their hashes. The tree's root goes into the coinbase of all jobs, by way of
// [mining.AuxWork]. When a job's header has the work that one of the chains asks for,
// its node gets the way from its block to that header: the aux proof of work.
//
// None of this may disturb Bitcoin mining. The other nodes are asked by goroutines of
// their own, with bounds on time and on bytes; what they answer is checked; one that
// fails is left out of the tree and asked again later. A Solved call takes microseconds
// and waits for nobody.
//
// Each chain has two goroutines, which run while Manager.Run does: one asks for
// blocks, one submits. Those of Manager, chain and block are leaves among the locks: no
// other is taken while one of them is held, and no I/O is done.
package merged
