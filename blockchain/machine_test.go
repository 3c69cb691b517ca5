package blockchain_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// machine runs a program: each operation takes a byte and its arguments the next.
type machine struct {
	testing.TB
	*fuzzWorld
	program []byte
	c       *blockchain.Chain
	now     time.Time
	cursor  int
	pool    []*share.Share // what was made on the way, and can be built upon
	told    map[chainhash.Hash]bool
	stored  []blockchain.Accepted
	// tainted says that a body other than the honest one was taken on trust under
	// an honest share's ID.
	tainted, absent bool
}

func newMachine(tb testing.TB, w *fuzzWorld, program []byte) *machine {
	m := &machine{TB: tb, fuzzWorld: w, program: program, now: w.now, told: map[chainhash.Hash]bool{}, c: blockchain.New(w.Params)}
	for i := range w.blocks {
		m.header(i)
	}
	return m
}

func (m *machine) byte() int {
	if len(m.program) == 0 {
		return 0
	}
	b := m.program[0]
	m.program = m.program[1:]
	return int(b)
}

func (m *machine) number() uint64 {
	n := m.byte()
	var b [8]byte
	m.program = m.program[copy(b[:n%9], m.program):]
	return binary.LittleEndian.Uint64(b[:])
}

// share picks one of those that there are, honest or made.
func (m *machine) share() *share.Share {
	all := len(m.honest) + len(m.pool)
	if i := m.byte() % all; i < len(m.honest) {
		return m.honest[i]
	} else {
		return m.pool[i-len(m.honest)]
	}
}

func (m *machine) step() {
	switch op := m.byte(); op % 11 {
	case 0, 1:
		m.offer(1 + m.byte()%32)
	case 2:
		i := m.byte() % len(m.honest)
		m.accept(m.honest[i], true)
		m.cursor = i + 1
	case 3:
		m.mutate()
	case 4:
		for range 1 + m.byte()%8 {
			m.mine()
		}
	case 5:
		s := m.share()
		for range 1 + m.byte()%16 {
			s = m.child(s)
			m.accept(s, false)
		}
	case 6:
		m.header(m.byte() % len(m.blocks))
	case 7:
		m.bitcoinNews()
	case 8:
		seconds := min(m.number(), 40*24*3600)
		m.now = m.now.Add(time.Duration(seconds) * time.Second)
		m.observe(func() (blockchain.Update, error) { return m.c.Retry(m.now), nil })
	case 9:
		m.restart()
	case 10:
		m.accept(m.share(), m.byte()%2 == 0)
	}
	if err := m.c.Audit(); err != nil {
		m.Fatal(err)
	}
	if m.byte()%4 == 0 {
		for _, id := range []chainhash.Hash{m.share().ID(), m.c.Tip().ID} {
			if err := m.c.AuditWindow(id, m.bits); err != nil {
				m.Fatal(err)
			}
		}
	}
}

// offer gives the next honest shares.
func (m *machine) offer(n int) {
	for ; n > 0; n-- {
		m.accept(m.honest[m.cursor%len(m.honest)], false)
		m.cursor++
	}
}

// accept offers a share and holds the verdict to what Accept promises.
func (m *machine) accept(s *share.Share, root bool) error {
	id := s.ID()
	known := m.c.Have(id)
	honest := bytes.Equal(m.encoded[id], s.Encode())
	err := m.observe(func() (blockchain.Update, error) {
		if root {
			return m.c.AcceptRoot(s, m.now)
		}
		return m.c.Accept(s, m.now)
	})
	waits, undecided := errors.AsType[*blockchain.UndecidedError](err)
	switch {
	case err == nil && known:
		m.Fatalf("share %v was accepted again", id)
	case err == nil && !honest && m.encoded[id] != nil:
		m.tainted = true
	case is[blockchain.RuleError](err) && honest && !m.tainted:
		m.Fatalf("an honest share at height %d: %v", s.Data.Height, err)
	case undecided && len(waits.MissingShares) == 0 && waits.MissingBlock == nil && waits.RetryAt.IsZero():
		m.Fatalf("undecided, but nothing is missing: %v", err)
	case is[blockchain.ContextError](err) && !slices.ContainsFunc(ownKinds, func(kind blockchain.ErrorKind) bool { return errors.Is(err, kind) }):
		m.Fatalf("our own affair: %v", err)
	case err != nil && !undecided && !is[blockchain.RuleError](err) && !is[blockchain.ContextError](err):
		m.Fatalf("verdict %T: %v", err, err)
	}
	return err
}

// ownKinds are what a share can be refused for without being at fault.
var ownKinds = []blockchain.ErrorKind{blockchain.ErrDuplicate, blockchain.ErrLowWork, blockchain.ErrOtherChain, blockchain.ErrWindow}

// observe runs one call, compares its Update with the chain, and stores what was
// accepted, as the node does.
func (m *machine) observe(call func() (blockchain.Update, error)) error {
	tip, base, main := m.c.Tip(), m.c.Base(), m.c.Stats().Main
	u, err := call()
	if problem := m.c.AuditUpdate(&u, tip, base, main); problem != nil {
		m.Fatal(problem)
	}
	for _, r := range u.Refused {
		if !is[blockchain.RuleError](r.Err) {
			m.Fatalf("refused for %v", r.Err)
		}
	}
	for _, a := range u.Accepted {
		if honest := m.encoded[a.ID]; honest != nil && !bytes.Equal(honest, a.Share.Encode()) {
			m.tainted = true
		}
	}
	m.stored = append(m.stored, u.Accepted...)
	m.stored = slices.DeleteFunc(m.stored, func(a blockchain.Accepted) bool { return a.Share.Data.Height < m.c.Base() })
	return err
}

