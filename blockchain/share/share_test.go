package share

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"
)

var (
	p2wpkh = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{7}, 20)...)
	p2tr   = append([]byte{0x51, 0x20}, bytes.Repeat([]byte{9}, 32)...)
	p2pkh  = append(append([]byte{0x76, 0xa9, 0x14}, bytes.Repeat([]byte{1}, 20)...), 0x88, 0xac)
	p2sh   = append(append([]byte{0xa9, 0x14}, bytes.Repeat([]byte{2}, 20)...), 0x87)
	p2wsh  = append([]byte{0x00, 0x20}, bytes.Repeat([]byte{3}, 32)...)
)

// fullShare returns a share with every field in use and at its bound. Its bits
// are met by almost every hash.
func fullShare() *Share {
	s := &Share{
		Header: wire.BlockHeader{Version: 0x20000000, Timestamp: time.Unix(1_700_000_000, 0), Bits: 0x207fffff},
		Data: Data{
			Version: Version, Previous: chainhash.Hash{1}, Height: 5, Time: 1_700_000_001, Bits: 0x2100ffff,
			Anchor: 1_600_000_000, Count: 7, Work: *new(uint256.Uint256).SetByteSlice(bytes.Repeat([]byte{0xee}, MaxWorkBits/8)),
			Uncles: []chainhash.Hash{{1}, {2}, {3}}, Payee: p2tr, BitcoinHeight: 900_000, CoinbaseValue: 312_500_000,
			Class: Class144, Tag: []byte("p2p!"), WitnessCommitment: bytes.Repeat([]byte{4}, WitnessCommitmentSize),
			MergedMining: bytes.Repeat([]byte{5}, MergedMiningSize),
		},
		Extranonce: [ExtranonceSize]byte{1, 2, 3},
		// The longest that leaves as many bytes behind its blocks as can be.
		Link: NewLink(make([]byte, MaxCoinbasePrefix&^63-1)),
	}
	for i := range MaxBranch {
		s.Branch = append(s.Branch, chainhash.Hash{byte(i + 1)})
	}
	return s
}

// shortShare returns a share without anything that may be absent.
func shortShare() *Share {
	return &Share{Header: fullShare().Header, Data: Data{Version: Version, Payee: p2wpkh}, Link: NewLink(make([]byte, MinCoinbasePrefix))}
}

func TestEncodeRoundTrip(t *testing.T) {
	for _, s := range []*Share{fullShare(), shortShare()} {
		b := s.Encode()
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), b) || got.ID() != s.ID() {
			t.Errorf("share changed on its way: %+v", got)
		}
	}
}

func TestMaxEncodedSize(t *testing.T) {
	s := fullShare()
	// The longest tag and the merged-mining field exclude each other, so the
	// bound is a little above what any share reaches.
	if n := len(s.Encode()); n != MaxEncodedSize-(MaxTag-MaxTagMerged) {
		t.Errorf("longest merged-mined share has %d bytes, MaxEncodedSize is %d", n, MaxEncodedSize)
	}
}

func TestDecodeTruncatedAnywhere(t *testing.T) {
	b := fullShare().Encode()
	for n := range b {
		if _, err := Decode(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d of %d: %v, want ErrTruncated", n, len(b), err)
		}
	}
	if _, err := Decode(append(bytes.Clone(b), 0)); !errors.Is(err, ErrTrailingBytes) {
		t.Errorf("one byte too many: %v, want ErrTrailingBytes", err)
	}
	if _, err := Decode(make([]byte, MaxEncodedSize+1)); !errors.Is(err, ErrTrailingBytes) {
		t.Errorf("far too long: %v, want ErrTrailingBytes", err)
	}
}

func TestDecodeRefusesWhatSanityRefuses(t *testing.T) {
	for _, spoil := range []func(*Share){
		func(s *Share) { s.Data.Version = 9 },
		func(s *Share) { s.Data.Payee = []byte{1} },
		func(s *Share) { s.Data.Uncles = append(s.Data.Uncles, chainhash.Hash{4}) },
		func(s *Share) { s.Data.CoinbaseValue = -1 },
		func(s *Share) { s.Branch = append(s.Branch, chainhash.Hash{}) },
		func(s *Share) { s.Data.Tag = make([]byte, 17) },
		func(s *Share) { s.Link.Length = MinCoinbasePrefix - 1 },
		func(s *Share) { s.Link.Length += 64 },
		func(s *Share) { s.Link.Rest = s.Link.Rest[1:] },
	} {
		s := fullShare()
		spoil(s)
		if _, err := Decode(s.Encode()); err == nil {
			t.Errorf("decoded %+v", s.Data)
		}
	}
}

