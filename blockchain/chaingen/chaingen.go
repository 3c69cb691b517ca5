package chaingen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// CoinbaseValue is what generated shares distribute unless told otherwise, in
// sat.
const CoinbaseValue = 5_000_000_000

// Easy is the option for chainparams.New that makes two hashes enough for a
// share. Regtest's own 65,536 add up in a test of thousands.
func Easy(p *chainparams.Params) { p.EasiestBits = 0x207fffff }

// TB is the part of testing.TB that a Generator needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Share is a generated share with its place in the chain.
type Share struct {
	*share.Share
	ID     chainhash.Hash
	Name   string
	parent *Share
	uncles []*Share
	count  int64
	work   uint256.Uint256
	Total  uint256.Uint256 // work of the chain up to here, uncles included
}

// BitcoinBlock is a header of the generated Bitcoin chain.
type BitcoinBlock struct {
	Header wire.BlockHeader
	Hash   chainhash.Hash
	Height uint32
}

// Generator makes shares and the Bitcoin headers they build on.
type Generator struct {
	tb      TB
	Params  *chainparams.Params
	shares  map[string]*Share
	byID    map[chainhash.Hash]*Share
	bitcoin map[string]BitcoinBlock
	start   time.Time // of the first Bitcoin block after genesis
}

// New returns a Generator whose Bitcoin chain consists of the genesis block,
// named "genesis".
func New(tb TB, params *chainparams.Params) *Generator {
	genesis := params.Bitcoin.GenesisBlock.Header
	g := &Generator{
		tb: tb, Params: params,
		shares:  make(map[string]*Share),
		byID:    make(map[chainhash.Hash]*Share),
		bitcoin: make(map[string]BitcoinBlock),
		start:   genesis.Timestamp.Add(time.Hour),
	}
	g.bitcoin["genesis"] = BitcoinBlock{Header: genesis, Hash: genesis.BlockHash()}
	return g
}

// Bitcoin returns a Bitcoin block by name.
func (g *Generator) Bitcoin(name string) BitcoinBlock {
	g.tb.Helper()
	b, ok := g.bitcoin[name]
	if !ok {
		g.tb.Fatalf("chaingen: no Bitcoin block %q", name)
	}
	return b
}

// NextBitcoin adds a Bitcoin header on top of another, ten minutes later.
func (g *Generator) NextBitcoin(name, parent string) BitcoinBlock {
	g.tb.Helper()
	p := g.Bitcoin(parent)
	h := wire.BlockHeader{
		Version: 0x20000000, PrevBlock: p.Hash, Bits: g.Params.Bitcoin.PowLimitBits,
		MerkleRoot: chainhash.HashH([]byte(name)), Timestamp: p.Header.Timestamp.Add(10 * time.Minute),
	}
	g.solve(&h, h.Bits)
	b := BitcoinBlock{Header: h, Hash: h.BlockHash(), Height: p.Height + 1}
	g.bitcoin[name] = b
	return b
}

// Share returns a generated share by name.
func (g *Generator) Share(name string) *Share {
	g.tb.Helper()
	s, ok := g.shares[name]
	if !ok {
		g.tb.Fatalf("chaingen: no share %q", name)
	}
	return s
}

// ByID returns a generated share by its ID, nil if there is none.
func (g *Generator) ByID(id chainhash.Hash) *Share { return g.byID[id] }

// draft is a share in the making.
type draft struct {
	share  *share.Share
	parent *Share
	uncles []string
	bits   *uint32
	data   []func(*share.Data)
	pays   []func(*payout.Result)
	after  []func(*share.Share)
}

// Option changes a share before it is built.
type Option func(g *Generator, d *draft)

// Uncles references other generated shares.
func Uncles(names ...string) Option {
	return func(_ *Generator, d *draft) { d.uncles = names }
}

// Payee pays the script Script(i).
func Payee(i int) Option {
	return func(_ *Generator, d *draft) { d.share.Data.Payee = Script(i) }
}

// Later moves the share's time, which otherwise is the parent's plus the share
// interval, by so many seconds.
func Later(seconds int) Option {
	return func(_ *Generator, d *draft) { d.share.Data.Time += uint32(seconds) }
}

// On builds on the named Bitcoin block instead of the parent's.
func On(name string) Option {
	return func(g *Generator, d *draft) { d.on(g.Bitcoin(name)) }
}

