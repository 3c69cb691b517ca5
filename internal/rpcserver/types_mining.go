package rpcserver

// PayoutQuery says what getpayouts asks for: a part of the list of payees, the
// largest first, or one of them.
type PayoutQuery struct {
	Outputs int    // class whose coinbase is shown, by its outputs; 0: the usual one
	Address string // the only payee asked for; empty: all of them
	Count   int    // 1..MaxPayouts
	Skip    int    // payees to leave out before the first; 0 with an address
}

// Payouts is the answer of getpayouts: the payout of the next share, if it
// were found at the current template and became a Bitcoin block.
type Payouts struct {
	Tip           string   `json:"tip"`           // the share it would build on
	Height        uint32   `json:"height"`        // of the next share
	BitcoinHeight uint32   `json:"bitcoinheight"` // of the next Bitcoin block
	Class         int      `json:"class"`         // most outputs allowed
	CoinbaseValue int64    `json:"coinbasevalue"` // satoshi: subsidy and fees
	FinderFee     int64    `json:"finderfee"`     // satoshi, to whoever finds the share, remainder included
	TotalScore    string   `json:"totalscore"`    // decimal, sum of all payees' scores
	Payees        int      `json:"payees"`        // in the window, listed here or not
	Skipped       int      `json:"skipped"`       // of those, larger than the first one listed
	Payouts       []Payout `json:"payouts"`       // by owed, largest first
}

// Payout is what one payee is owed and would get.
type Payout struct {
	Script  string        `json:"script"`  // output script, hex
	Address string        `json:"address"` // empty if the script has none
	Score   string        `json:"score"`   // decimal
	Owed    int64         `json:"owed"`    // satoshi, exact share of the payout
	Amount  int64         `json:"amount"`  // satoshi in this coinbase; 0 when not drawn this time
	Classes []ClassChance `json:"classes"` // what a block of each class holds, smallest class first
}

// ClassChance is what a block of one class holds for a payee, while nobody knows
// yet on which share it builds.
type ClassChance struct {
	Class       int     `json:"class"`       // most outputs allowed
	Exact       bool    `json:"exact"`       // paid what is owed, by every such block
	Probability float64 `json:"probability"` // of being paid, 0 to 1; 1 when exact
	Amount      int64   `json:"amount"`      // satoshi, if paid; some of those drawn get one more
}

// FoundBlock is one row of getblocksfound.
type FoundBlock struct {
	Hash          string `json:"hash"`          // Bitcoin block hash = share id
	Height        uint32 `json:"height"`        // Bitcoin height
	ShareHeight   uint32 `json:"shareheight"`   // sharechain height
	Time          int64  `json:"time"`          // from the share data
	Address       string `json:"address"`       // the finder's
	Value         int64  `json:"value"`         // satoshi, the whole coinbase
	Confirmations int64  `json:"confirmations"` // as the Bitcoin node says; 0 unknown to it, -1 not in the best chain
	Status        string `json:"status"`        // one of the Block… constants
	Changed       int64  `json:"changed"`       // since when
	Checked       int64  `json:"checked"`       // when the Bitcoin node last said so; it is not asked any more once the fate is settled
	Own           bool   `json:"own"`           // found by a miner of this node
	Worker        string `json:"worker"`        // which; empty for others' blocks
	Reason        string `json:"reason"`        // the Bitcoin node's words for a rejection
}

// What became of a Bitcoin block found by the pool.
const (
	BlockPending  = "pending"  // the Bitcoin node does not have it, or not yet
	BlockAccepted = "accepted" // in the best chain, fewer than 100 blocks on top
	BlockMatured  = "matured"  // in the best chain, its coinbase can be spent
	BlockOrphaned = "orphaned" // another block won
	BlockRejected = "rejected" // invalid, says the Bitcoin node
)

