package rpcserver

// The types in this file and in types_mining.go are the answers of the RPC
// methods. Their JSON names are lower-case words without separators. Unless a
// field says otherwise, times are Unix times in seconds (0 = never), durations
// seconds, amounts satoshi, hash rates hashes per second, and hashes hex
// strings in the byte order block explorers show.

// Info is the answer of getinfo.
type Info struct {
	Version         string `json:"version"`         // program version
	ProtocolVersion uint32 `json:"protocolversion"` // of the peer-to-peer protocol
	Network         string `json:"network"`         // mainnet, testnet4, signet, regtest
	Pool            string `json:"pool"`            // pool name
	ChainID         string `json:"chainid"`         // identifies the rules
	Uptime          int64  `json:"uptime"`          // seconds
	Address         string `json:"address"`         // the node's own payout address, the first if there are several; empty: none

	Addresses       []string `json:"addresses"`       // all own payout addresses that jobs pay now
	Fee             float64  `json:"fee"`             // part of the jobs of miners with an address of their own that pays this node's instead, percent
	Donation        float64  `json:"donation"`        // part of all jobs that pays the address below, percent
	DonationAddress string   `json:"donationaddress"` // empty: none

	// Starting is set until the sharechain is loaded. Tip, height, difficulty,
	// syncing and the pool's hash rate are not known then; health says what is
	// waited for.
	Starting bool `json:"starting"`

	Tip             string  `json:"tip"`             // best share; empty: none yet
	Height          uint32  `json:"height"`          // of the tip on the sharechain
	ShareDifficulty float64 `json:"sharedifficulty"` // of the next share
	Syncing         bool    `json:"syncing"`         // still catching up with the peers

	Sync SyncInfo `json:"sync"` // how far

	Peers         int `json:"peers"`         // connected, both directions
	PeersInbound  int `json:"peersinbound"`  // those that connected to us
	PeersOutbound int `json:"peersoutbound"` // those we connected to

	StratumConnections int     `json:"stratumconnections"`
	Workers            int     `json:"workers"`      // on those connections
	HashRate           float64 `json:"hashrate"`     // of the local miners
	PoolHashRate       float64 `json:"poolhashrate"` // estimate for the whole pool

	Bitcoind BitcoindInfo `json:"bitcoind"`

	Healthy bool     `json:"healthy"` // no reason below
	Health  []string `json:"health"`  // what keeps the node from working well, in words
}

// BitcoindInfo is the state of the connection to the Bitcoin node. Its best
// block is that below the newest template; without one it is not known.
type BitcoindInfo struct {
	Connected       bool   `json:"connected"`       // it answers and gives templates
	InitialDownload bool   `json:"initialdownload"` // it answers but is not synced yet
	BitcoinHeight   uint32 `json:"bitcoinheight"`   // of its best block; 0 while unknown
	BestBlock       string `json:"bestblock"`       // hash of its best block; empty while unknown
	LastTemplate    int64  `json:"lasttemplate"`    // when the newest template arrived
	Error           string `json:"error"`           // why it is not connected; empty when it is

	Nodes []BitcoinNode `json:"nodes"` // all that are configured, the preferred one first
}

// BitcoinNode is one of several Bitcoin nodes.
type BitcoinNode struct {
	Addr    string  `json:"addr"`    // host:port
	Current bool    `json:"current"` // it is mined on
	Healthy bool    `json:"healthy"` // it answers, gives templates, and is not behind the others
	Reason  string  `json:"reason"`  // why not; empty when it is
	Height  uint32  `json:"height"`  // of its best block; 0 while unknown
	Latency float64 `json:"latency"` // seconds to its last answer; 0 while unknown
}

