package compact

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// PeerID names a connection; it is never used again.
type PeerID uint64

// Config configures a Relay.
type Config struct {
	// Share returns a share that is known to be valid, and an error for all others.
	Share func(chainhash.Hash) (*share.Share, error)
}

// Send is a message for a peer.
type Send struct {
	To      PeerID
	Message message.Message
}

// Result is what follows from a message.
type Result struct {
	Send []Send
	// Complete is the share whose list is now at hand; zero: none. Announce may be
	// called for it.
	Complete chainhash.Hash
	// Block is now complete and to be submitted; nil: none. It is returned once.
	Block *Block
}

// Relay knows the transactions of recent shares. All methods are safe for
// concurrent use.
type Relay struct {
	cfg Config

	mu        sync.Mutex
	pool      *pool
	templates [2][]*Tx  // the newest first
	lists     []*txList // the oldest first
	blocks    []*blockState
	past      idSet // blocks built and forgotten
	peers     map[PeerID]*peerState
	attempts  []*attempt // the oldest first
	early     []Early    // lists of shares that are not known to be valid yet, the oldest first
	held      int        // bytes of transactions in attempts
	stats     Stats

	// asked and committed judge what peers send. They are fields for tests, which show
	// what comes of it when they pass everything.
	asked     func(*attempt, *Tx) bool
	committed func(*share.Share, []*Tx) bool
}

// txList is the complete list of a share.
type txList struct {
	id     chainhash.Hash
	height uint32
	txs    []*Tx // the pool's
}

// peerState is what is known of a peer.
type peerState struct {
	who      Origin
	inbound  bool
	told     idSet // lists that the peer has, or was sent
	blocks   idSet // blocks likewise
	answered idSet // shares asked for; one entry for each answer
	again    idSet // shares whose list it was asked for without a base
	late     idSet // shares for which it let the time run out
	strikes  int
}

// idSet holds the latest ids added to it, perhaps repeatedly.
type idSet []chainhash.Hash

// add adds an id to a set of 2·maxLists.
func (s *idSet) add(id chainhash.Hash) { s.addOf(id, 2*maxLists) }

// addOf adds an id to a set of so many.
func (s *idSet) addOf(id chainhash.Hash, most int) {
	if len(*s) >= most {
		*s = slices.Delete(*s, 0, 1)
	}
	*s = append(*s, id)
}

func (s idSet) has(id chainhash.Hash) bool { return slices.Contains(s, id) }

func (s idSet) count(id chainhash.Hash) (n int) {
	for i := range s {
		if s[i] == id {
			n++
		}
	}
	return n
}

// New returns a Relay without peers and transactions.
func New(cfg Config) *Relay {
	return &Relay{
		cfg: cfg, pool: newPool(), peers: make(map[PeerID]*peerState),
		asked: (*attempt).asked, committed: committed,
	}
}

// Connected adds a peer.
func (r *Relay) Connected(id PeerID, who Origin, inbound bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[id] = &peerState{who: who, inbound: inbound}
}

// Disconnected removes a peer.
func (r *Relay) Disconnected(id PeerID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.peers, id)
	r.early = slices.DeleteFunc(r.early, func(e Early) bool { return e.From == id })
	r.dropAttempts(func(a *attempt) bool { return a.from == id })
}

// SetTemplate tells of the transactions that our own Bitcoin node proposes.
func (r *Relay) SetTemplate(txs []*Tx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.pool.add(txs)
	r.pool.remove(r.templates[1])
	r.templates[0], r.templates[1] = list, r.templates[0]
	r.trim()
}

// Mined tells of the transactions of a share that was found here, before the share
// is announced.
func (r *Relay) Mined(id chainhash.Hash, height uint32, txs []*Tx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Own++
	r.addList(id, height, txs)
}

// addList keeps the list of a share and gives up all attempts at it.
func (r *Relay) addList(id chainhash.Hash, height uint32, txs []*Tx) *txList {
	if l := r.list(id); l != nil {
		return l
	}
	l := &txList{id: id, height: height, txs: r.pool.add(txs)}
	r.lists = append(r.lists, l)
	r.trim()
	r.dropAttempts(func(a *attempt) bool { return a.id == id })
	return l
}

// trim lets the oldest lists go that are too many.
func (r *Relay) trim() {
	for len(r.lists) > 1 && (len(r.lists) > maxLists || r.pool.bytes > maxPoolBytes) {
		r.pool.remove(r.lists[0].txs)
		r.lists = slices.Delete(r.lists, 0, 1)
	}
}

