package netsync

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Config configures a Manager.
type Config struct {
	Chain Chain
	// Mode is how this node wants to hear of new shares.
	Mode message.RelayMode
	// StallTimeout is another one than the constant, for tests; 0: that.
	StallTimeout time.Duration
	// Loading says that the chain isn't loaded yet. Until Loaded is called only its Tip is
	// looked at, nothing is asked of peers, and what they bring is left aside.
	Loading bool
}

// Manager holds the state of sync and relay; see the package comment. It must
// not be used by two goroutines at a time.
type Manager struct {
	chain Chain
	mode  message.RelayMode
	// stallTimeout is StallTimeout but in tests.
	stallTimeout time.Duration
	loading      bool // the chain

	peers map[PeerID]*peerState
	order []*peerState // the same peers by ascending id, for repeatable decisions
	wants map[chainhash.Hash]*want
	seq   uint64 // of the latest want

	announced *knownSet // shares that were announced or found valid by a Verdict
	awaited   *knownSet // shares that a Verify was asked for, without a Verdict yet
	released  *knownSet // those of them that Announce has named as valid already

	session   *session       // nil: no sync under way
	flight    []*share.Share // of a session's Verify, without a verdict yet
	patience  time.Duration  // how long a peer may keep a session waiting
	pace      pace           // of sessions, for display
	firstSync time.Time      // when the first session began; zero: none did
	attempted bool           // a session has ended, or nobody had anything to fetch
	lastValid time.Time      // when a peer's share was last accepted, or a stale tip probed
	probed    PeerID         // whom the last stale-tip probe asked
	stats     Stats

	// During a call: its time and the actions so far.
	now     time.Time
	ticking bool
	out     []Action
}

// Stats counts events since New.
type Stats struct {
	Valid     uint64 // shares from peers that were valid
	Invalid   uint64 // shares that broke a rule, with undecodable ones
	Undecided uint64 // shares that something was missing for
	Ignored   uint64 // duplicates, and shares our own trouble kept us from judging
	Stalls    uint64 // StallTimeouts of peers
	Replaced  uint64 // times another was asked as a peer held a sync up
}

// peerState is what the Manager knows of a peer.
type peerState struct {
	id      PeerID
	inbound bool
	mode    message.RelayMode // the peer's own
	known   *knownSet         // shares the peer has, as far as we know
	claim   uint256.Uint256   // work it claims and was not yet asked to show
	height  uint32            // best height claimed or proven
	more    bool              // it has shares that we couldn't place

	queue     []*want    // to be asked, oldest first; may hold stale entries
	requests  []*request // under way, oldest first
	wants     int        // wants that name this peer, in any state
	syncWants int        // those of a session
	locator   time.Time  // when the unanswered getlocator was sent; zero: none
	progress  time.Time  // when it last moved on, if anything is under way

	chases    int       // requests for missing ancestors since its last valid share
	stalls    int       // in a row
	fruitless int       // back-offs in a row
	retryAt   time.Time // no session before
	denied    bool      // got no answer from a chain that wasn't loaded
	gone      bool      // a Disconnect is out; ignore it
}

// New returns a Manager without peers.
func New(cfg Config) *Manager {
	return &Manager{
		chain: cfg.Chain,
		mode:  cfg.Mode,

		stallTimeout: cmp.Or(cfg.StallTimeout, StallTimeout),
		loading:      cfg.Loading,

		patience:  minPatience,
		peers:     make(map[PeerID]*peerState),
		wants:     make(map[chainhash.Hash]*want),
		announced: newKnownSet(maxJudged),
		awaited:   newKnownSet(maxJudged),
		released:  newKnownSet(maxJudged),
	}
}

// begin starts a call into the Manager.
func (m *Manager) begin(now time.Time) {
	m.now = now
	if m.lastValid.IsZero() {
		m.lastValid = now
	}
}

// end returns the actions of the call.
func (m *Manager) end() []Action {
	out := m.out
	m.out = nil
	return out
}

func (m *Manager) send(p *peerState, msg message.Message) {
	m.out = append(m.out, &Send{To: p.id, Message: msg})
}

// Connected adds a peer after its handshake. Ids must ascend. Inbound peers come
// second as sources of a sync: they are easily made in numbers, whereas we chose
// those that we dialed. told is the tip in our own version message: if ours is
// another by now, the peer would not hear of it otherwise.
func (m *Manager) Connected(now time.Time, id PeerID, inbound bool, v *message.Version, told chainhash.Hash) []Action {
	m.begin(now)
	if len(m.peers) >= MaxPeers {
		m.out = append(m.out, &Disconnect{Peer: id, Err: errors.New("all peer slots are taken")})
		return m.end()
	}
	p := &peerState{id: id, inbound: inbound, mode: v.Mode, known: newKnownSet(MaxKnown), claim: v.Work, height: v.Height}
	if !v.Work.IsZero() {
		p.known.add(v.Best)
	}
	m.peers[id] = p
	m.order = append(m.order, p)
	if tip, _, _ := m.chain.Tip(); tip != told {
		m.announceTip([]*peerState{p})
	}
	m.startSession()
	m.proceed()
	return m.end()
}

// Disconnected removes a peer. What it owed is asked of others.
func (m *Manager) Disconnected(now time.Time, id PeerID) []Action {
	m.begin(now)
	p := m.peers[id]
	if p == nil {
		return m.end()
	}
	p.gone = true
	delete(m.peers, id)
	m.order = slices.DeleteFunc(m.order, func(q *peerState) bool { return q == p })
	m.handBack(p)
	m.proceed()
	return m.end()
}

// drop asks to end a connection and ignores the peer from now on.
func (m *Manager) drop(p *peerState, misbehaviour bool, err error) {
	if p.gone {
		return
	}
	p.gone = true
	m.out = append(m.out, &Disconnect{Peer: p.id, Misbehaviour: misbehaviour, Err: err})
	m.handBack(p)
}

// handBack hands everything a leaving peer owed to others. What it delivered to a
// session and was not judged yet is asked of others too: nobody would be to blame
// for it.
func (m *Manager) handBack(p *peerState) {
	p.requests, p.queue, p.locator = nil, nil, time.Time{}
	if m.session != nil && m.session.peer == p {
		m.abandonSession()
	}
	failed := p.syncWants > 0
	for _, w := range m.wantsOf(p) {
		m.retry(w)
	}
	if m.session != nil {
		delete(m.session.helpers, p)
		if failed {
			m.session.failures++
		}
	}
	m.startSession()
}

// SetMode changes how this node wants to hear of new shares and tells all peers.
func (m *Manager) SetMode(now time.Time, mode message.RelayMode) []Action {
	m.begin(now)
	m.mode = mode
	for _, p := range m.order {
		if !p.gone {
			m.send(p, &message.SetMode{Mode: mode})
		}
	}
	return m.end()
}

// linkMode returns the mode of the link with a peer: the lower of both sides'.
func (m *Manager) linkMode(p *peerState) message.RelayMode { return min(m.mode, p.mode) }