// ChainInfo is the answer of getsharechaininfo.
type ChainInfo struct {
	Network         string     `json:"network"`
	Pool            string     `json:"pool"`
	ChainID         string     `json:"chainid"`
	Tip             string     `json:"tip"`             // best share; empty: none yet
	Height          uint32     `json:"height"`          // of the tip
	Time            int64      `json:"time"`            // of the tip
	MedianTime      int64      `json:"mediantime"`      // of the last 11 shares
	NextBits        string     `json:"nextbits"`        // compact target of the next share, 8 hex digits
	ShareDifficulty float64    `json:"sharedifficulty"` // of the next share
	Work            string     `json:"work"`            // cumulative work of the main chain, 64 hex digits
	BitcoinHeight   uint32     `json:"bitcoinheight"`   // of the block the tip tries to find
	ShareInterval   int64      `json:"shareinterval"`   // the rules' target, seconds
	PoolHashRate    float64    `json:"poolhashrate"`    // estimate
	FirstHeight     uint32     `json:"firstheight"`     // lowest share kept on the main chain; older ones were pruned
	Shares          int        `json:"shares"`          // kept on the main chain
	Uncles          int        `json:"uncles"`          // kept and referred to by the main chain
	SideShares      int        `json:"sideshares"`      // kept, neither on the main chain nor uncles
	Orphans         int        `json:"orphans"`         // waiting for something that is missing
	Window          WindowInfo `json:"window"`
	Syncing         bool       `json:"syncing"`
	Sync            SyncInfo   `json:"sync"`
}

// SyncInfo is how far a node that is catching up has come. It is for display:
// peers may claim whatever they like.
type SyncInfo struct {
	Percent  float64 `json:"percent"`  // done, 0 to 100; 100 unless the node is syncing
	Shares   uint32  `json:"shares"`   // heights of the sharechain that are done, from the lowest that there will be
	Total    uint32  `json:"total"`    // of so many
	Estimate bool    `json:"estimate"` // total is what peers claim that have not shown any of it yet
	Rate     float64 `json:"rate"`     // shares per second, lately
	TimeLeft int64   `json:"timeleft"` // seconds at that rate; 0: not known
	Sources  int     `json:"sources"`  // peers that are being asked for shares
}

// WindowInfo is the payout window of the next share.
type WindowInfo struct {
	Shares      int    `json:"shares"`      // main-chain shares in it
	Uncles      int    `json:"uncles"`      // uncles of those shares
	StartHeight uint32 `json:"startheight"` // oldest share in it
	EndHeight   uint32 `json:"endheight"`   // newest share in it
	Payees      int    `json:"payees"`      // different payout scripts
	Whole       bool   `json:"whole"`       // all of it is known; if not, the node joined recently and makes no jobs yet
}

// ShareSummary is one row of getshares.
type ShareSummary struct {
	Hash            string         `json:"hash"` // share id = Bitcoin header hash
	Height          uint32         `json:"height"`
	Time            int64          `json:"time"`    // from the share data
	Address         string         `json:"address"` // of the payee
	ShareDifficulty float64        `json:"sharedifficulty"`
	Class           int            `json:"class"`   // outputs the payout may have
	Tag             string         `json:"tag"`     // printable characters of the coinbase tag
	Bitcoin         bool           `json:"bitcoin"` // it meets Bitcoin's target too
	BitcoinHeight   uint32         `json:"bitcoinheight"`
	Uncles          []ShareSummary `json:"uncles"` // empty for an uncle
}

// Share is a share with every field decoded: the answer of gettip and of
// getshare with verbosity 1 and 2.
type Share struct {
	Hash          string `json:"hash"`          // share id = Bitcoin header hash
	Status        string `json:"status"`        // main, uncle or side
	Confirmations int64  `json:"confirmations"` // main-chain shares from here to the tip, itself included; 0 if not on the main chain
	Bitcoin       bool   `json:"bitcoin"`       // it meets Bitcoin's target too
	Work          string `json:"work"`          // cumulative, 64 hex digits
	Size          int    `json:"size"`          // bytes, encoded

	Header ShareHeader `json:"header"`
	Data   ShareData   `json:"data"`

	Commitment string    `json:"commitment"` // tagged hash that the coinbase carries
	Extranonce string    `json:"extranonce"` // 12 bytes, hex
	Link       ShareLink `json:"link"`       // stands for the coinbase before the commitment
	Branch     []string  `json:"branch"`     // merkle branch of the coinbase, from the leaf up

	Hex string `json:"hex,omitempty"` // canonical encoding, verbosity 2 only
}

// ShareLink is SHA-256 stopped before the commitment in a share's coinbase.
type ShareLink struct {
	State  string `json:"state"`  // after the whole blocks, 64 hex digits
	Length uint32 `json:"length"` // of the coinbase before the commitment, bytes
	Rest   string `json:"rest"`   // its last length mod 64 bytes, hex
}