// list returns the complete list of a share, nil if there is none.
func (r *Relay) list(id chainhash.Hash) *txList {
	for _, l := range r.lists {
		if l.id == id {
			return l
		}
	}
	if st := r.block(id); st != nil {
		return st.open
	}
	return nil
}

// Has reports whether the list of a share is complete.
func (r *Relay) Has(id chainhash.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list(id) != nil
}

// Transactions returns the complete list of a share, nil if there is none. Nobody may
// change it.
func (r *Relay) Transactions(id chainhash.Hash) []*Tx {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.list(id); l != nil {
		return l.txs
	}
	return nil
}

// Announce returns what tells those of the peers that don't know it the list of a
// share. They must have been sent the share before.
func (r *Relay) Announce(id chainhash.Hash, to []PeerID) (out []Send) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.list(id)
	if l == nil {
		return nil
	}
	e := r.newEncoder(l)
	for _, to := range to {
		p := r.peers[to]
		if p == nil || p.told.has(id) {
			continue
		}
		list := e.forPeer(p)
		p.told.add(id)
		r.stats.Sent++
		out = append(out, Send{to, &message.CmpctShare{ID: id, List: list}})
	}
	return out
}

// encoder names one list by different bases, each once.
type encoder struct {
	r     *Relay
	list  *txList
	nonce uint64
	key   *idKey
	made  map[chainhash.Hash]message.TxList // by base
	sizes map[chainhash.Hash]int            // of their messages
}

func (r *Relay) newEncoder(l *txList) *encoder {
	nonce := rand.Uint64()
	return &encoder{
		r: r, list: l, nonce: nonce, key: newIDKey(&l.id, nonce),
		made: make(map[chainhash.Hash]message.TxList), sizes: make(map[chainhash.Hash]int),
	}
}

// forPeer returns the shortest message that the peer can read.
func (e *encoder) forPeer(p *peerState) message.TxList {
	best := e.with(chainhash.Hash{}, nil)
	for _, base := range e.r.lists {
		if base == e.list || !p.told.has(base.id) {
			continue
		}
		if l := e.with(base.id, base.txs); e.sizes[l.Base] < e.sizes[best.Base] {
			best = l
		}
	}
	return best
}

func (e *encoder) with(base chainhash.Hash, txs []*Tx) message.TxList {
	if l, ok := e.made[base]; ok {
		return l
	}
	l := message.TxList{Nonce: e.nonce, Base: base, Segments: segments(e.list.txs, txs, e.key)}
	e.made[base] = l
	e.sizes[base] = (&message.CmpctShare{List: l}).Size()
	return l
}

// Answer returns what a peer asked for, to be sent while it reads, and nothing if
// there is nothing, or not any more. An error is a share.RuleError.
func (r *Relay) Answer(from PeerID, m *message.GetShareTxn) ([]message.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, l := r.peers[from], r.list(m.ID)
	if p == nil || l == nil || p.answered.count(m.ID) >= maxAnswered {
		return nil, nil
	}
	p.answered.addOf(m.ID, maxLists*maxAnswered)
	if len(m.Indexes) == 0 {
		p.told.add(m.ID)
		e := r.newEncoder(l)
		return []message.Message{&message.CmpctShare{ID: m.ID, List: e.with(chainhash.Hash{}, nil)}}, nil
	}
	if last := m.Indexes[len(m.Indexes)-1]; last >= len(l.txs) {
		return nil, ruleError(ErrTxList, "place %d of a list of %d transactions", last, len(l.txs))
	}
	return answer(m, l.txs), nil
}

// answer parts the transactions into messages. It ends before one too long to be
// sent: its receiver can't do anything with the rest.
func answer(m *message.GetShareTxn, txs []*Tx) (out []message.Message) {
	part, size := &message.ShareTxn{ID: m.ID}, 0
	for i, place := range m.Indexes {
		raw := txs[place].Raw
		if len(raw) > message.MaxTx {
			break
		}
		if n := len(part.Raw); n > 0 && (size+len(raw) > answerBytes) {
			out = append(out, part)
			part, size = &message.ShareTxn{ID: m.ID, First: i}, 0
		}
		part.Raw = append(part.Raw, raw)
		size += len(raw)
	}
	if len(part.Raw) > 0 {
		out = append(out, part)
	}
	return out
}

// Tick gives up what takes too long.
func (r *Relay) Tick(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropAttempts(func(a *attempt) bool {
		late := !now.Before(a.deadline)
		if late {
			r.stats.Unanswered++
			r.peers[a.from].late.add(a.id)
		}
		return late
	})
}
