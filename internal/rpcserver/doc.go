// Package rpcserver is the control interface of a running node: JSON-RPC 2.0
// (and 1.0) over HTTP POST, used by p2pctl, by scripts and by dashboards.
//
// cmd/p2poold builds one Server, gives it a Backend and calls Run. The package
// knows nothing of how the node works: every answer comes from the Backend, an
// interface declared here and implemented by the caller, and every answer has
// a type in types*.go whose JSON form is documented in docs/rpc.md and stays
// stable.
//
// # A request's way
//
//	accept     connection table: at most MaxConnections; when full, the oldest
//	           connection that is not executing a command makes room
//	guard      client address (--rpcallowip), Host, Origin, POST, path
//	auth       Basic credentials against a salted HMAC; a wrong password costs
//	           250 ms of one of a few attempt slots
//	body       at most MaxBodySize bytes, read before anything is parsed
//	parse      one request or a batch of at most MaxBatch
//	dispatch   method table → parameters checked against the method's own
//	           declaration → handler → Backend
//
// # Trust
//
// Whoever has the credentials controls the node, and the traffic is not
// encrypted: the server listens on loopback unless told otherwise. A web page
// in the operator's browser is the other attacker it defends against: it
// refuses any request with an Origin header and any Host that is not a
// loopback name, a listening address or the address the client connected to,
// which is what stops DNS rebinding.
//
// # Concurrency
//
// Run serves each connection in its own goroutine, so the Backend is called
// concurrently. Two mutexes exist, connTable.mu and throttle.mu; both are
// leaves: nothing is called and no other lock is taken while one is held.
package rpcserver