// Class chooses the output class.
func Class(c share.Class) Option {
	return func(_ *Generator, d *draft) { d.share.Data.Class = c }
}

// Data changes the share data before payouts and merkle root are computed, so
// that only what f does can be wrong with the share.
func Data(f func(*share.Data)) Option {
	return func(_ *Generator, d *draft) { d.data = append(d.data, f) }
}

// Bits claims other bits than the difficulty rule's, with proof of work for them.
func Bits(bits uint32) Option {
	return func(_ *Generator, d *draft) { d.bits = &bits }
}

// Payouts changes what the coinbase pays, so that the share is sane and its payouts
// are wrong.
func Payouts(f func(*payout.Result)) Option {
	return func(_ *Generator, d *draft) { d.pays = append(d.pays, f) }
}

// Header changes the Bitcoin header before the proof of work is made.
func Header(f func(*wire.BlockHeader)) Option {
	return func(_ *Generator, d *draft) { d.after = append(d.after, func(s *share.Share) { f(&s.Header) }) }
}

// Script returns the i-th of a list of P2WPKH scripts.
func Script(i int) []byte {
	s := append([]byte{0x00, 0x14}, make([]byte, 20)...)
	binary.BigEndian.PutUint64(s[2:], uint64(i)+1)
	return s
}

func (d *draft) on(b BitcoinBlock) {
	d.share.Header.PrevBlock = b.Hash
	d.share.Data.BitcoinHeight = b.Height + 1
	d.share.Header.Timestamp = b.Header.Timestamp.Add(time.Minute)
}

