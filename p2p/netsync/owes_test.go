package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestOwes: a peer owes what it was asked for until it answers, and nothing else.
func TestOwes(t *testing.T) {
	m := New(Config{Chain: new(fakechain.Chain), Mode: message.LowLatency})
	now := time.Unix(1_700_000_000, 0)
	var none chainhash.Hash
	m.Connected(now, 1, false, &message.Version{}, none)
	m.Connected(now, 2, false, &message.Version{}, none)
	s := fakechain.New(none, 0, 1)
	id := s.ID()
	if m.Owes(1, id) || m.Owes(3, id) || m.Wants(id) {
		t.Error("somebody owes a share before it was asked for")
	}
	m.Receive(now, 1, &message.Inv{IDs: []chainhash.Hash{id}})
	if !m.Owes(1, id) || m.Owes(2, id) || m.Owes(1, none) || !m.Wants(id) {
		t.Error("the announcer owes it, and nobody else")
	}
	m.Receive(now, 1, &message.Shares{Raw: [][]byte{s.Encode()}})
	if m.Owes(1, id) {
		t.Error("it is owed after the answer")
	}
}
