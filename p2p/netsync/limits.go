package netsync

import (
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
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
	// minPatience and maxPatience bound how long a peer may keep a session waiting
	// while others wait with it, as in Bitcoin Core: the time doubles whenever that
	// was too long, as our own link may be the slow one, and is multiplied by
	// patienceDecay per cent with each Verify.
	minPatience   = 2 * time.Second
	maxPatience   = 64 * time.Second
	patienceDecay = 85
	// hastyFraction of that time is enough for a peer that has shown nothing yet in
	// the session, or if another would be idle otherwise: then asking it too costs
	// little.
	hastyFraction = 4
	// SessionTimeout is how long a session may go without an accepted share: twice
	// what a batch takes at 4 kB/s, the slowest link that can sync.
	SessionTimeout = time.Minute
	// FirstSyncLimit is how long after the first session began an attempt counts as
	// ended whatever becomes of it, unless the session of the moment is proven. Peers
	// that come and go, with a claim each, can't put it off.
	FirstSyncLimit = 2 * SessionTimeout
	// ClaimBackoff is how long no session is opened with an inbound peer whose
	// session brought nothing that could be judged. Such sessions then get at most
	// SessionTimeout in eleven minutes from each.
	ClaimBackoff = 10 * time.Minute
	// ProvenInterval is how recent the accepted shares must be that prove a sync:
	// one share interval on mainnet.
	ProvenInterval = 10 * time.Second
)

// Limits. With the usual 125 peers at all of their limits the Manager's maps hold
// about 125 × 2,048 known ids (120 bytes each, 30 MB) and MaxWants wants
// (200 bytes each, 3 MB).
const (
	// MaxPeers is the number of peers; more are turned away. It is what --maxpeers
	// allows, eight times its default, and as many nodes on the local network.
	MaxPeers = 1_008
	// MaxBatch is the number of ids in one getshares of ours: with shares at
	// their longest an answer of some 130 kB, 33 s at 4 kB/s.
	MaxBatch = 128
	// MaxSyncRequests is the number of batches that one peer has under way for a
	// session: at a round trip of 100 ms four bring 5,100 shares a second.
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
	// MaxSyncWants is the number of ids in the window of a session: one inv that is
	// being fetched and two to go on with. That is 46 batches, enough for maxHelpers
	// to have MaxSyncRequests each under way.
	MaxSyncWants = 3 * message.MaxInv
	// MaxWindowBytes is what shares take that wait in the window for those before
	// them or for their verdict: all of it at their longest, 6 MB. In memory, decoded,
	// they take about twice as much.
	MaxWindowBytes = MaxSyncWants * share.MaxEncodedSize
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
	// maxHelpers is the number of peers that a session asks at a time, besides its
	// own: with MaxSyncRequests each they have a whole window under way.
	maxHelpers = 8
	// maxLags is how often a peer may hold the window up before the session asks it
	// no more. Once may be chance.
	maxLags = 2
	// maxDenials is how many requests for shares that it doesn't have a session makes
	// to a peer: it may have pruned a little more, or be on another branch.
	maxDenials = 2
	// maxFailures is how many helpers may fail in a session before no more are tried,
	// so that peers that only hinder cost a few seconds, however many there are.
	maxFailures = 8
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
	// ancestors looked at to find them; the answer is cut at maxAnswerBytes all the
	// same.
	maxAnswerShares = 2000
	// maxAnswerBytes bounds the shares of one answer in all its messages.
	maxAnswerBytes = 1_000_000
	// answerChunk is the size, in bytes, at which an answer is cut into messages:
	// small enough for new shares to slip in between.
	answerChunk = 128 << 10
)
