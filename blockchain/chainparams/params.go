package chainparams

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

// ProtocolVersion is the version of the consensus rules. It is part of the
// ChainID: a change of rules starts a new sharechain.
const ProtocolVersion = 1

// Params holds everything that the nodes of one sharechain agree on. The zero
// value is of no use; New makes it.
type Params struct {
	Network         Network
	Bitcoin         *chaincfg.Params
	SignetChallenge []byte // of a custom signet, else nil
	Pool            string // "main", "mini", or the name of a private pool

	ChainID chainhash.Hash  // identity of the sharechain
	Magic   wire.BitcoinNet // first four bytes of ChainID, little endian

	DefaultP2PPort, DefaultStratumPort, DefaultRPCPort, DefaultBitcoindPort uint16

	// ShareInterval is the time between shares that the difficulty aims at.
	ShareInterval time.Duration
	// HalfLife is the schedule drift that halves or doubles the difficulty.
	HalfLife time.Duration
	// EasiestBits is the highest share target, which is also that of the
	// chain's first share and the anchor of the difficulty algorithm.
	EasiestBits uint32
	// EasiestTarget is EasiestBits expanded.
	EasiestTarget uint256.Uint256

	// MaxUncles is the number of uncles one share may reference.
	MaxUncles int
	// MaxUncleDepth bounds how far above the nephew an uncle's parent may lie,
	// in generations.
	MaxUncleDepth uint32
	// NephewShareDivisor: the nephew is credited 1/NephewShareDivisor of an
	// uncle's work and the uncle's own miner the rest.
	NephewShareDivisor uint64

	// WindowShares is the greatest length of the payout window in shares.
	WindowShares uint32
	// WindowBlocks cuts the window where its work reaches that of so many
	// Bitcoin blocks; 0 means that the window is counted in shares only.
	WindowBlocks uint64
	// DecayShares is the age, in shares, at which a weight has halved.
	DecayShares uint32
	// FinderFeeDivisor: 1/FinderFeeDivisor of the coinbase value goes to the
	// payee of the share itself.
	FinderFeeDivisor int64
	// MinPayout is the smallest amount, in sat, that the payout threshold can
	// have.
	MinPayout int64

	// RetentionShares is how many shares below the tip a node keeps.
	RetentionShares uint32
	// MaxReorgShares is the depth of the deepest reorganisation that a node
	// carries out on its own.
	MaxReorgShares uint32

	// MedianTimeShares is the number of ancestors whose median time a share's
	// time must exceed.
	MedianTimeShares int
	// MaxTimeAhead is how far a share's time may lie ahead of the local clock.
	MaxTimeAhead time.Duration
	// MaxBitcoinTimeDrift is how far a share's time may lie before its Bitcoin
	// block's time.
	MaxBitcoinTimeDrift time.Duration

	// BlockEvery makes a share count as a Bitcoin solution only if its hash
	// also meets the share target divided by BlockEvery. It is 1 except on
	// regtest, where Bitcoin's own target is easier than any useful share's.
	BlockEvery uint64
}

// Option changes Params before the ChainID is taken.
type Option func(*Params)

// WithSignetChallenge selects the custom signet of that block challenge script.
func WithSignetChallenge(script []byte) Option {
	return func(p *Params) {
		p.SignetChallenge = script
		p.Bitcoin = bitcoinParams(p.Network, script)
	}
}

// WithWindow shortens the payout window, its decay, the retention and the reorg
// limit, all in shares, so that tests reach every rule. A changed window is a
// changed ChainID.
func WithWindow(window, decay, retention, maxReorg uint32) Option {
	return func(p *Params) {
		p.WindowShares, p.DecayShares = window, decay
		p.RetentionShares, p.MaxReorgShares = retention, maxReorg
	}
}

// poolName is what a pool can be called: it becomes part of a path.
var poolName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// New returns the parameters of the named pool on a Bitcoin network. Any valid
// name other than the public "main" and "mini" is a private pool and needs no
// registration.
func New(net Network, pool string, opts ...Option) (*Params, error) {
	if int(net) >= len(networkNames) {
		return nil, fmt.Errorf("unknown network %v", net)
	}
	if !poolName.MatchString(pool) {
		return nil, fmt.Errorf("pool name %q: use 1 to 32 of the characters a-z, 0-9 and -, beginning with a letter or digit", pool)
	}
	p := standard(net, pool)
	switch net {
	case Regtest:
		p.regtestRules()
	case Testnet4:
		// A block's bits are the finder's choice there after 20 minutes, and so
		// would be the length of a window cut by them.
		p.WindowBlocks = 0
	}
	for _, opt := range opts {
		opt(p)
	}
	if len(p.SignetChallenge) > 0 && net != Signet {
		return nil, errors.New("a signet challenge needs --network=signet")
	}
	easiest, err := target.FromCompact(p.EasiestBits)
	if err != nil {
		return nil, fmt.Errorf("easiest target: %w", err)
	}
	p.EasiestTarget = easiest
	if p.RetentionShares < p.WindowShares+p.MaxReorgShares {
		return nil, fmt.Errorf("a retention of %d shares is less than a window of %d behind a reorganisation of %d",
			p.RetentionShares, p.WindowShares, p.MaxReorgShares)
	}
	p.ChainID = chainhash.DoubleHashH(p.canonical())
	p.Magic = wire.BitcoinNet(binary.LittleEndian.Uint32(p.ChainID[:4]))
	return p, nil
}

