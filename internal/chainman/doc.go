// Package chainman runs the sharechain of a node: it serialises access to the
// state machine in package blockchain, stores every accepted share before anyone
// learns of it, feeds it Bitcoin headers, and tells the others what changed.
//
// The rest of the node sees the chain through a Manager: p2p/netsync and mining
// declare the methods they need.
//
// # Locks
//
// acceptMu serialises everything that changes the chain and is held across the
// store's write; mu guards the chain itself and is held for computation only.
// acceptMu is taken before mu. Hooks run in the goroutine of Run with neither.
package chainman
