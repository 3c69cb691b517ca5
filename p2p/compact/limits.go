package compact

import "time"

const (
	// maxLists is the number of shares whose lists are kept: 80 s of the sharechain
	// on mainnet, so that a base is at hand for shares of a slow link too.
	maxLists = 8
	// maxPoolBytes bounds the transactions of lists and templates: two templates of
	// blocks at their longest, 4 MB each, and the lists of miners who agree on most of
	// it. The oldest lists go first; the last one stays.
	maxPoolBytes = 16 << 20
	// maxBlocks is the number of blocks that are remembered as rebuilt or waited for.
	maxBlocks = 8
	// MaxOpen is the number of blocks found here that peers are told of as they connect,
	// and whose transactions are kept beside the pool: 16 MB. More than that are found at
	// a time on test networks only.
	MaxOpen = 4
	// maxTellings is how often one node is told of such a block, over all its connections:
	// one may break before the block has got through.
	maxTellings = 3
	// maxHostTellings is the same for all nodes of a host together, as whoever draws a new
	// nonce for each connection is a new node each time: eight connections of one are let in
	// (p2p's MaxPerHost).
	maxHostTellings = 8 * maxTellings
	// maxCrowdTellings is the same where nobody's host is known: for the 114 inbound
	// connections that there are by default.
	maxCrowdTellings = 114 * maxTellings
	// maxTold is how many tellings are remembered for that: all of three crowds, those of
	// Tor, I2P and this machine, and 42 hosts' besides, or 1,000 nodes' that come once.
	maxTold = 2_048
	// maxPastBlocks is the number of older blocks whose ids are remembered, so that none is
	// submitted and passed on again.
	maxPastBlocks = 1000
	// maxAttempts is how many peers' lists of one share are worked on at a time, as
	// in Bitcoin Core. The last place is for peers that we dialed, so that inbound
	// ones can't take them all and never answer.
	maxAttempts = 3
	// maxBlockAttempts is the same for a share that is a Bitcoin block: every outbound
	// peer may help, as a block is worth everything, and cannot be made up.
	maxBlockAttempts = 10
	// maxAttemptsAll bounds the attempts for all shares together.
	maxAttemptsAll = maxAttempts * maxLists
	// maxEarly is how many lists wait for the verdict on their share, one of each peer. It
	// is for the shares under judgement, of which there are two or three at a time; a list
	// of 10,000 transactions has 60 kB.
	maxEarly = maxAttemptsAll
	// maxAttemptBytes bounds the transactions received for unfinished attempts: one
	// block at its longest for each place at one share.
	maxAttemptBytes = maxAttempts * maxBlockBytes
	// maxBlockBytes is the size of the transactions of a block at its longest, as a
	// byte weighs one of 4,000,000 units at least.
	maxBlockBytes = 4_000_000
	// attemptTimeout is how long an answer may take: as long as one to getshares.
	attemptTimeout = 30 * time.Second
	// maxStrikes is how many lists of a peer may turn out to be others than the
	// shares commit to, twice each with different short ids, before no more of it are
	// looked at. With 10,000 transactions known it happens by chance once in some
	// million lists.
	maxStrikes = 3
	// answerBytes is the size at which an answer is cut into messages, as in answers
	// to getshares: small enough for new shares to slip in between.
	answerBytes = 128 << 10
	// maxAnswered is the number of answers to one peer for one share: the list
	// without a base, and transactions for either list.
	maxAnswered = 3
)