func TestPayeeForms(t *testing.T) {
	for _, script := range [][]byte{p2pkh, p2sh, p2wpkh, p2wsh, p2tr} {
		if err := CheckPayee(script); err != nil {
			t.Errorf("%x: %v", script, err)
		}
		if err := CheckPayee(script[:len(script)-1]); !errors.Is(err, ErrPayee) {
			t.Errorf("%x cut short: %v", script, err)
		}
	}
}

func TestClasses(t *testing.T) {
	for _, c := range Classes() {
		if got, err := ParseClass(c.String()); err != nil || got != c {
			t.Errorf("class %v: %v, %v", c, got, err)
		}
	}
	if _, err := ParseClass("13"); err == nil || !strings.Contains(err.Error(), "144") {
		t.Errorf("class 13: error %v does not name the choices", err)
	}
	if Class(200).Outputs() != 0 {
		t.Error("an invalid class has outputs")
	}
}

// TestEncodingVector pins the byte layout that docs/protocol.md describes.
func TestEncodingVector(t *testing.T) {
	s := &Share{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: chainhash.Hash{0xaa}, MerkleRoot: chainhash.Hash{0xbb},
			Timestamp: time.Unix(0x65432100, 0), Bits: 0x1d00ffff, Nonce: 0x01020304,
		},
		Data: Data{
			Version: 1, Previous: chainhash.Hash{0xcc}, Uncles: []chainhash.Hash{{0xdd}}, Height: 7,
			Time: 0x65432101, Bits: 0x1d00ffff, Anchor: 0x65000000, Count: 9, Work: *new(uint256.Uint256).SetUint64(0x0a0b0c), Payee: p2wpkh, BitcoinHeight: 800_000,
			CoinbaseValue: 625_000_000, Class: Class36, Tag: []byte("hi"),
		},
		Extranonce: [ExtranonceSize]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		Link:       Link{State: [32]byte{0xab, 31: 0xcd}, Length: 0x0143, Rest: []byte{7, 8, 9}},
		Branch:     []chainhash.Hash{{0xee}},
	}
	zeros := strings.Repeat("00", 31)
	want := strings.Join([]string{
		"00000020", "aa" + zeros, "bb" + zeros, "00214365", "ffff001d", "04030201", // header
		"01000000", "cc" + zeros, "01", "dd" + zeros, "07000000", "01214365", "ffff001d", // version … bits
		"00000065", "09000000", "0c0b0a" + strings.Repeat("00", 13), // anchor, count, work
		"16" + hex.EncodeToString(p2wpkh), "00350c00", "40be402500000000", "01", // payee … class
		"026869", "00", "00", // tag, no witness commitment, no merged mining
		"000102030405060708090a0b",                                   // extranonce
		"ab" + strings.Repeat("00", 30) + "cd", "43010000", "070809", // link
		"01", "ee" + zeros, // branch
	}, "")
	if got := hex.EncodeToString(s.Encode()); got != want {
		t.Errorf("encoding\n%s, want\n%s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(fullShare().Encode())
	f.Add(shortShare().Encode())
	f.Add((&Share{Data: Data{Version: Version, Payee: p2wpkh}}).Encode()) // without a link
	f.Add(append(shortShare().Encode(), 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			if _, isRule := errors.AsType[RuleError](err); !isRule {
				t.Fatalf("%v is no RuleError", err)
			}
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("two encodings of one share")
		}
		s.CheckSanity(&chainhash.Hash{}) //nolint:errcheck // must not panic, whatever it says
		s.Coinbase(&chainhash.Hash{}, 1, nil)
	})
}

func TestDecodeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := fullShare()
		s.Data.Uncles = s.Data.Uncles[:rapid.IntRange(0, MaxUncles).Draw(t, "uncles")]
		s.Branch = s.Branch[:rapid.IntRange(0, MaxBranch).Draw(t, "branch")]
		s.Data.Payee = rapid.SampledFrom([][]byte{p2pkh, p2sh, p2wpkh, p2wsh, p2tr}).Draw(t, "payee")
		s.Data.Height = rapid.Uint32().Draw(t, "height")
		s.Data.Tag = rapid.SliceOfN(rapid.Byte(), 0, MaxTagMerged).Draw(t, "tag")
		s.Link = NewLink(make([]byte, rapid.IntRange(MinCoinbasePrefix, MaxCoinbasePrefix).Draw(t, "prefix")))
		if rapid.Bool().Draw(t, "no merged mining") {
			s.Data.MergedMining = nil
		}
		got, err := Decode(s.Encode())
		if err != nil || !bytes.Equal(got.Encode(), s.Encode()) {
			t.Fatalf("%v", err)
		}
	})
}
