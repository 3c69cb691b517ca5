package zmq

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// The topics that Bitcoin Core publishes blocks under (doc/zmq.md there).
const (
	HashBlock = "hashblock" // the new tip's hash
	RawBlock  = "rawblock"  // the new tip
	// Sequence has each block that joins or leaves the best chain, and each
	// transaction that joins or leaves the mempool, which are passed over: some ten
	// messages of 50 bytes a second.
	Sequence = "sequence"
)

// topics are those subscribed to.
var topics = []string{HashBlock, RawBlock, Sequence}

// Event is the news of one block.
type Event struct {
	Topic string
	Hash  chainhash.Hash

	// Header is the block's, with RawBlock only; else nil.
	Header *wire.BlockHeader

	// Left tells that the block has left the best chain, with Sequence only.
	Left bool
}

// event reads a message; ok is false for one that is no news of a block.
func (m *message) event() (e Event, ok bool, err error) {
	topic := string(m.frames[0])
	if !slices.Contains(topics, topic) {
		return e, false, nil // subscriptions are of prefixes
	}
	if m.count < 2 {
		return e, false, fmt.Errorf("%s without a body", topic)
	}
	e.Topic = topic
	body, size := m.frames[1], m.sizes[1]
	switch topic {
	case RawBlock:
		if size <= keptBody {
			return e, false, fmt.Errorf("block of %d bytes", size)
		}
		e.Header = new(wire.BlockHeader)
		if err := e.Header.Deserialize(bytes.NewReader(body)); err != nil {
			return e, false, fmt.Errorf("block header: %w", err)
		}
		e.Hash = e.Header.BlockHash()
		return e, true, nil
	case HashBlock:
		if size != chainhash.HashSize {
			return e, false, fmt.Errorf("hash of %d bytes", size)
		}
		e.Hash = reversed(body)
		return e, true, nil
	default:
		if size < chainhash.HashSize+1 || size > chainhash.HashSize+1+8 {
			return e, false, fmt.Errorf("sequence event of %d bytes", size)
		}
		e.Hash = reversed(body)
		label := body[chainhash.HashSize]
		e.Left = label == 'D'
		return e, label == 'C' || label == 'D', nil
	}
}

// reversed reads a hash in the order of its display, which is Bitcoin Core's here.
func reversed(b []byte) (h chainhash.Hash) {
	copy(h[:], b)
	slices.Reverse(h[:])
	return h
}
