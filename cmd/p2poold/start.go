package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/stratum"
)

// pending is what a node that has not started yet waits for. It is not changed
// once it is stored, as RPC handlers read it.
type pending struct {
	reason  string // for people
	bitcoin string // what is known of the Bitcoin node
	syncing bool   // it is still downloading the block chain
	miners  string // reason in the words that miners are told
}

// miningSource is where miners' work comes from.
type miningSource struct {
	stratum.Source
	n *node
}

// Reason implements stratum.Source: miners are also told what the start waits for.
func (s miningSource) Reason() string {
	if p := s.n.pending.Load(); p != nil {
		return p.miners
	}
	return s.Source.Reason()
}

const (
	// startRetryMin and startRetryMax bound the pause between two looks at a
	// Bitcoin node that is not ready; it doubles while nothing changes. A look
	// costs the node a few small calls.
	startRetryMin = 100 * time.Millisecond
	startRetryMax = 5 * time.Second
	// startReminder is how often the log repeats what is waited for.
	startReminder = time.Minute
)

// startUp loads the sharechain as soon as the Bitcoin node can be worked with:
// it waits for one that is not there yet or still loading, as after a reboot of
// the machine. What waiting cannot cure, such as a wrong password or network, is
// an error.
func (n *node) startUp(ctx context.Context) error {
	log := n.logs.logger(subsysBitcoin)
	var last error
	var remind reminder
	pause := startRetryMin
	for {
		err := n.loadChain(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case !worthWaiting(err, last):
			return withLoginHint(err)
		}
		n.pending.Store(&pending{
			reason:  fmt.Sprintf("waiting for the Bitcoin node: %v", err),
			bitcoin: err.Error(), syncing: errors.Is(err, bitcoind.ErrSyncing),
			miners: bitcoinState(bitcoind.Health{Kind: waitKind(err)}),
		})
		if remind.due(waitKind(err), time.Now()) {
			log.Warnf("Waiting for the Bitcoin node: %v", err)
		}
		if waitKind(err) != waitKind(last) {
			pause = startRetryMin
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, startRetryMax)
	}
}

// reminder decides when the log repeats what is waited for: when that changes,
// and every startReminder.
type reminder struct {
	kind bitcoind.ErrorKind
	last time.Time
}

func (r *reminder) due(kind bitcoind.ErrorKind, now time.Time) bool {
	if kind == r.kind && now.Sub(r.last) < startReminder {
		return false
	}
	r.kind, r.last = kind, now
	return true
}

// loadChain checks the Bitcoin node and loads the sharechain.
func (n *node) loadChain(ctx context.Context) error {
	if err := n.bitcoin.Check(ctx); err != nil {
		return err
	}
	n.pending.Store(&pending{
		reason: "loading the sharechain", bitcoin: "it answers; templates follow when the sharechain is loaded",
		miners: "the node is loading the sharechain",
	})
	tip, err := n.bitcoin.TipHash(ctx)
	if err != nil {
		return err
	}
	// Until the Bitcoin headers are here this changes nothing, so that it can be
	// repeated after an error that passes.
	if err := n.chain.Load(ctx, tip); err != nil {
		return err
	}
	n.startup = time.Now()
	n.pending.Store(nil)
	return nil
}

// passing are the states that a Bitcoin node gets out of by itself, or that its
// operator is likely to be working on.
var passing = []bitcoind.ErrorKind{
	bitcoind.ErrUnreachable, bitcoind.ErrTimeout, bitcoind.ErrStarting,
	bitcoind.ErrSyncing, bitcoind.ErrNoPeers, bitcoind.ErrReorg,
}

// waitKind returns which of the passing states an error speaks of, "" if none.
func waitKind(err error) bitcoind.ErrorKind {
	for _, kind := range passing {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return ""
}

// worthWaiting tells whether an error may pass. A missing cookie may, once: a
// node that starts opens its port a moment before it writes the file. (Where
// nothing listens, the error is bitcoind.ErrUnreachable.)
func worthWaiting(err, last error) bool {
	if waitKind(err) != "" {
		return true // of several nodes, one is enough
	}
	return errors.Is(err, bitcoind.ErrCookie) && !errors.Is(last, bitcoind.ErrCookie)
}

// withLoginHint adds what to do about a Bitcoin node that uses no cookie.
func withLoginHint(err error) error {
	if errors.Is(err, bitcoind.ErrCookie) {
		return fmt.Errorf("%w; if it has rpcuser and rpcpassword, give --bitcoind=http://user:password@host:port", err)
	}
	return err
}
