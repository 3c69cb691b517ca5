// Package web is what a browser or a load balancer sees on the Stratum port: a page that
// tells the node's state and how to connect a miner, the same as JSON, and a health check.
// Everything is public and read-only; nothing of it is secret, and no command can be
// given here. Commands are internal/rpcserver's.
//
//	/             page for people
//	/status.json  Status
//	/health       200 while miners get work, else 503 with the reason
//
// The Backend is asked once a second at most, however many ask here.
//
// Handler is safe for concurrent use. Its mutex is held while the Backend is asked, so
// that one asks for all; requests wait for no longer than they have time.
package web
