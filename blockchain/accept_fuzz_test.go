package blockchain_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// fuzzWorld is what honest nodes know: a chain of 90 shares with uncles, long enough
// to be pruned, two branches, another chain, and the Bitcoin blocks below.
//
//	Bitcoin: genesis - B1 - B2
//	                 \ C1
type fuzzWorld struct {
	*chaingen.Generator
	bits    uint32 // of the Bitcoin headers
	blocks  []chaingen.BitcoinBlock
	honest  []*share.Share // parents and uncles first
	encoded map[chainhash.Hash][]byte
	now     time.Time
}

func newFuzzWorld(tb testing.TB) *fuzzWorld {
	tb.Helper()
	g := chaingen.New(tb, testParams(tb, "main"))
	g.NextBitcoin("B1", "genesis")
	g.NextBitcoin("B2", "B1")
	g.NextBitcoin("C1", "genesis")
	w := &fuzzWorld{
		Generator: g, bits: g.Params.Bitcoin.PowLimitBits, encoded: map[chainhash.Hash][]byte{},
		now: g.Bitcoin("genesis").Header.Timestamp.Add(24 * time.Hour),
	}
	for _, name := range []string{"genesis", "B1", "B2", "C1"} {
		w.blocks = append(w.blocks, g.Bitcoin(name))
	}
	for _, name := range w.names() {
		s := g.Share(name)
		w.honest = append(w.honest, s.Share)
		w.encoded[s.ID] = s.Encode()
	}
	m := newMachine(tb, w, nil)
	m.offer(len(w.honest))
	if m.c.Tip().ID != g.Share("m88").ID {
		tb.Fatal("the honest chain does not lead")
	}
	return w
}

func (w *fuzzWorld) names() []string {
	names, tip, below := []string{"g"}, "g", ""
	w.Next("g", "")
	for i := range 89 {
		opts := []chaingen.Option{chaingen.Payee(i % 5), chaingen.Later(i%3 - 1)}
		switch i {
		case 20:
			opts = append(opts, chaingen.On("B1"))
		case 40:
			opts = append(opts, chaingen.On("B2"))
		case 50:
			opts = append(opts, chaingen.On("C1"))
		}
		if i%4 == 3 {
			uncle := "u" + tip
			w.Next(uncle, below, chaingen.Payee(10+i%3))
			names = append(names, uncle)
			opts = append(opts, chaingen.Uncles(uncle))
		}
		name := "m" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		w.Next(name, tip, opts...)
		names, tip, below = append(names, name), name, tip
	}
	names = append(names, w.Line("x", "m80", 6, 3)...)
	names = append(names, w.Line("y", "m60", 14, 3)...)
	w.Next("h", "", chaingen.Payee(7))
	return append(append(names, "h"), w.Line("z", "h", 12, 2)...)
}

// mutators set a field of a share to anything.
var mutators = []func(s *share.Share, v uint64){
	func(s *share.Share, v uint64) { s.Header.Version = int32(v) },
	func(s *share.Share, v uint64) { binary.LittleEndian.PutUint64(s.Header.PrevBlock[:], v) },
	func(s *share.Share, v uint64) { binary.LittleEndian.PutUint64(s.Header.MerkleRoot[:], v) },
	func(s *share.Share, v uint64) { s.Header.Timestamp = time.Unix(int64(uint32(v)), 0) },
	func(s *share.Share, v uint64) { s.Header.Bits = uint32(v) },
	func(s *share.Share, v uint64) { s.Header.Nonce = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Version = uint32(v) },
	func(s *share.Share, v uint64) { binary.LittleEndian.PutUint64(s.Data.Previous[:], v) },
	func(s *share.Share, v uint64) { s.Data.Previous = chainhash.Hash{} },
	func(s *share.Share, v uint64) { s.Data.Uncles = nil },
	func(s *share.Share, v uint64) {
		for i := range v % 5 {
			s.Data.Uncles = append(s.Data.Uncles, chainhash.Hash{byte(v >> (8 * i)), byte(i)})
		}
	},
	func(s *share.Share, v uint64) { s.Data.Uncles = []chainhash.Hash{s.Data.Previous} },
	func(s *share.Share, v uint64) { s.Data.Height = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Height += uint32(v); s.Data.Count += uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Time = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Time += uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Bits = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Bits = 0x20000000 | uint32(v)&0x7fffff },
	func(s *share.Share, v uint64) { s.Data.Anchor = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Count = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.Work.SetUint64(v) },
	func(s *share.Share, v uint64) { s.Data.Work.SetUint64(v).Lsh(uint32(v % 128)) },
	func(s *share.Share, v uint64) { s.Data.Payee = chaingen.Script(int(v % 1000)) },
	func(s *share.Share, v uint64) { s.Data.Payee = make([]byte, v%40) },
	func(s *share.Share, v uint64) { s.Data.BitcoinHeight = uint32(v) },
	func(s *share.Share, v uint64) { s.Data.CoinbaseValue = int64(v) },
	func(s *share.Share, v uint64) { s.Data.Class = share.Class(v) },
	func(s *share.Share, v uint64) { s.Data.Tag = make([]byte, v%18) },
	func(s *share.Share, v uint64) { s.Data.WitnessCommitment = make([]byte, v%34) },
	func(s *share.Share, v uint64) { s.Data.MergedMining = make([]byte, v%42) },
	func(s *share.Share, v uint64) { binary.LittleEndian.PutUint64(s.Extranonce[:], v) },
	func(s *share.Share, v uint64) { s.Branch = make([]chainhash.Hash, v%18) },
}

// maxFuzzSteps bounds one program.
const maxFuzzSteps = 48

// FuzzAccept feeds a chain with a program: honest shares in any order, roots,
// mutated shares with proof of work, forged bodies, branches, mined shares, Bitcoin
// headers, time, restarts. After each step everything must still fit together.
func FuzzAccept(f *testing.F) {
	w := newFuzzWorld(f)
	for _, seed := range fuzzSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		m := newMachine(t, w, program)
		for steps := 0; len(m.program) > 0 && steps < maxFuzzSteps; steps++ {
			m.step()
		}
	})
}

// fuzzSeeds are programs that use every operation.
func fuzzSeeds() [][]byte {
	seeds := [][]byte{
		{0, 31, 1, 0, 31, 1, 0, 31, 1, 0, 31, 0, 9, 0, 4, 7, 0},  // everything in order, pruned, restarted, mined upon
		{2, 60, 1, 0, 31, 0, 0, 31, 0, 9, 0, 4, 7, 1, 2, 3, 0},   // from the middle
		{10, 40, 1, 0, 10, 39, 1, 0, 0, 31, 0, 0, 31, 0},         // held and released
		{0, 31, 1, 5, 10, 15, 0, 0, 0, 9, 5, 3, 12, 0, 9, 1, 0},  // branches
		{0, 31, 1, 8, 3, 255, 255, 63, 0, 2, 40, 1, 0, 31, 0, 9}, // a long absence
		{0, 20, 1, 3, 5, 1, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 7, 250, 1, 0, 0, 31, 1, 9, 1},
	}
	for field := range mutators {
		for _, how := range []byte{0, 2, 6} {
			seeds = append(seeds, []byte{0, 31, 1, 3, 20, how, byte(field), 4, 255, 255, 255, 255, 1, 0, 31, 0, 9, 1})
		}
	}
	return seeds
}