// standard returns the constants of every network but regtest; protocol.md
// gives the reason for each.
func standard(net Network, pool string) *Params {
	port := defaultPorts[net]
	const (
		window = 14 * 24 * 3600 / 10 // 14 days of 10 s shares = 120,960
		twoDay = 2 * 24 * 3600 / 10  // 17,280
	)
	return &Params{
		Network: net, Bitcoin: bitcoinParams(net, nil), Pool: pool,
		DefaultP2PPort: port.p2p, DefaultStratumPort: port.stratum,
		DefaultRPCPort: port.rpc, DefaultBitcoindPort: port.bitcoind,

		ShareInterval: 10 * time.Second,
		HalfLife:      30 * time.Minute,
		// Difficulty 1 is mainnet's and testnet4's own limit. Signet's is
		// easier, and a share must never be harder than a block.
		EasiestBits: bitcoinParams(net, nil).PowLimitBits,

		MaxUncles: 3, MaxUncleDepth: 3, NephewShareDivisor: 10,
		WindowShares: window, WindowBlocks: 4, DecayShares: window / 4,
		FinderFeeDivisor: 200, MinPayout: 5_000,
		RetentionShares: window + twoDay, MaxReorgShares: twoDay / 2,
		MedianTimeShares: 11, MaxTimeAhead: 90 * time.Second,
		MaxBitcoinTimeDrift: 2 * time.Hour,
		BlockEvery:          1,
	}
}

// regtestRules makes a chain that a CPU can run: Bitcoin's regtest target is
// met by half of all hashes, so shares are harder than blocks there, and a
// window counted in blocks would be empty.
//
// The first shares take 2¹⁶ hashes, an instant for a CPU. With Bitcoin's own
// target they would take two: cpuminer then finds millions a second, overruns
// its socket and disconnects (measured), and the node drowns in siblings.
func (p *Params) regtestRules() {
	p.EasiestBits = 0x1f00ffff
	p.ShareInterval = 2 * time.Second
	p.HalfLife = time.Minute
	p.WindowBlocks = 0
	p.WindowShares = 2_160 // 72 min of 2 s shares
	p.DecayShares = p.WindowShares / 4
	p.MaxReorgShares = p.WindowShares / 2
	p.RetentionShares = p.WindowShares + 2*p.MaxReorgShares
	p.BlockEvery = 32
}

// canonical is the encoding that the ChainID hashes: strings with a one-byte
// length, numbers as 8 bytes little endian, times in seconds, in this order.
func (p *Params) canonical() []byte {
	var b []byte
	str := func(s string) { b = append(append(b, byte(len(s))), s...) }
	num := func(n ...uint64) {
		for _, v := range n {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	str("p2pool")
	num(ProtocolVersion)
	str(p.Network.String())
	b = append(b, p.Bitcoin.GenesisHash[:]...)
	// Custom signets share a genesis block and differ in the challenge only.
	challenge := chainhash.HashH(p.SignetChallenge)
	b = append(b, challenge[:]...)
	str(p.Pool)
	num(uint64(p.ShareInterval/time.Second), uint64(p.HalfLife/time.Second), uint64(p.EasiestBits),
		uint64(p.MaxUncles), uint64(p.MaxUncleDepth), p.NephewShareDivisor,
		uint64(p.WindowShares), p.WindowBlocks, uint64(p.DecayShares),
		uint64(p.FinderFeeDivisor), uint64(p.MinPayout),
		uint64(p.RetentionShares), uint64(p.MaxReorgShares),
		uint64(p.MedianTimeShares), uint64(p.MaxTimeAhead/time.Second),
		uint64(p.MaxBitcoinTimeDrift/time.Second), p.BlockEvery)
	return b
}

// Public reports whether the pool is one that strangers share ("main" or
// "mini") on a network where shares are worth something or stand for it.
func (p *Params) Public() bool {
	return p.Network != Regtest && len(p.SignetChallenge) == 0 && (p.Pool == "main" || p.Pool == "mini")
}

// DataDirName is the folder below the data directory that belongs to this
// network and pool, such as "regtest-main". Custom signets get folders of their
// own, named after their ChainID.
func (p *Params) DataDirName() string {
	name := p.Network.String() + "-" + p.Pool
	if len(p.SignetChallenge) > 0 {
		name += fmt.Sprintf("-%x", p.ChainID[:4])
	}
	return name
}

// Asert returns the chain's difficulty rule.
func (p *Params) Asert() *target.Asert {
	return &target.Asert{
		Spacing:  int64(p.ShareInterval / time.Second),
		HalfLife: int64(p.HalfLife / time.Second),
		Limit:    p.EasiestTarget,
	}
}

// BlockTarget is the target at which a share counts as a Bitcoin solution:
// Bitcoin's own, but on regtest no easier than the share target divided by
// BlockEvery.
func (p *Params) BlockTarget(bitcoinTarget, shareTarget uint256.Uint256) uint256.Uint256 {
	if p.BlockEvery <= 1 {
		return bitcoinTarget
	}
	t := shareTarget
	t.DivUint64(p.BlockEvery)
	if bitcoinTarget.Lt(&t) {
		return bitcoinTarget
	}
	return t
}
