package main

import (
	"time"

	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// checkup is what the supervisor found. It is not changed once it is stored, as RPC
// handlers read it.
type checkup struct {
	holds    []string // why miners get no work, most urgent first
	warnings []string // what else is wrong; figures in them may change from second to second
}

// reason is the one that miners are told.
func (c *checkup) reason() string {
	if len(c.holds) == 0 {
		return ""
	}
	return c.holds[0]
}

// hold notes a reason, unless there is none.
func (c *checkup) hold(reason string) {
	if reason != "" {
		c.holds = append(c.holds, reason)
	}
}

// warn notes what is wrong, if anything is.
func (c *checkup) warn(text string) {
	if text != "" {
		c.warnings = append(c.warnings, text)
	}
}

// examine looks for whatever would make work a waste.
func (n *node) examine(now time.Time, progress netsync.Progress) *checkup {
	c := new(checkup)
	c.warn(n.cfg.barren)
	c.hold(bitcoinHold(n.bitcoin.Health()))
	c.hold(n.disk.low(now))
	hold, warning := n.clockEvidence(now).judge()
	c.hold(hold)
	c.warn(warning)
	c.hold(holdReason(progress, circumstances{
		public: n.cfg.params.Public() && !n.cfg.P2P.Solo,
		named:  len(n.cfg.P2P.Connect)+len(n.cfg.P2P.AddNode) > 0,
		up:     now.Sub(n.startup),
		lonely: n.company.lonely(now, progress.Peers),
	}))
	return c
}

// bitcoinStates are the states of the Bitcoin node in the words that miners are told,
// who may be strangers: the operator learns more over RPC and from the log, the node's
// address among it.
var bitcoinStates = map[bitcoind.ErrorKind]string{
	bitcoind.ErrUnreachable:  "the Bitcoin node cannot be reached",
	bitcoind.ErrTimeout:      "the Bitcoin node does not answer",
	bitcoind.ErrAuth:         "the Bitcoin node does not let this node in",
	bitcoind.ErrCookie:       "the Bitcoin node does not let this node in",
	bitcoind.ErrWrongNetwork: "the Bitcoin node is on another network",
	bitcoind.ErrStarting:     "the Bitcoin node is starting",
	bitcoind.ErrSyncing:      "the Bitcoin node is still downloading the block chain",
	bitcoind.ErrNoPeers:      "the Bitcoin node has no connection to the Bitcoin network",
	bitcoind.ErrTooOld:       "the Bitcoin node is too old",
	bitcoind.ErrUnknownRule:  "Bitcoin has a rule that this version of p2poold does not know",
	bitcoind.ErrBadReply:     "the Bitcoin node gives no sound answers",
}

// bitcoinState is the state of the Bitcoin node in a few words, "" for a sound one.
func bitcoinState(h bitcoind.Health) string {
	if h.OK {
		return ""
	}
	if text, ok := bitcoinStates[h.Kind]; ok {
		return text
	}
	return "the Bitcoin node is not usable"
}

// bitcoinHold is the state of a Bitcoin node that is not worth mining on even with its
// last template: what is found by rules that are not Bitcoin's any more, or on a chain
// that ended hours ago, is worth nothing. In all other states work goes on until the
// template is too old, as most pass within seconds.
func bitcoinHold(h bitcoind.Health) string {
	switch h.Kind {
	case bitcoind.ErrUnknownRule, bitcoind.ErrSyncing, bitcoind.ErrWrongNetwork, bitcoind.ErrTooOld:
		return bitcoinState(h)
	}
	return ""
}
