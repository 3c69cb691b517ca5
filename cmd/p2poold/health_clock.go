package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	// clockWarn is by how much the clocks of peers may differ from ours before that is
	// worth a word. Peers may lie, so it is all that they can bring about alone.
	clockWarn = 10 * time.Minute
	// clockAlone is by how much the Bitcoin node's clock may differ while there are too
	// few peers to say which of the two is wrong.
	clockAlone = 10 * time.Minute
	// clockBitcoin is by how much it may differ although peers say that ours is right:
	// half of what a block's time may be ahead of others' clocks (Bitcoin's two hours),
	// since jobs carry its time.
	clockBitcoin = time.Hour
	// minClockPeers is how many outbound peers are heard: fewer than three have no median
	// that one of them does not decide.
	minClockPeers = 3
	// maxTemplateClock is how old a template may be to tell the Bitcoin node's time.
	maxTemplateClock = 2 * time.Minute
)

// clockEvidence is what others' clocks say of ours. Offsets are theirs minus ours: if
// they are positive, ours is behind.
type clockEvidence struct {
	tolerance time.Duration // what the rule on shares' times allows

	bitcoin      time.Duration // of the Bitcoin node
	knowsBitcoin bool
	peers        time.Duration // median of the outbound peers
	count        int           // of those that told their time

	// past is the median time of Bitcoin's last blocks, if it was surely over when the
	// newest of them was found; else zero. It took most of Bitcoin's hashrate to make.
	past time.Time
	now  time.Time
}

// judge says why there must be no work, or what else is wrong with a clock, "" if
// nothing is.
//
// A share's time may be 90 s ahead of the clock of whoever judges it, who holds it until
// then otherwise. So if our clock is ahead by more, others hold our shares, and if it is
// behind by more we hold theirs: either way what is mined here comes too late. But no one
// source is to be believed. Peers may be one attacker; the Bitcoin node's clock may
// itself be the wrong one, and is often our own. Work stops when both say the same, when
// the Bitcoin node's clock is very wrong, or when ours shows a time that Bitcoin's chain
// has left behind.
func (e clockEvidence) judge() (hold, warning string) {
	far := func(offset time.Duration) bool { return offset.Abs() > e.tolerance }
	agree := far(e.peers) && (e.peers > 0) == (e.bitcoin > 0)
	heard := e.count >= minClockPeers
	switch {
	case e.now.Before(e.past):
		return "this computer's clock is behind: it shows a time before that of Bitcoin's last blocks; set it", e.figures()
	case e.knowsBitcoin && far(e.bitcoin) && heard && agree:
		return fmt.Sprintf("this computer's clock is %s, say the Bitcoin node and other nodes; set it", side(e.bitcoin)), e.figures()
	case e.knowsBitcoin && e.bitcoin.Abs() > clockBitcoin,
		e.knowsBitcoin && e.bitcoin.Abs() > clockAlone && !heard:
		return "this computer's clock and the Bitcoin node's differ by more than 10 minutes; set whichever is wrong", e.figures()
	case e.knowsBitcoin && far(e.bitcoin), heard && e.peers.Abs() > clockWarn:
		return "", e.figures()
	}
	return "", ""
}

// side says how our clock is wrong.
func side(offset time.Duration) string {
	if offset > 0 {
		return "behind"
	}
	return "ahead"
}

// figures says by how much the clocks differ.
func (e clockEvidence) figures() string {
	var parts []string
	if e.knowsBitcoin {
		parts = append(parts, fmt.Sprintf("the Bitcoin node's by %+.0f s", e.bitcoin.Seconds()))
	}
	if e.count >= minClockPeers {
		parts = append(parts, fmt.Sprintf("those of %d other nodes by %+.0f s", e.count, e.peers.Seconds()))
	}
	if !e.past.IsZero() && e.now.Before(e.past) {
		parts = append(parts, fmt.Sprintf("the median time of Bitcoin's last blocks by %+.0f s", e.past.Sub(e.now).Seconds()))
	}
	return "clocks differ from this computer's: " + strings.Join(parts, ", ")
}

// clockEvidence asks the others.
func (n *node) clockEvidence(now time.Time) clockEvidence {
	e := clockEvidence{tolerance: n.cfg.params.MaxTimeAhead, now: now.Round(0)}
	e.peers, e.count = n.clocks.ask(n.peers.Peers, now)
	t := n.templates.latest()
	if t == nil || t.Empty || now.Sub(t.Received) > maxTemplateClock {
		return e
	}
	// At the earliest time that the rules allow a node may have had to move its own.
	if t.CurTime > t.MinTime {
		e.bitcoin = time.Unix(int64(t.CurTime), 0).Sub(t.Received.Round(0)) - stepped(t.Received, now)
		e.knowsBitcoin = true
	}
	if n.cfg.params.Network == chainparams.Mainnet { // elsewhere blocks' times run ahead at times
		e.past = time.Unix(int64(t.MinTime)-1, 0)
	}
	return e
}

// clockWatch remembers what peers say of the time, as to ask them costs some 10 µs each
// and changes little. It is the supervisor's.
type clockWatch struct {
	asked  time.Time
	median time.Duration
	count  int
}

// clockInterval is how often peers are asked.
const clockInterval = 10 * time.Second

func (c *clockWatch) ask(peers func() []p2p.PeerInfo, now time.Time) (median time.Duration, count int) {
	if c.asked.IsZero() || now.Sub(c.asked).Abs() >= clockInterval {
		c.median, c.count = peersClock(peers(), now)
		c.asked = now
	}
	return c.median, c.count
}

// peersClock returns the median of the offsets of the peers that we chose ourselves, and
// their number: anybody can make any number of connections to us.
func peersClock(peers []p2p.PeerInfo, now time.Time) (median time.Duration, count int) {
	var offsets []time.Duration
	for i := range peers {
		p := &peers[i]
		if p.Inbound || p.ClockOffset == 0 && (p.Network == netaddr.TorV3 || p.Network == netaddr.I2P) {
			continue // who comes by Tor or I2P does not tell the time
		}
		// What a stranger says must not overflow.
		seconds := min(max(p.ClockOffset, math.MinInt32), math.MaxInt32)
		offsets = append(offsets, time.Duration(seconds)*time.Second-stepped(p.Connected, now))
	}
	if len(offsets) == 0 {
		return 0, 0
	}
	slices.Sort(offsets)
	return (offsets[(len(offsets)-1)/2] + offsets[len(offsets)/2]) / 2, len(offsets)
}

// stepped returns by how much our clock has been set forward since a time that was read
// from it: what was compared with the clock then has to be corrected by that.
func stepped(since, now time.Time) time.Duration {
	return now.Round(0).Sub(since.Round(0)) - now.Sub(since)
}
