package bitcoind

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Source is a way in which we hear of the node's new tip.
type Source uint8

// The sources.
const (
	SourceLongpoll  Source = iota // a longpoll's template
	SourcePoll                    // our own question, once a second
	SourceZMQ                     // Bitcoin Core's publisher
	SourceWebsocket               // btcd's notifications
	SourceP2P                     // the node's announcement to peers
	SourceCompact                 // the same, before it has validated the block
	numSources
)

// String returns the source's name, as RPC shows it.
func (s Source) String() string {
	return [numSources]string{"longpoll", "poll", "zmq", "websocket", "p2p", "compact"}[s]
}

// SourceStats counts what one source has told.
type SourceStats struct {
	Source Source

	// Connections are the connections that it listens on now; always 0 for longpoll
	// and poll, which need none.
	Connections int

	// First are the tips that it told of before all others, Later those that it told
	// of after another.
	First, Later uint64

	// Behind is by how much it was later, on average of Later.
	Behind time.Duration

	// Refused are the times when the node, asked, knew nothing of the block or had a
	// better one.
	Refused uint64

	behind time.Duration // the sum
}

// TipStats is how the newest tip came here, and how the sources compare.
type TipStats struct {
	Hash    chainhash.Hash
	Source  Source // that told first
	At      time.Time
	Ahead   time.Duration // of the second source; 0 while there is none
	Known   bool          // false before the first new tip after the start
	Sources []SourceStats
}

// TipStats returns a snapshot.
func (c *Client) TipStats() TipStats {
	t := &c.tips
	t.mu.Lock()
	defer t.mu.Unlock()
	out := TipStats{Hash: t.tip}
	if i := t.find(t.tip); i >= 0 && !t.recent[i].silent {
		r := &t.recent[i]
		out.Source, out.At, out.Ahead, out.Known = r.first, r.at, r.ahead, true
	}
	for i, s := range t.stats {
		s.Source = Source(i)
		if s.Later > 0 {
			s.Behind = s.behind / time.Duration(s.Later)
		}
		out.Sources = append(out.Sources, s)
	}
	return out
}