// ShareHeader is the Bitcoin header of a share.
type ShareHeader struct {
	Version           int32   `json:"version"`
	PreviousBlockHash string  `json:"previousblockhash"`
	MerkleRoot        string  `json:"merkleroot"`
	Time              int64   `json:"time"`
	Bits              string  `json:"bits"`              // compact target of the Bitcoin block, 8 hex digits
	BitcoinDifficulty float64 `json:"bitcoindifficulty"` // from bits
	Nonce             uint32  `json:"nonce"`
}

// ShareData is what a share commits to.
type ShareData struct {
	Version           uint32   `json:"version"`
	PreviousShare     string   `json:"previousshare"` // 64 zeros: none, the first share
	Uncles            []string `json:"uncles"`
	Height            uint32   `json:"height"`
	Time              int64    `json:"time"`
	Bits              string   `json:"bits"`            // compact share target, 8 hex digits
	ShareDifficulty   float64  `json:"sharedifficulty"` // from bits
	Anchor            int64    `json:"anchor"`          // time of the chain's first share
	Count             uint32   `json:"count"`           // shares and uncles of the chain up to this one
	Work              string   `json:"work"`            // of the chain up to this share, 64 hex digits
	Payee             string   `json:"payee"`           // output script, hex
	Address           string   `json:"address"`         // of the payee
	BitcoinHeight     uint32   `json:"bitcoinheight"`
	CoinbaseValue     int64    `json:"coinbasevalue"`     // satoshi
	Class             int      `json:"class"`             // outputs the payout may have
	Tag               string   `json:"tag"`               // hex
	WitnessCommitment string   `json:"witnesscommitment"` // hex, as committed; empty: none
	MergedMining      string   `json:"mergedmining"`      // hex; empty: none
}

// PeerInfo is one row of getpeerinfo.
type PeerInfo struct {
	ID              uint64 `json:"id"`
	Addr            string `json:"addr"`    // host:port; onion:N or i2p:N for who came in by a hidden service
	Network         string `json:"network"` // ipv4, ipv6, onion, i2p, cjdns, or not_publicly_routable: private, or not known
	Inbound         bool   `json:"inbound"`
	ConnectionType  string `json:"connectiontype"` // inbound, manual, full-relay, share-only, lan or addr-fetch
	Transport       string `json:"transport"`      // v2: encrypted, v1: not
	SessionID       string `json:"sessionid"`      // of v2, 64 hex digits, the same on both sides; empty: v1
	UserAgent       string `json:"useragent"`      // printable characters only
	ProtocolVersion uint32 `json:"protocolversion"`
	Services        string `json:"services"`  // what it offers, 16 hex digits; bit 11: accepts v2
	RelayMode       int    `json:"relaymode"` // of new shares: 0 low bandwidth, 1 low latency
	Connected       int64  `json:"connected"`
	LastSend        int64  `json:"lastsend"` // of any bytes
	LastRecv        int64  `json:"lastrecv"` // of any bytes
	BytesSent       uint64 `json:"bytessent"`
	BytesRecv       uint64 `json:"bytesrecv"`

	BytesSentPerMsg map[string]uint64 `json:"bytessentpermsg"` // by message type, with frames; *other*: unknown types
	BytesRecvPerMsg map[string]uint64 `json:"bytesrecvpermsg"` // likewise
	VerifyTime      float64           `json:"verifytime"`      // spent on its shares, seconds
	ServeTime       float64           `json:"servetime"`       // spent on its requests, seconds
	Throttled       float64           `json:"throttled"`       // that it was held back, out of budget, seconds

	Ping        float64 `json:"ping"`        // seconds; 0: not measured yet
	TimeOffset  int64   `json:"timeoffset"`  // its clock minus ours when it connected, seconds; 0 if it does not tell, as over Tor
	BestShare   string  `json:"bestshare"`   // its tip when it connected; empty: it had none
	Height      uint32  `json:"height"`      // greatest that it claimed or showed
	Whitelisted bool    `json:"whitelisted"` // never banned nor discouraged
	Discouraged string  `json:"discouraged"` // rule that a peer of this address broke before; empty: none
	Score       int     `json:"score"`       // requests in a row that it let expire; one that breaks a rule is disconnected
}

// Reload is the answer of reload.
type Reload struct {
	Changed []string `json:"changed"` // options that were taken over
	Restart []string `json:"restart"` // options that take effect after a restart
}
