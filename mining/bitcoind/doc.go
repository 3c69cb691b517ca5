// Package bitcoind is the adapter to the Bitcoin node that the pool mines on. It works
// with Bitcoin Core and with btcd over JSON-RPC and is the only package that imports
// btcd's rpcclient.
//
// [Client.Check] tells at start-up, in words for the operator, what keeps the node from
// being mined on. [Client.Run] delivers block templates and the node's health until its
// context ends, through failures and restarts of the node. [Client.SubmitBlock] hands the
// node a block. The other methods answer questions about Bitcoin's chain.
//
// Who calls what: cmd/p2poold makes the Client and runs Check and Run. Package mining
// gets the templates and submits blocks; the chain manager asks for headers.
//
// # Calls
//
// rpcclient sends from one goroutine, so that a pending longpoll delays a block for its
// whole wait, knows no contexts and tries a dead node for 22 s. Every call therefore gets
// a client of its own, which is shut down when the call's context ends (that interrupts
// its HTTP request) or when the node turns out not to listen. Calls share four lanes
// (longpoll, poll, submit, query), each with its own small limit, so no kind of call ever
// waits for another kind, and btcd's limit of ten connections is never reached.
//
// A cookie file is read for each call: Bitcoin Core changes it at each of its starts.
//
// rpcclient reads a reply whole before anyone can look at it. Replies above 32 MiB are
// refused, but only after they were read; what bounds them before is rpcclient's timeout
// of one minute. The node is the operator's own, and lists inside a reply are counted
// while they are parsed, so that a reply of that size doesn't grow in memory.
//
// # Concurrency
//
// All methods are safe for concurrent use; Run may be called once at a time. They return
// promptly when their context ends, and leave no goroutine behind. Callbacks come from
// Run only, one at a time, and must not block.
//
// Lock order: deliverMu before stateMu. No lock is held during a call to the node.
package bitcoind