// MinerInfo is one row of getminers: one worker, on however many connections.
type MinerInfo struct {
	Worker         string  `json:"worker"`         // name after the address; may be empty
	Address        string  `json:"address"`        // paid to
	UserAgent      string  `json:"useragent"`      // of its latest connection, printable characters only
	Connections    int     `json:"connections"`    // now; 0 for a worker that has left
	Connected      int64   `json:"connected"`      // since when; 0 for a worker that has left
	LastSubmit     int64   `json:"lastsubmit"`     // of an accepted solution
	Difficulty     float64 `json:"difficulty"`     // set last
	BestDifficulty float64 `json:"bestdifficulty"` // of its best solution ever
	BestSession    float64 `json:"bestsession"`    // of the best of its latest session
	HashRate       float64 `json:"hashrate"`       // over five minutes, from accepted solutions
	HashRateMinute float64 `json:"hashrateminute"` // over a minute
	HashRateHour   float64 `json:"hashratehour"`   // over an hour
	HashRateDay    float64 `json:"hashrateday"`    // over a day
	HashRateWeek   float64 `json:"hashrateweek"`   // over seven days
	Accepted       uint64  `json:"accepted"`       // solutions, since the worker was first seen
	Shares         uint64  `json:"shares"`         // of those, shares
	Stale          uint64  `json:"stale"`          // solutions
	Rejected       uint64  `json:"rejected"`       // solutions, stale ones not included: the sum of the next three
	Duplicate      uint64  `json:"duplicate"`      // handed in before
	LowDifficulty  uint64  `json:"lowdifficulty"`  // not as difficult as they had to be
	Invalid        uint64  `json:"invalid"`        // anything else
	DeadOnArrival  float64 `json:"deadonarrival"`  // stale as a part of accepted and stale, 0 to 1
	Latency        float64 `json:"latency"`        // seconds that the device goes on with the old Bitcoin block
	LatencyBlocks  float64 `json:"latencyblocks"`  // new blocks that this is estimated from; 0: not known
	Class          int     `json:"class"`          // outputs its coinbase may have
	Fee            float64 `json:"fee"`            // part of its jobs that pays the node's own address instead, percent
	Donation       float64 `json:"donation"`       // part of its jobs that is donated, percent
}

// MinerAddress is one row of getmineraddresses: all workers paid to one address.
type MinerAddress struct {
	Address        string  `json:"address"`        // paid to
	Workers        int     `json:"workers"`        // remembered, connected or not
	Connections    int     `json:"connections"`    // now
	LastSubmit     int64   `json:"lastsubmit"`     // of an accepted solution
	BestDifficulty float64 `json:"bestdifficulty"` // of the best solution ever
	HashRate       float64 `json:"hashrate"`       // over five minutes, from accepted solutions
	HashRateMinute float64 `json:"hashrateminute"` // over a minute
	HashRateHour   float64 `json:"hashratehour"`   // over an hour
	HashRateDay    float64 `json:"hashrateday"`    // over a day
	HashRateWeek   float64 `json:"hashrateweek"`   // over seven days
	Accepted       uint64  `json:"accepted"`       // solutions
	Shares         uint64  `json:"shares"`         // of those, shares
	Stale          uint64  `json:"stale"`          // solutions
	Rejected       uint64  `json:"rejected"`       // solutions, stale ones not included
	DeadOnArrival  float64 `json:"deadonarrival"`  // stale as a part of accepted and stale, 0 to 1
}

// TemplateInfo is the answer of gettemplate.
type TemplateInfo struct {
	BitcoinHeight     uint32   `json:"bitcoinheight"` // of the block to find
	PreviousBlockHash string   `json:"previousblockhash"`
	Version           int32    `json:"version"`
	Bits              string   `json:"bits"` // compact target, 8 hex digits
	BitcoinDifficulty float64  `json:"bitcoindifficulty"`
	CurTime           int64    `json:"curtime"`
	MinTime           int64    `json:"mintime"`
	CoinbaseValue     int64    `json:"coinbasevalue"` // satoshi: subsidy and fees
	Transactions      int      `json:"transactions"`  // coinbase not counted
	Weight            int64    `json:"weight"`        // of those transactions
	WeightLimit       int64    `json:"weightlimit"`
	Sigops            int64    `json:"sigops"` // of those transactions
	SigopLimit        int64    `json:"sigoplimit"`
	Rules             []string `json:"rules"`
	Received          int64    `json:"received"`
	Jobs              bool     `json:"jobs"`   // work is given to miners
	Reason            string   `json:"reason"` // why not; empty when it is

	Empty      bool        `json:"empty"`      // made here from the block's header; the Bitcoin node's own is awaited
	TipSource  string      `json:"tipsource"`  // which told first of the block that it builds on; empty if none did yet
	TipAhead   float64     `json:"tipahead"`   // seconds before the second source; 0 while there is none
	TipSources []TipSource `json:"tipsources"` // all of them
}

// TipSource is one way in which the node hears of new blocks.
type TipSource struct {
	Source      string  `json:"source"`      // longpoll, poll, zmq, websocket, p2p or compact
	Connections int     `json:"connections"` // that it listens on now; longpoll and poll need none
	First       uint64  `json:"first"`       // blocks that it told of first
	Later       uint64  `json:"later"`       // blocks that it told of after another
	Behind      float64 `json:"behind"`      // seconds, mean of those
	Refused     uint64  `json:"refused"`     // news that the Bitcoin node, asked, did not confirm
}
