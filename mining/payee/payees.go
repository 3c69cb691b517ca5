package payee

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
)

// MaxSources bounds the node's own addresses and descriptors.
const MaxSources = 100

// Source is where an own address comes from: an output script, or a descriptor.
type Source struct {
	Script     []byte
	Descriptor *Descriptor // nil: Script
}

// Config is what Payees are made of.
type Config struct {
	// Own are the node's own addresses; none means that miners must name one.
	Own []Source
	// Fee is what part of the jobs of miners with addresses of their own pays the node's
	// instead, in percent, 0 to 100. It needs Own.
	Fee float64
	// Donation is what part of all jobs pays Donee, in percent; with Fee 100 at most.
	Donation float64
	Donee    []byte // output script
	// File keeps how many addresses of each descriptor are used; empty: nowhere.
	File string
	// Secret makes lots that nobody foretells; zero: drawn by New.
	Secret [sha256.Size]byte
	Log    slog.Logger // nil for none
}

// Payees decides whom jobs pay. See the package documentation.
type Payees struct {
	cfg     Config // but for the terms
	terms   atomic.Pointer[terms]
	sources []*source

	fileMu sync.Mutex // held while the file is written, before mu
	kept   []entry    // of descriptors that are not in use now

	mu sync.Mutex // guards what the sources hold
}

// New checks the configuration and reads the file. One that cannot be read is no reason
// not to start, as its loss makes addresses appear twice at worst: it is put aside, and
// the log says so.
func New(cfg Config) (*Payees, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Secret == ([sha256.Size]byte{}) {
		rand.Read(cfg.Secret[:]) // never fails
	}
	p := &Payees{cfg: cfg}
	p.terms.Store(&terms{cfg.Fee, cfg.Donation, cfg.Donee})
	for _, own := range cfg.Own {
		s, err := newSource(own)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(p.sources, s.same) {
			return nil, ErrTwice
		}
		p.sources = append(p.sources, s)
	}
	p.load()
	return p, nil
}

// ErrTwice means that an own address is named more than once.
var ErrTwice = errors.New("the same address is named twice")

func (c *Config) check() error {
	switch {
	case len(c.Own) > MaxSources:
		return fmt.Errorf("more than %d addresses of the node's own", MaxSources)
	case !(c.Fee >= 0 && c.Donation >= 0 && c.Fee+c.Donation <= 100): // NaN included
		return errors.New("fee and donation must be from 0 to 100 percent, and not more together")
	case c.Fee > 0 && len(c.Own) == 0:
		return errors.New("a fee needs an address of the node's own to be paid to")
	case c.Donation > 0 && c.Donee == nil:
		return errors.New("a donation needs an address to be paid to")
	}
	if c.Donee != nil {
		return share.CheckPayee(c.Donee)
	}
	return nil
}

// Purposes of lots. Each tip has one of each.
const (
	lotTaken = 't' // whether fee or donation is taken
	lotOwn   = 'o' // which own address is paid
)

// lot draws a number for a tip, uniformly.
func (p *Payees) lot(purpose byte, tip *chainhash.Hash) uint64 {
	mac := hmac.New(sha256.New, p.cfg.Secret[:])
	mac.Write([]byte{purpose})
	mac.Write(tip[:])
	var sum [sha256.Size]byte
	return binary.BigEndian.Uint64(mac.Sum(sum[:0]))
}

// percent makes of a lot a number from 0 up to, but not including, 100. A float64 has 53
// bits, in which a hundred multiples of 2^-53 are exact enough for any fee.
func percent(lot uint64) float64 { return float64(lot>>11) * 100 / (1 << 53) }

// Turn returns whom the jobs on a share tip pay: own the miners whose user name has no
// address, nil if the node has none, which is always so or never; all, unless it is nil,
// is paid by every job. The scripts must not be changed.
func (p *Payees) Turn(tip chainhash.Hash) (own, all []byte) {
	own = p.own(&tip)
	t := p.terms.Load()
	if t.fee == 0 && t.donation == 0 {
		return own, nil
	}
	switch at := percent(p.lot(lotTaken, &tip)); {
	case at < t.donation:
		return own, t.donee
	case at < t.donation+t.fee:
		return own, own
	}
	return own, nil
}

// own returns the own address of a tip.
func (p *Payees) own(tip *chainhash.Hash) []byte {
	if len(p.sources) == 0 {
		return nil
	}
	chosen := p.sources[0]
	if n := uint64(len(p.sources)); n > 1 {
		at, _ := bits.Mul64(p.lot(lotOwn, tip), n)
		chosen = p.sources[at]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return chosen.script
}

// Terms returns fee and donation in percent, and the output script that donations are
// paid to, nil if there are none.
func (p *Payees) Terms() (fee, donation float64, donee []byte) {
	t := p.terms.Load()
	return t.fee, t.donation, t.donee
}

// terms are what is taken of the miners' work.
type terms struct {
	fee, donation float64 // percent
	donee         []byte
}

// SetTerms changes fee and donation, under the same conditions as New. They hold for the
// work that is made from now on.
func (p *Payees) SetTerms(fee, donation float64, donee []byte) error {
	apply, err := p.PrepareTerms(fee, donation, donee)
	if err == nil {
		apply()
	}
	return err
}

// PrepareTerms is SetTerms, but changes them only when apply is called.
func (p *Payees) PrepareTerms(fee, donation float64, donee []byte) (apply func(), err error) {
	cfg := p.cfg
	cfg.Fee, cfg.Donation, cfg.Donee = fee, donation, donee
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return func() { p.terms.Store(&terms{fee, donation, donee}) }, nil
}

// Own is an address of the node's own that jobs pay or have paid.
type Own struct {
	Script  []byte
	Index   uint32 // of a descriptor's address
	Derived bool   // it is of a descriptor with many addresses
	Current bool   // jobs pay it now
	Paid    bool   // a Bitcoin block has paid it
	Source  int    // which of Config.Own it is of
}

// MaxListed bounds what Addresses returns of each descriptor.
const MaxListed = 100

// Current returns the scripts of the own addresses that jobs pay now, by source.
func (p *Payees) Current() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([][]byte, len(p.sources))
	for i, s := range p.sources {
		list[i] = s.script
	}
	return list
}

// Addresses returns the own addresses, by source, those of a descriptor the newest first,
// MaxListed at most of each. It derives all of the latter, some 0.1 ms each.
func (p *Payees) Addresses() []Own {
	var list []Own
	for i, s := range p.sources {
		p.mu.Lock()
		now, script := s.entry, s.script
		p.mu.Unlock()
		list = append(list, Own{Script: script, Index: now.Index, Derived: s.ranged(), Current: true, Paid: now.Paid, Source: i})
		for back := uint32(1); s.ranged() && back <= min(now.Index, MaxListed-1); back++ {
			// An index that has no script was never in use.
			if script, err := s.descriptor.Script(now.Index - back); err == nil {
				list = append(list, Own{Script: script, Index: now.Index - back, Derived: true, Paid: true, Source: i})
			}
		}
	}
	return list
}

// Percent formats a fee for people.
func Percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + " %" }
