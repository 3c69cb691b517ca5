// Package tlscert keeps the certificate of the Stratum port: one that the operator has,
// read again when its files change, or one that the node made itself.
//
// A certificate of its own costs nobody anything and keeps out whoever only listens. To
// keep out those who can put themselves between miner and node as well, the miner has to
// know it: by its file or by its fingerprint.
//
// A Source is safe for concurrent use. Source.mu is held while files are read, and
// before no other lock; handshakes never wait for it.
package tlscert
