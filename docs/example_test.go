package docs_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// example is the sharechain of protocol.md's worked example:
//
//	a - b - c(u) - d(v)
//	 \   \- v
//	  \- u
type example struct {
	t       *testing.T
	params  *chainparams.Params
	chain   *blockchain.Chain
	now     time.Time
	shares  map[string]*share.Share
	results map[string]payout.Result
}

// order is the one in which the shares are given.
var order = []string{"a", "b", "u", "c", "v", "d"}

// Payees of the example: P2WPKH, P2TR and P2PKH.
var (
	payeeA = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{0xaa}, 20)...)
	payeeB = append([]byte{0x51, 0x20}, bytes.Repeat([]byte{0xbb}, 32)...)
	payeeC = slices.Concat([]byte{0x76, 0xa9, 0x14}, bytes.Repeat([]byte{0xcc}, 20), []byte{0x88, 0xac})
)

// built is the example once it has been made, which takes 400,000 hashes. It is
// not changed afterwards.
var built *example

func newExample(t *testing.T) *example {
	t.Helper()
	if built == nil {
		built = buildExample(t)
	}
	return built
}

func buildExample(t *testing.T) *example {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	genesis := params.Bitcoin.GenesisBlock.Header
	e := &example{
		t: t, params: params, chain: blockchain.New(params), now: genesis.Timestamp.Add(time.Hour),
		shares: make(map[string]*share.Share), results: make(map[string]payout.Result),
	}
	if err := e.chain.AddBitcoinHeader(&genesis, 0); err != nil {
		t.Fatal(err)
	}
	const easiest = 0x1f00ffff
	e.add("a", "", easiest, 600, payeeA)
	e.add("b", "a", easiest, 602, payeeB)
	e.add("u", "a", easiest, 603, payeeC)
	e.add("c", "b", easiest, 604, payeeB, "u")
	e.add("v", "b", easiest, 605, payeeC)
	e.add("d", "c", e.chain.Tip().NextBits, 606, payeeA, "v")
	return e
}

// add builds a share, seconds after Bitcoin's genesis block, and has the chain
// accept it.
func (e *example) add(name, parent string, bits uint32, seconds uint32, payee []byte, uncles ...string) {
	e.t.Helper()
	genesis := e.params.Bitcoin.GenesisBlock.Header
	at := uint32(genesis.Timestamp.Unix()) + seconds
	s := &share.Share{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: genesis.BlockHash(), Bits: genesis.Bits, Timestamp: time.Unix(int64(at), 0),
		},
		Data: share.Data{
			Version: share.Version, Time: at, Bits: bits, Payee: payee, BitcoinHeight: 1,
			CoinbaseValue: 5_000_012_345, Tag: []byte("example"), WitnessCommitment: bytes.Repeat([]byte{0xdd}, 32),
		},
		Branch: []chainhash.Hash{chainhash.Hash(bytes.Repeat([]byte{0xee}, 32))},
	}
	copy(s.Extranonce[:], "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"+name[:1])
	limit, err := target.FromCompact(bits)
	if err != nil {
		e.t.Fatal(err)
	}
	s.Data.Anchor, s.Data.Count, s.Data.Work = at, 1, target.Work(&limit)
	if parent != "" {
		p := &e.shares[parent].Data
		s.Data.Previous = e.shares[parent].ID()
		s.Data.Height = p.Height + 1
		s.Data.Anchor = p.Anchor
		s.Data.Count += p.Count
		s.Data.Work.Add(&p.Work)
	}
	for _, u := range uncles {
		s.Data.Uncles = append(s.Data.Uncles, e.shares[u].ID())
		limit, err := target.FromCompact(e.shares[u].Data.Bits)
		if err != nil {
			e.t.Fatal(err)
		}
		work := target.Work(&limit)
		s.Data.Count++
		s.Data.Work.Add(&work)
	}
	result, err := e.chain.Payouts(s.Data.Previous, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		e.t.Fatal(err)
	}
	s.SetCoinbase(&e.params.ChainID, result.Finder, result.Payouts)
	for id := s.ID(); !target.HashMeets(&id, &limit); id = s.ID() {
		s.Header.Nonce++
	}
	if _, err := e.chain.Accept(s, e.now); err != nil {
		e.t.Fatalf("share %s: %v", name, err)
	}
	e.shares[name], e.results[name] = s, result
}

