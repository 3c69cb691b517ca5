package budget

import (
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// baseInterval is the time between shares that the rates of what comes with each
// share are stated for.
const baseInterval = 10 * time.Second

// scaleOf returns the factor for a chain with another time between shares.
func scaleOf(interval time.Duration) float64 {
	if interval <= 0 {
		return 1
	}
	return float64(baseInterval) / float64(interval)
}

// Time that the peers' messages cost, in seconds.
const (
	// verifyRate is the time for verifying shares that turn out worthless, in seconds
	// per second. An honest peer needs next to nothing: a share that is pushed while
	// another peer's copy is being judged costs 10 µs, once in 10 s. The worst is a
	// node whose Bitcoin node is behind: every session brings 512 shares that can't be
	// judged (netsync's maxUndecided) and begins again after 30 s; at 0.3 ms each that
	// is 5 ms/s. Twice that is allowed: 1 % of a core for each peer.
	verifyRate = 0.010
	// verifyBurst is three such sessions at once.
	verifyBurst = 0.5
	// serveRate is the time for answering requests, in seconds per second. On two busy
	// cores a share takes 16 to 28 µs by the clock (TestColdSync, both nodes on one
	// machine), so 20,000 a second 0.56 s.
	serveRate = 0.6
	// serveBurst is what the whole sharechain takes, twice: 2 × 152,064 × 28 µs.
	serveBurst = 9
)

// retained is the number of shares of a full sharechain: 138,240 and a tenth of them
// in uncles. It is what a newcomer fetches.
const retained = 152_064

const (
	// batch is the number of shares that our own getshares asks for, netsync's
	// MaxBatch.
	batch = 128
	// serveShares is the rate at which a newcomer is served in the long run, in shares
	// per second. A two-core machine that does nothing else verifies 30,000.
	serveShares = 20_480
	// getSharesSize is the length of such a request with its frame, in bytes.
	getSharesSize = batch*32 + 64

	kib = 1 << 10
	mib = 1 << 20
)

// clock says which time a message costs.
type clock uint8

const (
	noTime clock = iota
	verifyTime
	serveTime
)

// clocks are the times that there is a budget for.
var clocks = [2]clock{verifyTime, serveTime}

// limit is what a peer may send of one type without being asked.
type limit struct {
	messages, messageBurst float64 // per second, at once
	bytes, byteBurst       float64 // with their frames
	perShare               bool    // comes with each share: the rates grow as the interval shrinks
	greeting               bool    // sent once for each connection: a new one begins anew
	request                bool    // asks for work that the peer is welcome to, in its turn
	rest                   bool    // of all commands that have no limit by name, together
	clock                  clock
}

// limits by command. The rates bound what the messages cost, no type more than 1 % of
// a core, which is why they are far above what an honest peer needs; together they
// allow 1 MB a second from a peer that never stops, two thirds of it for requests.
// Beside each: what an honest peer sends.
var limits = map[string]limit{
	// Twice a minute (peer's PingInterval), in a while by hand. Answered by a pong each.
	message.CmdPing: {messages: 1, messageBurst: 60, bytes: 64, byteBurst: 4 * kib},
	// In answer to our pings only.
	message.CmdPong: {messages: 1, messageBurst: 60, bytes: 64, byteBurst: 4 * kib},

	// One for each share: 0.1/s, in some pools on one machine as fast as their miners
	// go for a while. An id of an inv costs 0.5 µs, so 512 a second 0.03 % of a core.
	message.CmdInv: {messages: 20, messageBurst: 2_000, bytes: 16 * kib, byteBurst: 256 * kib, perShare: true},
	// One for each share, of 0.8 kB: 0.1 kB/s. The 1,200 that come at once are what a
	// pool mines in three hours.
	message.CmdShares: {messages: 20, messageBurst: 2_000, bytes: 64 * kib, byteBurst: mib, perShare: true, clock: verifyTime},
	// In answer to our requests only. 25 may be under way.
	message.CmdNotFound: {messages: 1, messageBurst: 50, bytes: 8 * kib, byteBurst: 256 * kib},

	// A newcomer's: the whole sharechain twice as fast as it can, then at serveShares.
	message.CmdGetShares: {
		messages: serveShares / batch, messageBurst: 2*retained/batch + 1,
		bytes: serveShares / batch * getSharesSize, byteBurst: (2*retained/batch + 1) * getSharesSize,
		request: true, clock: serveTime,
	},
	// The same for their ids, 2,000 at a time.
	message.CmdGetLocator: {
		messages: serveShares/message.MaxInv + 1, messageBurst: 2*retained/message.MaxInv + 10,
		bytes: (serveShares/message.MaxInv + 1) * 2.1 * kib, byteBurst: (2*retained/message.MaxInv + 10) * 2.1 * kib,
		request: true, clock: serveTime,
	},
	// When the operator says so.
	message.CmdSetMode: {messages: 0.1, messageBurst: 20, bytes: 8, byteBurst: 2 * kib},

	// Once.
	message.CmdGetAddr: {messages: 0.1, messageBurst: 5, bytes: 8, byteBurst: kib, greeting: true},
	// Every 30 s on average, at most 10 messages of at most 10 addresses; once 1,000 in
	// answer to us. Which of the addresses are taken is the gossip's affair.
	message.CmdAddr: {messages: 1, messageBurst: 40, bytes: 4 * kib, byteBurst: 128 * kib},
	// Once, and once a day.
	message.CmdAddrMe: {messages: 0.1, messageBurst: 5, bytes: 8, byteBurst: kib, greeting: true},

	// One for each share that is pushed: 3 kB on average, 32 kB for a list of 4,000
	// transactions that is based on no other.
	message.CmdCmpctShare: {messages: 20, messageBurst: 2_000, bytes: 64 * kib, byteBurst: 4 * mib, perShare: true},
	// One or two for each of those, of a few hundred bytes.
	message.CmdGetShareTxn: {messages: 20, messageBurst: 2_000, bytes: 32 * kib, byteBurst: mib, perShare: true, request: true, clock: serveTime},
	// In answer to our requests only.
	message.CmdShareTxn: {messages: 1, messageBurst: 64, bytes: 16 * kib, byteBurst: mib},
	// Once in 10 minutes, of some 35 kB; with each share where all are blocks.
	message.CmdBlock: {messages: 5, messageBurst: 200, bytes: 64 * kib, byteBurst: 4 * mib, perShare: true},
}

// others are the limits on all unknown commands together: room for announcements of
// later versions, one of 1.6 kB for each share.
var others = limit{messages: 10, messageBurst: 500, bytes: 16 * kib, byteBurst: mib, perShare: true, rest: true}

// limitOf returns the limit of a command.
func limitOf(command string) limit {
	if l, ok := limits[command]; ok {
		return l
	}
	return others
}

// Patience is how long a peer may be out of budget with messages that nobody asked
// for. Nothing that goes wrong at an honest peer lasts as long at these rates: all
// that it may send at once has long been taken by then.
const Patience = 5 * time.Minute

// calm is how long a peer must not have been held back for its Patience to begin
// anew.
const calm = time.Minute