// restart makes a new chain of what is stored.
func (m *machine) restart() {
	old := m.c
	m.c = blockchain.New(m.Params)
	stored := slices.Clone(m.stored)
	slices.SortStableFunc(stored, func(a, b blockchain.Accepted) int { return cmp.Compare(a.Share.Data.Height, b.Share.Data.Height) })
	for _, a := range stored {
		s, err := share.Decode(a.Share.Encode())
		if err != nil {
			m.Fatal(err)
		}
		if err := m.c.Restore(s, a.Root || s.Data.Height == old.Base()); err != nil {
			m.Fatal(err)
		}
	}
	if err := m.c.Restored(old.Tip().ID, old.Base()); err != nil {
		m.Fatal(err)
	}
	for i, b := range m.blocks {
		if m.told[b.Hash] {
			m.header(i)
		}
	}
	got, want := *m.c.Tip(), *old.Tip()
	if m.absent {
		got.BitcoinHeight = want.BitcoinHeight
	}
	if !reflect.DeepEqual(got, want) || m.c.Len() != len(m.stored) || m.c.Len() > old.Len() || m.c.Base() != old.Base() {
		m.Fatalf("after a restart %d shares, base %d, tip %+v; before %d, %d, %+v", m.c.Len(), m.c.Base(), got, old.Len(), old.Base(), want)
	}
}

func (m *machine) header(i int) {
	b := m.blocks[i]
	if err := m.c.AddBitcoinHeader(&b.Header, b.Height); err != nil {
		m.Fatal(err)
	}
	m.told[b.Hash] = true
}

// bitcoinNews is what the Bitcoin node says of blocks that are not there.
func (m *machine) bitcoinNews() {
	block := m.share().Header.PrevBlock
	switch {
	case m.told[block]:
	case m.byte()%2 == 0:
		m.c.BitcoinBlockAbsent(block)
		m.absent = true
	default:
		m.c.BitcoinBlockInvalid(block)
	}
}

// child makes a share on any other, by what that states of its chain.
func (m *machine) child(of *share.Share) *share.Share {
	s := clone(of)
	d, asert := &s.Data, m.Params.Asert()
	bits, err := asert.Next(m.Params.EasiestBits, int64(d.Time)-int64(d.Anchor)+asert.Spacing, int64(d.Count)-1)
	if err != nil {
		m.Fatal(err)
	}
	d.Previous, d.Uncles, d.Bits = of.ID(), nil, bits
	d.Height, d.Count, d.Time = d.Height+1, d.Count+1, d.Time+uint32(m.byte()%64)
	if t, err := target.FromCompact(bits); err == nil {
		work := target.Work(&t)
		d.Work.Add(&work)
	}
	d.Payee = chaingen.Script(m.byte() % 8)
	rebuild(m.c, m.Generator, s)
	m.keep(s)
	return s
}

// maxFuzzPool bounds the shares made by one program.
const maxFuzzPool = 300

func (m *machine) keep(s *share.Share) {
	if len(m.pool) < maxFuzzPool {
		m.pool = append(m.pool, s)
	}
}

// mine makes the share that the tip asks for, which must be valid.
func (m *machine) mine() {
	tip := m.c.Tip()
	i := slices.IndexFunc(m.blocks, func(b chaingen.BitcoinBlock) bool { return b.Hash == tip.Bitcoin })
	if i < 0 || !m.c.HasBitcoinBlock(tip.Bitcoin) {
		return
	}
	s := clone(m.honest[0])
	d, block := &s.Data, &m.blocks[i]
	s.Header.PrevBlock, s.Header.Timestamp = block.Hash, block.Header.Timestamp.Add(time.Minute)
	d.Previous, d.Height, d.Bits, d.Uncles = tip.ID, tip.NextHeight, tip.NextBits, tip.Uncles
	d.Time = max(tip.MinTime, tip.Time+uint32(m.byte()%8))
	d.Anchor, d.Count, d.Work = tip.NextAnchor, tip.NextCount, tip.NextWork
	d.BitcoinHeight, d.Payee, d.Class = block.Height+1, chaingen.Script(m.byte()%8), share.Class(m.byte()%5)
	rebuild(m.c, m.Generator, s)
	if _, err := s.CheckSanity(&m.Params.ChainID); err != nil {
		return // too hard to find
	}
	m.keep(s)
	known := m.c.Have(s.ID())
	if err := m.accept(s, false); err != nil && !known && !is[*blockchain.UndecidedError](err) {
		m.Fatalf("the share that the tip asks for: %v", err)
	}
}

// mutate changes a field of a share, makes up for it in the rest of the share or
// not, and offers that.
func (m *machine) mutate() {
	s := clone(m.share())
	how, field, v := m.byte(), m.byte(), m.number()
	set := mutators[field%len(mutators)]
	set(s, v)
	switch how % 4 {
	case 0: // a forged body around a real header
	case 1:
		seal(m.Generator, s)
	default:
		rebuild(m.c, m.Generator, s)
	}
	if again, err := share.Decode(s.Encode()); err != nil || !bytes.Equal(again.Encode(), s.Encode()) {
		// It could not come from a peer, but must do no harm either.
		m.accept(s, how&4 != 0) //nolint:errcheck // any verdict will do
		return
	}
	m.keep(s)
	m.accept(s, how&4 != 0) //nolint:errcheck // any verdict will do
}
