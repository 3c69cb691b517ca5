package netsync

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// PeerID names a connection for the Manager's whole life. The order of ids
// breaks ties.
type PeerID uint64

// Action is something the driver must do: *Send, *Disconnect, *Verify, *Serve or
// *Publish.
type Action interface{ action() }

// Send asks to send a message. The same message may go to several peers and
// must not be changed.
type Send struct {
	To      PeerID
	Message message.Message
}

// Disconnect asks to end a connection. The Manager already ignores the peer;
// Disconnected must still be called.
type Disconnect struct {
	Peer PeerID
	// Misbehaviour is set if the peer broke a rule, unset if it stalled.
	Misbehaviour bool
	Err          error // why
}

// Verify asks to have the chain judge each share, in order, and for Verdict with
// each result. Shares that won't be judged, as the peer has gone, go to
// Unverified.
type Verify struct {
	From   PeerID
	Shares []*share.Share
	// Sync is set for what a session fetched. Such a Verify may come from any event,
	// also another peer's or a Tick, so no peer's goroutine should do it. Only one is
	// out at a time: the next comes with the last verdict, or Unverified, of this one.
	Sync bool
	// Root is the id of the one share among Shares that may be accepted without its
	// parent; zero: none. See the package comment on syncing from the middle. It is
	// the chain that decides: where the parent is known, Root means nothing.
	Root chainhash.Hash
}

// Serve asks to answer a request, a *message.GetShares or *message.GetLocator,
// with the function of that name.
type Serve struct {
	To      PeerID
	Request message.Message
}

// Publish asks to call Announce with a share of the chain: it became valid while
// the verdict on a copy of it was awaited.
type Publish struct{ ID chainhash.Hash }

func (*Send) action()       {}
func (*Disconnect) action() {}
func (*Verify) action()     {}
func (*Serve) action()      {}
func (*Publish) action()    {}