// Next makes a share on top of the named parent, or the first share of a chain
// if parent is "". It does not ask whether the options leave the share valid.
func (g *Generator) Next(name, parent string, opts ...Option) *Share {
	g.tb.Helper()
	d := g.draft(parent)
	for _, opt := range opts {
		opt(g, d)
	}
	s := &Share{Share: d.share, Name: name, parent: d.parent, count: 1}
	for _, u := range d.uncles {
		s.uncles = append(s.uncles, g.Share(u))
	}
	slices.SortFunc(s.uncles, func(a, b *Share) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, u := range s.uncles {
		d.share.Data.Uncles = append(d.share.Data.Uncles, u.ID)
	}
	if d.bits != nil {
		d.share.Data.Bits = *d.bits
	}
	g.sum(s)
	for _, f := range d.data {
		f(&d.share.Data)
	}
	g.build(s, d)
	g.shares[name], g.byID[s.ID] = s, s
	return s
}

// draft prepares a child of the named parent.
func (g *Generator) draft(parent string) *draft {
	g.tb.Helper()
	d := &draft{share: &share.Share{
		Header: wire.BlockHeader{Version: 0x20000000, Bits: g.Params.Bitcoin.PowLimitBits},
		Data: share.Data{
			Version: share.Version, Time: uint32(g.start.Unix()), Payee: Script(0),
			CoinbaseValue: CoinbaseValue, Class: share.Class12,
		},
	}}
	if parent == "" {
		d.on(g.Bitcoin("genesis"))
		d.share.Data.Bits = g.Params.EasiestBits
		return d
	}
	p := g.Share(parent)
	d.parent = p
	data := &d.share.Data
	data.Previous, data.Height = p.ID, p.Data.Height+1
	data.Time = p.Data.Time + uint32(g.Params.ShareInterval/time.Second)
	data.Bits = g.NextBits(parent)
	data.BitcoinHeight = p.Data.BitcoinHeight
	d.share.Header.PrevBlock, d.share.Header.Timestamp = p.Header.PrevBlock, p.Header.Timestamp
	return d
}

// NextBits returns the bits that a child of the named share must have.
func (g *Generator) NextBits(parent string) uint32 {
	g.tb.Helper()
	p := g.Share(parent)
	first := p
	for first.parent != nil {
		first = first.parent
	}
	asert := g.Params.Asert()
	bits, err := asert.Next(g.Params.EasiestBits, int64(p.Data.Time)-int64(first.Data.Time)+asert.Spacing, p.count-1)
	if err != nil {
		g.tb.Fatalf("chaingen: %v", err)
	}
	return bits
}

// sum adds up what the share's chain amounts to.
func (g *Generator) sum(s *Share) {
	g.tb.Helper()
	s.Data.Anchor = s.Data.Time
	if t, err := target.FromCompact(s.Data.Bits); err == nil {
		s.work = target.Work(&t)
	}
	s.Total = s.work
	if s.parent != nil {
		s.Data.Anchor = s.parent.Data.Anchor
		s.count += s.parent.count
		s.Total.Add(&s.parent.Total)
	}
	for _, u := range s.uncles {
		s.count++
		s.Total.Add(&u.work)
	}
	s.Data.Count, s.Data.Work = uint32(s.count), s.Total
}

// build fills in payouts, link, merkle root and proof of work.
func (g *Generator) build(s *Share, d *draft) {
	g.tb.Helper()
	// A number of its own keeps shares with equal data apart.
	binary.LittleEndian.PutUint64(s.Extranonce[4:], uint64(len(g.shares)))
	s.Branch = []chainhash.Hash{chainhash.HashH([]byte("transactions"))}
	result := payout.NewTable(g.Scores(s.parent)).Compute(g.Params, s.Data.CoinbaseValue, s.Data.Class, &s.Data.Previous)
	for _, f := range d.pays {
		f(&result)
	}
	s.SetCoinbase(&g.Params.ChainID, result.Finder, result.Payouts)
	for _, f := range d.after {
		f(s.Share)
	}
	g.solve(&s.Header, s.Data.Bits)
	s.ID = s.Share.ID()
}

// Scores returns the scores of the window that ends with s, nil for none, for
// the header bits of the generated Bitcoin chain, ordered by script. They are
// added up anew, share by share.
func (g *Generator) Scores(s *Share) []payout.Score {
	t, _ := target.FromCompact(g.Params.Bitcoin.PowLimitBits)
	blockWork := target.Work(&t)
	limit := payout.LimitFor(g.Params, &blockWork)
	var window []*Share
	for range limit.Entries(g.entries(s, &window)) {
	}
	if len(window) == 0 {
		return nil
	}
	sums := make(map[string]*uint256.Uint256)
	credit := func(payee []byte, work uint256.Uint256, units, weight uint64) {
		if sums[string(payee)] == nil {
			sums[string(payee)] = new(uint256.Uint256)
		}
		sums[string(payee)].Add(work.MulUint64(units).MulUint64(weight))
	}
	base := window[len(window)-1].Data.Height / g.Params.DecayShares
	for _, w := range window {
		weight := payout.Weight(g.Params, w.Data.Height, base)
		credit(w.Data.Payee, w.work, g.Params.NephewShareDivisor, weight)
		for _, u := range w.uncles {
			credit(w.Data.Payee, u.work, 1, weight)
			credit(u.Data.Payee, u.work, g.Params.NephewShareDivisor-1, weight)
		}
	}
	var scores []payout.Score
	for _, script := range slices.Sorted(maps.Keys(sums)) {
		scores = append(scores, payout.Score{Script: []byte(script), Weight: *sums[script]})
	}
	return scores
}

// entries yields s and its ancestors and notes them in window.
func (g *Generator) entries(s *Share, window *[]*Share) iter.Seq[payout.Entry] {
	return func(yield func(payout.Entry) bool) {
		for ; s != nil; s = s.parent {
			*window = append(*window, s)
			e := payout.Entry{Height: s.Data.Height, Work: s.work}
			for _, u := range s.uncles {
				e.Uncles = append(e.Uncles, payout.Uncle{Work: u.work})
			}
			if !yield(e) {
				return
			}
		}
	}
}

// maxTries bounds the search for a proof of work: tests must not use targets
// that take a CPU long.
const maxTries = 1 << 24

// solve finds a nonce for the bits. Bits that are no target are left unsolved.
func (g *Generator) solve(h *wire.BlockHeader, bits uint32) {
	g.tb.Helper()
	t, err := target.FromCompact(bits)
	if err != nil {
		return
	}
	for range maxTries {
		if hash := h.BlockHash(); target.HashMeets(&hash, &t) {
			return
		}
		h.Nonce++
	}
	g.tb.Fatalf("chaingen: no proof of work for bits %08x in %d tries", bits, maxTries)
}

// Line makes n shares in a row on top of parent, named prefix0, prefix1, …, and
// returns their names. Payees rotate over payees scripts.
func (g *Generator) Line(prefix, parent string, n, payees int) []string {
	g.tb.Helper()
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
		g.Next(names[i], parent, Payee(i%payees))
		parent = names[i]
	}
	return names
}
