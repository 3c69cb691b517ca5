// Package web is what a browser or a load balancer sees on the Stratum port: pages that
// tell the node's state, how to connect a miner, and what is known of a miner whose
// address one has; the same as JSON; and a health check. Everything is public and
// read-only; nothing of it is secret, and no command can be given here. Commands are
// internal/rpcserver's.
//
//	/                     page for people
//	/miner/ADDRESS        page about the miners of an address
//	/miner?address=TEXT   leads there, for the form
//	/api/status           Status; /status.json is the same
//	/api/blocks           Block, the newest first
//	/api/miner/ADDRESS    Miner
//	/health               200 while miners get work, else 503 with the reason
//
// The addresses of miners are not secret, but nothing here lists them, nor what is known
// of them: only who has an address finds what belongs to it.
//
// The Backend is asked once a second at most, however many ask here, and for what is
// about all addresses together: which of them are asked for costs nothing more. What is
// made of an address is kept, for few of them, until there is something newer.
//
// Handler is safe for concurrent use. Its mutexes are held while the Backend is asked and
// while a miner's page is made, so that one does it for all and one at a time; requests
// wait for no longer than they have time.
package web
