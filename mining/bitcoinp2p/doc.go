// Package bitcoinp2p hears of new blocks from the Bitcoin node itself, over its peer
// network port, as one more peer that wants no transactions and has no blocks.
//
// A node announces a block to such a peer by its header (BIP 130), as soon as the block
// has passed all checks and is its best; where it doesn't know what the peer has, by an
// inv with the hash. If Config.Compact is set, it sends the header of a compact block
// (BIP 152, high bandwidth) earlier: with the proof of work checked and nothing else.
//
// Send hands a block to a node the same way, on a connection that is there for nothing
// else.
//
// Whoever answers at the port is not trusted. A message is read into memory only if its
// kind is used here, and only up to the limit of that kind; all others are read and
// dropped. What breaks the protocol ends the connection.
//
// mining/nodes calls Send. mining/bitcoind calls Listen, one connection at a time, and
// calls it again after a while when it returns.
package bitcoinp2p
