package compact

import (
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// ErrTxList is the kind of a list that contradicts what its sender and we both
// know, or a request for what cannot be in it.
const ErrTxList share.ErrorKind = "ErrTxList"

func ruleError(kind share.ErrorKind, format string, args ...any) error {
	return share.RuleError{Kind: kind, Description: fmt.Sprintf(format, args...)}
}

// attempt is the work on one peer's list of a share.
type attempt struct {
	id       chainhash.Hash
	from     PeerID
	share    *share.Share
	full     bool // the list had no base, and was the second one
	deadline time.Time

	waiting bool  // for the list without a base
	txs     []*Tx // nil: missing
	missing []int // places of those
	ids     []message.ShortID
	key     *idKey
	got     int // of missing
	bytes   int // of what came
}

// List takes a peer's list of a share that it sent, and that is valid by now; others
// wait for TakeEarly. An error is a share.RuleError.
func (r *Relay) List(now time.Time, from PeerID, m *message.CmpctShare) (Result, error) {
	if res, done, err := r.known(now, from, m); done {
		return res, err
	}
	s, err := r.cfg.Share(m.ID) // from the disk
	if err != nil {
		r.keepEarly(from, m)
		return Result{}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[from]
	if p == nil || r.list(m.ID) != nil || r.tooOld(s) {
		return Result{}, nil
	}
	return r.try(now, p, from, m.ID, s, &m.List, false)
}

// known treats a list that needs no look at the share, and reports whether it was one.
func (r *Relay) known(now time.Time, from PeerID, m *message.CmpctShare) (res Result, done bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[from]
	if p == nil {
		return Result{}, true, nil
	}
	p.told.add(m.ID)
	a := r.attemptOf(m.ID, from)
	if a != nil && a.waiting {
		r.dropAttempt(a)
		res, err = r.try(now, p, from, m.ID, a.share, &m.List, true)
	}
	return res, a != nil || r.list(m.ID) != nil || p.strikes >= maxStrikes, err
}

// tooOld reports whether a share is so far below the newest list that its own is of
// no use. A list is worked on when its share is new.
func (r *Relay) tooOld(s *share.Share) bool {
	for _, l := range r.lists {
		if uint64(l.height) > uint64(s.Data.Height)+maxLists {
			return true
		}
	}
	return false
}

// try works on a peer's list. second says that it is the one without a base.
func (r *Relay) try(now time.Time, p *peerState, from PeerID, id chainhash.Hash, s *share.Share, l *message.TxList, second bool) (Result, error) {
	if !r.mayTry(p, id) {
		return Result{}, nil
	}
	r.stats.Received++
	a := &attempt{id: id, from: from, share: s, full: second, deadline: now.Add(attemptTimeout)}
	var base []*Tx
	if l.Base != (chainhash.Hash{}) {
		known := r.list(l.Base)
		if known == nil {
			r.stats.NoBase++
			return r.again(p, a), nil
		}
		base = known.txs
	}
	a.key = newIDKey(&id, l.Nonce)
	var ok bool
	a.txs, a.missing, a.ids, ok = expand(l.Segments, base, r.pool.finder(a.key, l.Segments))
	if !ok {
		return Result{}, ruleError(ErrTxList, "the list of %v copies entries behind the %d of its base", id, len(base))
	}
	if len(a.missing) == 0 {
		return r.finish(p, a), nil
	}
	r.stats.Missing += uint64(len(a.missing))
	r.attempts = append(r.attempts, a)
	return Result{Send: []Send{{from, &message.GetShareTxn{ID: id, Indexes: a.missing}}}}, nil
}

// mayTry reports whether one more list of the share may be worked on. Those of blocks
// don't count for others, nor others for them; inbound peers leave half of the places.
func (r *Relay) mayTry(p *peerState, id chainhash.Hash) bool {
	n, all, inbound := 0, 0, 0
	for _, a := range r.attempts {
		if a.id == id {
			n++
		}
		if r.block(a.id) == nil {
			all++
			if q := r.peers[a.from]; q != nil && q.inbound {
				inbound++
			}
		}
	}
	most, room := maxAttempts, all < maxAttemptsAll && (!p.inbound || inbound < maxAttemptsAll/2)
	if r.block(id) != nil {
		most, room = maxBlockAttempts, true
	}
	if p.inbound {
		most--
	}
	return n < most && room && p.strikes < maxStrikes
}

// again asks for the list without a base, once.
func (r *Relay) again(p *peerState, a *attempt) Result {
	if p.again.has(a.id) {
		return Result{}
	}
	p.again.add(a.id)
	r.attempts = append(r.attempts, &attempt{id: a.id, from: a.from, share: a.share, deadline: a.deadline, waiting: true})
	return Result{Send: []Send{{a.from, &message.GetShareTxn{ID: a.id}}}}
}

// Txns takes transactions that were asked for; what wasn't, or not any more, is
// passed over. An error is a share.RuleError.
func (r *Relay) Txns(from PeerID, m *message.ShareTxn) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, a := r.peers[from], r.attemptOf(m.ID, from)
	if p == nil || a == nil || a.waiting {
		return Result{}, nil
	}
	if err := r.fill(a, m); err != nil {
		r.dropAttempt(a)
		if p.late.has(m.ID) {
			err = nil // it may be the answer to what was given up
		}
		return Result{}, err
	}
	if r.held > maxAttemptBytes {
		r.dropAttempt(r.largest())
		return Result{}, nil
	}
	if a.got < len(a.missing) {
		return Result{}, nil
	}
	r.dropAttempt(a)
	return r.finish(p, a), nil
}

// fill puts transactions into their places.
func (r *Relay) fill(a *attempt, m *message.ShareTxn) error {
	if m.First != a.got || len(m.Raw) > len(a.missing)-a.got {
		return ruleError(ErrTxn, "%d transactions from place %d on, %d of %d have come", len(m.Raw), m.First, a.got, len(a.missing))
	}
	for _, raw := range m.Raw {
		tx, err := ParseTx(slices.Clone(raw)) // the message's buffer may be mostly of others
		if err != nil {
			return err
		}
		if !r.asked(a, tx) {
			return ruleError(ErrTxn, "transaction %v is not the one asked for", tx.TxID)
		}
		a.txs[a.missing[a.got]] = tx
		a.got++
		a.bytes += len(raw)
		r.held += len(raw)
		r.stats.FetchedBytes += uint64(len(raw))
	}
	if a.bytes > maxBlockBytes {
		return ruleError(ErrTxn, "more than %d bytes of transactions for one share", maxBlockBytes)
	}
	return nil
}

// asked reports whether a transaction is the next of those that were asked for.
func (a *attempt) asked(tx *Tx) bool { return a.key.short(&tx.WTxID) == a.ids[a.got] }

// finish keeps a complete list if the share commits to it. If not, short ids may
// have collided: others will tell.
func (r *Relay) finish(p *peerState, a *attempt) Result {
	if !r.committed(a.share, a.txs) {
		r.stats.Mismatched++
		if a.full || p.again.has(a.id) { // it has had its second chance
			p.strikes++
			return Result{}
		}
		return r.again(p, a)
	}
	switch {
	case a.full:
		r.stats.Second++
	case a.got > 0:
		r.stats.Fetched++
	default:
		r.stats.AtOnce++
	}
	r.addList(a.id, a.share.Data.Height, a.txs)
	return Result{Complete: a.id, Block: r.built(a.id)}
}

// committed reports whether a share's block has these transactions. None may come
// twice: Bitcoin's merkle tree can't tell some repetitions apart (CVE-2012-2459).
func committed(s *share.Share, txs []*Tx) bool {
	seen := make(map[chainhash.Hash]struct{}, len(txs))
	ids, wids := make([]chainhash.Hash, len(txs)), make([]chainhash.Hash, len(txs))
	witness := false
	for i, tx := range txs {
		seen[tx.TxID] = struct{}{}
		ids[i], wids[i] = tx.TxID, tx.WTxID
		witness = witness || tx.TxID != tx.WTxID
	}
	if len(seen) < len(txs) || !slices.Equal(share.MerkleBranch(ids), s.Branch) {
		return false
	}
	if len(s.Data.WitnessCommitment) == 0 {
		return !witness
	}
	commitment := share.WitnessCommitment(wids)
	return slices.Equal(commitment[:], s.Data.WitnessCommitment)
}

func (r *Relay) attemptOf(id chainhash.Hash, from PeerID) *attempt {
	for _, a := range r.attempts {
		if a.id == id && a.from == from {
			return a
		}
	}
	return nil
}

// largest returns the attempt that holds most.
func (r *Relay) largest() *attempt {
	return slices.MaxFunc(r.attempts, func(a, b *attempt) int { return a.bytes - b.bytes })
}

func (r *Relay) dropAttempt(a *attempt) { r.dropAttempts(func(b *attempt) bool { return a == b }) }

func (r *Relay) dropAttempts(which func(*attempt) bool) {
	r.attempts = slices.DeleteFunc(r.attempts, func(a *attempt) bool {
		drop := which(a)
		if drop {
			r.held -= a.bytes
		}
		return drop
	})
}
