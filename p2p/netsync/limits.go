package netsync

import (
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// Times.
const (
	// TickInterval is how often the driver calls Tick: it bounds how late a
	// deadline is noticed.
	TickInterval = time.Second
	// RelayTimeout is how long a new share may take from its announcer before
	// another who has it is asked: half a share interval on mainnet, so that the
	// share can still become part of the next one's ancestry.
	RelayTimeout = 5 * time.Second
	// StallTimeout is how long a peer may go without any progress on what it was
	// asked.
	StallTimeout = 30 * time.Second
	// StaleInterval is the time without a newly accepted share after which a peer
	// is asked for news, three share intervals on mainnet, and the pause after a
	// session that brought nothing.
	StaleInterval = 30 * time.Second
	// SessionTimeout is how long a session may go without an accepted share: twice
	// what a batch takes at 4 kB/s, the slowest link that can sync.
	SessionTimeout = time.Minute
	// ClaimBackoff is how long no session is opened with an inbound peer whose
	// session brought nothing that could be judged. Such sessions then get at most
	// SessionTimeout in eleven minutes from each.
	ClaimBackoff = 10 * time.Minute
	// ProvenInterval is how recent the accepted shares must be that prove a sync:
	// one share interval on mainnet.
	ProvenInterval = 10 * time.Second
)

// Limits. With MaxPeers peers at all of their limits the Manager's maps hold
// about 125 × 2,048 known ids (120 bytes each, 30 MB) and MaxWants wants
// (200 bytes each, 3 MB).
const (
	// MaxPeers is the number of peers; more are turned away. It is above the
	// 125 slots of the server.
	MaxPeers = 256
	// MaxBatch is the number of ids in one getshares of ours: with shares at
	// their longest an answer of some 130 kB, 33 s at 4 kB/s.
	MaxBatch = 128
	// MaxSyncRequests is the number of batches under way in a session: one is
	// verified while the others travel. At a round trip of 100 ms four bring 3,900
	// shares a second, two only 2,200, and a chain can verify more.
	MaxSyncRequests = 4
	// MaxRequests is the number of getshares under way with one peer.
	MaxRequests = 25
	// MaxStalls in a row end a connection: with StallTimeout that is 2 minutes
	// without an answer, twice the worst round trip at 30 % packet loss.
	MaxStalls = 4
	// MaxTries is how many peers are asked for one share.
	MaxTries = 4
	// MaxKnown is the number of ids remembered per peer as known to it: one full
	// inv and five hours of shares at 10 s.
	MaxKnown = 2048
	// MaxAnnounced is the number of ids wanted from one peer outside of a sync.
	MaxAnnounced = 256
	// MaxSyncWants is the number of ids wanted from the session's peer: an answer
	// and the announcements that come in between.
	MaxSyncWants = 2 * message.MaxInv
	// MaxWants is the number of ids wanted from all peers together, of which
	// MaxSyncWants are kept for the session.
	MaxWants = 16_384
	// MaxMissing is the number of missing shares asked for because of one
	// undecided share: its parent and its uncles.
	MaxMissing = 4
	// ChaseParents is the generations of ancestors asked for with a missing
	// share, and how far above our tip an undecided share may be for that to be
	// worthwhile. What is further away is left to a sync.
	ChaseParents = 16
	// MaxChases is how often missing ancestors are asked of one peer without a
	// valid share from it in between; then a sync takes over.
	MaxChases = 4
	// maxUndecided is the number of shares in a row that something may be missing
	// for before their session ends. The chain holds fewer of them, so those to
	// come would only push out others that may still find their place.
	maxUndecided = MaxSyncRequests * MaxBatch
	// maxRestarts is how often a session begins anew, at once, because its peer no
	// longer has the root that it named: the lowest share it has moves up every
	// share interval, while it is asked for within a round trip or two.
	maxRestarts = 2
	// maxKnownRounds bounds the rounds of a session that bring nothing but known
	// ids, as on a long branch we already hold: 2,000 × 80 ids are more than the
	// longest retained chain of 138,240 shares has.
	maxKnownRounds = 80

	// provenShares is the number of shares accepted within ProvenInterval that
	// prove a sync: twenty times what the pool mines in that time. Fewer could be
	// new shares, which a peer without any more of them can pass on to look busy.
	provenShares = 20
	// minSessionShares is what a session must bring in each SessionTimeout while
	// another peer promises more too: ten times what the pool mines, half a batch.
	minSessionShares = MaxBatch / 2

	// maxJudged is the number of ids remembered as announced, as awaiting their
	// verdict, and of those as valid already: those of several messages at their
	// longest, so that the report of an acceptance may be late.
	maxJudged = 4 * message.MaxShares
	// maxFruitless bounds the pause after sessions that brought nothing usable:
	// 30 s × 2⁴ = 8 minutes.
	maxFruitless = 4

	// maxAnswerShares bounds the shares of one answer before they are read, and the
	// ancestors looked at to find them; the answer is cut at
	// message.MaxSharesPayload bytes all the same.
	maxAnswerShares = 2000
	// answerChunk is the size, in bytes, at which an answer is cut into messages:
	// small enough for new shares to slip in between.
	answerChunk = 128 << 10
)
