package docs_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// constant is one row of the table of constants, in the order of the ChainID's
// encoding. number is what is hashed, text what the table shows.
type constant struct {
	name   string
	number func(*chainparams.Params) uint64
	text   func(uint64) string
}

func seconds(n uint64) string { return fmt.Sprintf("%d s", n) }
func plain(n uint64) string   { return strconv.FormatUint(n, 10) }

func grouped(n uint64) string {
	s := plain(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

var constants = []constant{
	{"share interval", func(p *chainparams.Params) uint64 { return uint64(p.ShareInterval / time.Second) }, seconds},
	{"half-life", func(p *chainparams.Params) uint64 { return uint64(p.HalfLife / time.Second) }, seconds},
	{"easiest bits", func(p *chainparams.Params) uint64 { return uint64(p.EasiestBits) }, func(n uint64) string { return fmt.Sprintf("%08x", n) }},
	{"uncles per share", func(p *chainparams.Params) uint64 { return uint64(p.MaxUncles) }, plain},
	{"uncle depth", func(p *chainparams.Params) uint64 { return uint64(p.MaxUncleDepth) }, plain},
	{"nephew divisor", func(p *chainparams.Params) uint64 { return p.NephewShareDivisor }, plain},
	{"window shares", func(p *chainparams.Params) uint64 { return uint64(p.WindowShares) }, grouped},
	{"window blocks", func(p *chainparams.Params) uint64 { return p.WindowBlocks }, plain},
	{"decay shares", func(p *chainparams.Params) uint64 { return uint64(p.DecayShares) }, grouped},
	{"finder fee divisor", func(p *chainparams.Params) uint64 { return uint64(p.FinderFeeDivisor) }, plain},
	{"least threshold", func(p *chainparams.Params) uint64 { return uint64(p.MinPayout) }, grouped},
	{"retention", func(p *chainparams.Params) uint64 { return uint64(p.RetentionShares) }, grouped},
	{"deepest reorganisation", func(p *chainparams.Params) uint64 { return uint64(p.MaxReorgShares) }, grouped},
	{"median of", func(p *chainparams.Params) uint64 { return uint64(p.MedianTimeShares) }, plain},
	{"time ahead", func(p *chainparams.Params) uint64 { return uint64(p.MaxTimeAhead / time.Second) }, seconds},
	{"drift from Bitcoin", func(p *chainparams.Params) uint64 { return uint64(p.MaxBitcoinTimeDrift / time.Second) }, func(n uint64) string { return grouped(n) + " s" }},
	{"block every", func(p *chainparams.Params) uint64 { return p.BlockEvery }, plain},
}

// TestConstants compares the table of constants with chainparams.
func TestConstants(t *testing.T) {
	nets := networks(t)
	var want [][]string
	for _, c := range constants {
		row := []string{c.name}
		for _, p := range nets {
			row = append(row, c.text(c.number(p)))
		}
		want = append(want, row)
	}
	var got [][]string
	for _, row := range table(t, read(t, "docs/protocol.md"), "Constant") {
		got = append(got, row[:5]) // the sixth says why
	}
	compare(t, got, want)
}

// TestChainID builds the ChainID by the document and compares the tables.
func TestChainID(t *testing.T) {
	doc := read(t, "docs/protocol.md")
	var want [][]string
	for _, net := range networks(t) {
		for _, pool := range []string{"main", "mini"} {
			p, err := chainparams.New(net.Network, pool)
			if err != nil {
				t.Fatal(err)
			}
			if id := chainhash.DoubleHashH(canonical(p)); id != p.ChainID {
				t.Errorf("%v %s: the document's encoding gives %x, the code has %x", net.Network, pool, id[:], p.ChainID[:])
			}
			magic := binary.LittleEndian.AppendUint32(nil, uint32(p.Magic))
			want = append(want, []string{net.Network.String(), pool, hex.EncodeToString(p.ChainID[:]), hex.EncodeToString(magic)})
			if net.Network == chainparams.Regtest && pool == "main" {
				equal(t, "encoding", block(t, doc, "hex chainid"), hex.EncodeToString(canonical(p)))
			}
		}
	}
	compare(t, table(t, doc, "Network"), want)
}

// canonical is the encoding that the document describes.
func canonical(p *chainparams.Params) []byte {
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	challenge := chainhash.HashH(p.SignetChallenge)
	b := slices.Concat(name("p2pool"), binary.LittleEndian.AppendUint64(nil, 1), name(p.Network.String()),
		p.Bitcoin.GenesisHash[:], challenge[:], name(p.Pool))
	for _, c := range constants {
		b = binary.LittleEndian.AppendUint64(b, c.number(p))
	}
	return b
}

// TestPorts compares the README's table of default ports.
func TestPorts(t *testing.T) {
	var want [][]string
	for _, p := range networks(t) {
		want = append(want, []string{p.Network.String(), fmt.Sprint(p.DefaultP2PPort), fmt.Sprint(p.DefaultStratumPort),
			fmt.Sprint(p.DefaultRPCPort), fmt.Sprint(p.DefaultBitcoindPort)})
	}
	for _, name := range []string{"README.md", "docs/configuration.md"} {
		compare(t, table(t, read(t, name), "Network"), want)
	}
}

// TestSizes compares the sizes of shares and of the largest coinbases.
func TestSizes(t *testing.T) {
	doc := read(t, "docs/protocol.md")
	words := strings.Join(strings.Fields(doc), " ")
	for what, n := range map[string]int{"share data": share.MaxDataSize, "share": share.MaxEncodedSize} {
		if text := fmt.Sprintf("The longest %s has %d bytes", what, n); !strings.Contains(words, text) {
			t.Errorf("the document does not say: %s", text)
		}
	}
	p2tr := append([]byte{0x51, 0x20}, make([]byte, 32)...)
	size := func(class share.Class, tag, merged int) string {
		d := share.Data{
			Payee: p2tr, BitcoinHeight: 1_000_000, Tag: make([]byte, tag),
			MergedMining: make([]byte, merged), WitnessCommitment: make([]byte, share.WitnessCommitmentSize),
		}
		payouts := slices.Repeat([]share.Payout{{Script: p2tr}}, class.Outputs())
		return grouped(uint64(len(d.AppendCoinbasePrefix(nil, 0, payouts)) + len(d.Commitment(&chainhash.Hash{})) + share.ExtranonceSize + 4))
	}
	var want [][]string
	for _, class := range share.Classes() {
		want = append(want, []string{class.String(), fmt.Sprint(uint8(class)), size(class, 16, 0), size(class, 4, 40)})
	}
	compare(t, table(t, doc, "Class"), want)
}

// TestKinds: protocol.md names every rule that a share or message can break, and
// no other.
func TestKinds(t *testing.T) {
	var want, got []string
	kind := regexp.MustCompile(`(?m)^\t(Err\w+) +(?:share\.)?ErrorKind = `)
	for _, file := range []string{"blockchain/share/errors.go", "blockchain/errors.go", "p2p/message/message.go", "p2p/peer/loops.go", "p2p/peer/v2packet.go",
		"p2p/compact/tx.go", "p2p/compact/rebuild.go", "mining/peerblock.go"} {
		text := strings.ReplaceAll(read(t, file), "\nconst Err", "\n\tErr")
		for _, m := range kind.FindAllStringSubmatch(text, -1) {
			want = append(want, m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(Err[A-Z]\\w+)`").FindAllStringSubmatch(read(t, "docs/protocol.md"), -1) {
		got = append(got, m[1])
	}
	if len(want) < 40 {
		t.Fatalf("only %d kinds found in the code", len(want))
	}
	same(t, "kinds of errors in protocol.md", got, want)
}

// TestMessages compares the messages' names and greatest payloads, and the bytes
// of a frame.
func TestMessages(t *testing.T) {
	doc := read(t, "docs/protocol.md")
	var want [][]string
	for _, m := range []message.Message{
		&message.Version{}, &message.VerAck{}, &message.Ping{}, &message.Pong{}, &message.GetAddr{}, &message.Addr{}, &message.AddrMe{}, &message.Inv{}, &message.GetShares{},
		&message.Shares{}, &message.NotFound{}, &message.GetLocator{}, &message.SetMode{},
		&message.CmpctShare{}, &message.GetShareTxn{}, &message.ShareTxn{}, &message.Block{},
	} {
		want = append(want, []string{m.Command(), grouped(uint64(m.MaxPayload()))})
	}
	var got [][]string
	for _, row := range table(t, doc, "Message") {
		got = append(got, row[:2])
	}
	compare(t, got, want)

	p, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	frame, err := message.AppendFrame(nil, p.Magic, &message.Ping{Nonce: 1})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "frame", block(t, doc, "hex frame"), hex.EncodeToString(frame))
	r := message.NewReader(bytes.NewReader(frame), p.Magic)
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
}
