// Package zmq hears of new blocks from Bitcoin Core's ZMQ publisher.
//
// It speaks as much of ZMTP 3.0 as a subscriber without security needs: the greeting,
// one READY each way, one subscription for each topic, and then messages of three frames
// (topic, body, sequence number). libzmq isn't needed.
//
// Whoever answers at the address is not trusted. No frame is kept beyond the 80 bytes of
// a block header, whatever length it claims; what follows of a raw block is read and
// dropped. A connection therefore costs a few kilobytes. Whatever breaks the protocol
// ends it.
//
// mining/bitcoind calls Listen, one connection at a time for each address, and calls it
// again after a while when it returns.
package zmq
