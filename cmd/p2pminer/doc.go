// P2pminer is a Stratum V1 miner for the CPU, meant for regtest, for demos and
// for trying out a node. It takes difficulties of any size, rolls version bits
// (BIP 310), changes to the newest job at once and reconnects by itself.
//
// main reads the flags and starts a client, which keeps one session with the
// server going (client.go, session.go), and the miners, one goroutine for each
// thread (miner.go). They meet at a board that shows the newest work (board.go).
//
// With --bench it is a load generator instead (bench.go, internal/bench), and looks
// for no solutions but those that its clients submit.
package main
