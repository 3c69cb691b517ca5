// Package bitcoind is the adapter to the Bitcoin node that the pool mines on. It works
// with Bitcoin Core and with btcd.
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
// Calls are JSON-RPC over HTTP, by a transport of our own: btcd's rpcclient sends all
// calls from one goroutine, so that a longpoll would delay a block, knows no contexts, and
// reads replies of any size. Calls share six lanes (longpoll, poll, own and others for blocks
// found here and elsewhere, query, and signal, for questions about news), each with its own
// connections and its own small limit of calls, so no kind of call ever waits for another
// kind, and btcd's limit of ten connections is never reached. Connections are kept for the
// next call while the node keeps them, and one is kept in use for the next block found here. A call ends with its context, which closes its connection, or as soon as
// the node turns out not to listen.
//
// A reply is read up to the limit of its method: 32 MiB for a template, 8 MiB for a
// block, 64 KiB for most. Lists inside it are counted while they are parsed, so that it
// doesn't grow in memory. Redirects are not followed, and no proxy is used: a request
// carries the password. A block is turned into hex while it is being sent.
//
// A cookie file is read for each call, and once more if the node refuses it: Bitcoin Core
// changes it at each of its starts.
//
// # News of blocks
//
// Longpoll, poll, Bitcoin Core's ZMQ publisher (package zmq), btcd's websocket and the
// node's port for peers (package bitcoinp2p) tell of new blocks, each by its own
// goroutines, which [Client.Run] starts and waits for. What they tell is a sighting: known
// ones end in the table of tips, headers that extend the tip are believed, and all else is
// asked of the node, so often at most for each source. The first that counts becomes the
// [Tip] of Config.OnTip; its template follows by longpoll or by a request of the poll
// loop. Templates pass the same table, so that one that was overtaken on its way doesn't
// lead back. docs/mining.md has the rules.
//
// # Concurrency
//
// All methods are safe for concurrent use; Run may be called once at a time. They return
// promptly when their context ends. Of their goroutines only those of idle connections
// stay, for 20 s at most; Run closes them at its end. Callbacks come from
// Run only, one at a time, and must not block.
//
// Lock order: deliverMu, then stateMu or that of tips, which have none below. No lock is held during a call to the node.
package bitcoind
