package rpcserver

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

func testShare(t *testing.T) (*share.Share, *chainparams.Params) {
	t.Helper()
	params, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	payee, err := hex.DecodeString("0014751e76e8199196d454941c45d1b3a323f1433bd6")
	if err != nil {
		t.Fatal(err)
	}
	return &share.Share{
		Header: wire.BlockHeader{Version: 0x20000000, Timestamp: time.Unix(1_700_000_000, 0), Bits: 0x1d00ffff, Nonce: 5},
		Data: share.Data{
			Version: 1, Height: 42, Time: 1_700_000_001, Bits: 0x1d00ffff, Payee: payee, BitcoinHeight: 800_000,
			CoinbaseValue: 625_000_000, Class: share.Class144, Tag: []byte("tag\x1b"),
			Uncles: []chainhash.Hash{{1}},
		},
		Link:   share.NewLink(make([]byte, 64+3)),
		Branch: []chainhash.Hash{{2}},
	}, params
}

func TestDescribeShare(t *testing.T) {
	s, params := testShare(t)
	got := DescribeShare(s, params)
	if got.Hash != s.ID().String() || got.Bitcoin || got.Size*2 != len(got.Hex) || len(got.Commitment) != 64 {
		t.Errorf("got %+v", got)
	}
	d := got.Data
	if d.Address != "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" || d.Class != 144 || d.Bits != "1d00ffff" || d.ShareDifficulty != 1 ||
		d.Height != 42 || d.Tag != "7461671b" || len(d.Uncles) != 1 || d.CoinbaseValue != 625_000_000 {
		t.Errorf("data %+v", d)
	}
	if got.Link.Length != 67 || got.Link.Rest != "000000" || len(got.Link.State) != 64 {
		t.Errorf("link %+v", got.Link)
	}
	raw, err := hex.DecodeString(got.Hex)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := share.Decode(raw); err != nil || back.ID() != s.ID() {
		t.Errorf("the encoding does not decode to the share: %v", err)
	}
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%v, %s", err, text)
	}
}

func TestSummarizeShare(t *testing.T) {
	s, params := testShare(t)
	got := SummarizeShare(s, params)
	if got.Tag != "tag?" || got.Height != 42 || got.Uncles == nil || got.BitcoinHeight != 800_000 || got.Class != 144 {
		t.Errorf("got %+v", got)
	}
	// Every hash meets this one, and half of them regtest's Bitcoin target.
	regtest, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	s.Header.Bits, s.Data.Bits = 0x207fffff, 0x207fffff
	for nonce := range uint32(10_000) {
		s.Header.Nonce = nonce
		if SummarizeShare(s, regtest).Bitcoin {
			return
		}
	}
	t.Error("no share was a Bitcoin solution")
}

func TestDifficultyAndAddress(t *testing.T) {
	for bits, want := range map[uint32]float64{0x1d00ffff: 1, 0x1c00ffff: 256, 0: 0, 0x04923456: 0} {
		if got := Difficulty(bits); got != want {
			t.Errorf("Difficulty(%08x) = %v, want %v", bits, got, want)
		}
	}
	_, params := testShare(t)
	for _, script := range [][]byte{nil, {0x6a}, []byte("nonsense")} {
		if got := Address(script, params.Bitcoin); got != "" {
			t.Errorf("script %x has the address %q", script, got)
		}
	}
	if got := Printable("a\x00\x1b[2Jß~"); got != "a??[2J?~" {
		t.Errorf("Printable: %q", got)
	}
}