// TestExampleShares compares the example's bytes, and the fields that its tables
// name.
func TestExampleShares(t *testing.T) {
	e, doc := newExample(t), read(t, "docs/protocol.md")
	for _, name := range order {
		equal(t, "share "+name, block(t, doc, "hex share "+name), hex.EncodeToString(e.shares[name].Encode()))
	}
	d := e.shares["d"]
	commitment := d.Data.Commitment(&e.params.ChainID)
	equal(t, "commitment", block(t, doc, "hex commitment"), hex.EncodeToString(commitment[:]))
	r := e.results["d"]
	coinbase := d.Coinbase(&e.params.ChainID, r.Finder, r.Payouts)
	equal(t, "coinbase", block(t, doc, "hex coinbase"), hex.EncodeToString(coinbase))

	var rows [][]string
	for _, name := range order {
		s := e.shares[name]
		info, _ := e.chain.Info(s.ID())
		rows = append(rows, []string{name, fmt.Sprint(s.Data.Height), fmt.Sprintf("%08x", s.Data.Bits),
			info.Work.String(), info.TotalWork.String(), s.ID().String()})
	}
	compare(t, table(t, doc, "Share"), rows)
}

// TestExampleTip: the example's chain ends where the document says.
func TestExampleTip(t *testing.T) {
	e := newExample(t)
	if got := e.chain.Tip().ID; got != e.shares["d"].ID() {
		t.Errorf("the tip is %v", got)
	}
}

// TestExamplePayouts compares scores and amounts behind share d.
func TestExamplePayouts(t *testing.T) {
	e, doc := newExample(t), read(t, "docs/protocol.md")
	d := e.shares["d"]
	scores, err := e.chain.Scores(d.Data.Previous, d.Header.Bits)
	if err != nil {
		t.Fatal(err)
	}
	r := e.results["d"]
	rows := [][]string{{"finder", hex.EncodeToString(d.Data.Payee), "", fmt.Sprint(r.Finder)}}
	for _, p := range r.Payouts {
		i := slices.IndexFunc(scores, func(s payout.Score) bool { return bytes.Equal(s.Script, p.Script) })
		names := map[string]string{string(payeeA): "A", string(payeeB): "B", string(payeeC): "C"}
		rows = append(rows, []string{names[string(p.Script)], hex.EncodeToString(p.Script),
			scores[i].Weight.String(), fmt.Sprint(p.Amount)})
	}
	compare(t, table(t, doc, "Output"), rows)
}

// TestExampleWeights compares the weights that the example uses.
func TestExampleWeights(t *testing.T) {
	e, doc := newExample(t), read(t, "docs/protocol.md")
	for _, row := range table(t, doc, "Share height") {
		h, err := strconv.ParseUint(row[0], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{row[0], fmt.Sprint(h << 16 / uint64(e.params.DecayShares)), fmt.Sprint(payout.Weight(e.params, uint32(h), 0))}
		compare(t, [][]string{row}, [][]string{want})
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s in the document:\n%s\nin the code:\n%s", what, got, want)
	}
}

// compare reports each row of a table that differs.
func compare(t *testing.T, got, want [][]string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("row %d is missing: %q", i+1, want[i])
		case i >= len(want):
			t.Errorf("row %d is one too many: %q", i+1, got[i])
		case !slices.Equal(got[i], want[i]):
			t.Errorf("row %d in the document: %q\nin the code: %q", i+1, got[i], want[i])
		}
	}
}
