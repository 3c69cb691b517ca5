package share

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

// TestLinkResumes: for prefixes of every length within four blocks, and the longest,
// the hash that goes on from the link is that of the whole.
func TestLinkResumes(t *testing.T) {
	rng := rand.New(rand.NewPCG(344, 1))
	lengths := []int{MaxCoinbasePrefix - 64, MaxCoinbasePrefix - 1, MaxCoinbasePrefix}
	for n := MinCoinbasePrefix; n <= MinCoinbasePrefix+4*64; n++ {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		b := make([]byte, n+coinbaseEndSize)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		prefix, commitment := b[:n], chainhash.Hash(b[n:])
		extranonce, lockTime := [ExtranonceSize]byte(b[n+32:]), binary.LittleEndian.Uint32(b[n+44:])
		l := NewLink(prefix)
		if err := l.check(); err != nil || int(l.Length) != n || len(l.Rest) != n%64 || !l.Matches(prefix) {
			t.Fatalf("%d bytes: link %+v: %v", n, l, err)
		}
		if got, want := l.TxID(&commitment, &extranonce, lockTime), chainhash.DoubleHashH(b); got != want {
			t.Fatalf("%d bytes hash to %v, going on from the link to %v", n, want, got)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			other := bytes.Clone(prefix)
			other[at] ^= 1
			if l.Matches(other) {
				t.Fatalf("%d bytes: the link matches though byte %d is another", n, at)
			}
		}
		if l.Matches(prefix[:n-1]) || l.Matches(append(bytes.Clone(prefix), 0)) {
			t.Fatalf("%d bytes: the link matches another length", n)
		}
	}
}

// TestLinkState pins the form of the state: after a whole block it is the one that
// libsecp256k1 publishes for the start of BIP 340's challenge.
func TestLinkState(t *testing.T) {
	tag := unhex(t, "7bb52d7a9fef58323eb1bf7a407db382d2f3f2d81bb1224f49fe518f6d48d37c") // SHA-256 of "BIP0340/challenge"
	l := NewLink(append(append(bytes.Clone(tag), tag...), "rest"...))
	if got := hex.EncodeToString(l.State[:]); got != "9cecba112392538111679112d1627e0f97c87550003cc76590f6116433e9b66a" || string(l.Rest) != "rest" {
		t.Errorf("state %s, rest %q", got, l.Rest)
	}
}

// minedShare returns a share with proof of work for 65,536 hashes.
func minedShare(t *testing.T, chainID *chainhash.Hash) *Share {
	t.Helper()
	s := fullShare()
	s.Data.Bits = 0x1f00ffff
	s.SetCoinbase(chainID, 100, []Payout{{Script: p2pkh, Amount: 900}})
	solve(t, s)
	return s
}

func solve(t *testing.T, s *Share) {
	t.Helper()
	limit, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		t.Fatal(err)
	}
	for id := s.ID(); !target.HashMeets(&id, &limit); id = s.ID() {
		s.Header.Nonce++
	}
}

// TestSanityCoversEveryByte flips every bit of a share's encoding. Nothing but the
// share itself may be sane under its ShareID.
func TestSanityCoversEveryByte(t *testing.T) {
	chainID := chainhash.Hash{42}
	s := minedShare(t, &chainID)
	if _, err := s.CheckSanity(&chainID); err != nil {
		t.Fatal(err)
	}
	b := s.Encode()
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if other, err := Decode(b); err == nil {
				if _, err := other.CheckSanity(&chainID); err == nil {
					t.Errorf("sane with bit %d of byte %d flipped", bit, i)
				} else if i >= headerSize && !slices.Contains([]ErrorKind{ErrMerkleRoot, ErrProofOfWork, ErrBits}, err.(RuleError).Kind) {
					t.Errorf("byte %d: %v", i, err)
				}
			}
			b[i] ^= 1 << bit
		}
	}
	for i := 1; i < len(s.Branch); i++ {
		short := *s
		short.Branch = s.Branch[:i]
		if _, err := short.CheckSanity(&chainID); !errors.Is(err, ErrMerkleRoot) {
			t.Errorf("branch of %d: %v", i, err)
		}
	}
	if _, err := s.CheckSanity(&chainhash.Hash{43}); !errors.Is(err, ErrMerkleRoot) {
		t.Errorf("on another sharechain: %v", err)
	}
}

// foreign returns header, coinbase and branch of a block of Bitcoin's mainnet.
func foreign(t *testing.T, b *block) (wire.BlockHeader, []byte, []chainhash.Hash) {
	t.Helper()
	header, _ := b.parse(t)
	return header, unhex(t, b.coinbase), unhexHashes(t, b.branch)
}

// TestForeignHeader: the proof of work of an old Bitcoin block, much more than any
// share has, counts for no share. Its coinbase has a link like all others and leads
// to its merkle root, but not with a commitment to the data.
func TestForeignHeader(t *testing.T) {
	check := func(name string, header wire.BlockHeader, coinbase []byte, branch []chainhash.Hash) {
		n := len(coinbase) - coinbaseEndSize
		s := &Share{Header: header, Data: fullShare().Data, Extranonce: [ExtranonceSize]byte(coinbase[n+32:]), Branch: branch}
		s.Data.Bits, s.Data.BitcoinHeight = 0x1d00ffff, binary.LittleEndian.Uint32(coinbase[n+44:])+1
		s.Link = NewLink(coinbase[:n])
		commitment := chainhash.Hash(coinbase[n:])
		if MerkleRoot(s.Link.TxID(&commitment, &s.Extranonce, s.Data.LockTime()), branch) != header.MerkleRoot {
			t.Fatalf("%s: the link does not lead to the merkle root", name)
		}
		if _, err := s.CheckSanity(&chainhash.Hash{}); !errors.Is(err, ErrMerkleRoot) {
			t.Errorf("%s is a share: %v", name, err)
		}
	}
	genesis := chaincfg.MainNetParams.GenesisBlock
	var coinbase bytes.Buffer
	if err := genesis.Transactions[0].SerializeNoWitness(&coinbase); err != nil {
		t.Fatal(err)
	}
	check("the genesis block", genesis.Header, coinbase.Bytes(), nil)
	for i := range mainnetBlocks {
		header, coinbase, branch := foreign(t, &mainnetBlocks[i])
		check(mainnetBlocks[i].hash, header, coinbase, branch)
	}
}

// TestInnerNodeIsNoCoinbase: the two hashes that an inner node of a merkle tree is
// made of, 64 bytes, cannot be passed off as a coinbase with a shorter branch.
func TestInnerNodeIsNoCoinbase(t *testing.T) {
	s := minedShare(t, &chainhash.Hash{})
	s.Link = Link{Length: 64 - coinbaseEndSize, Rest: make([]byte, 64-coinbaseEndSize)}
	s.SetMerkleRoot(&chainhash.Hash{})
	solve(t, s)
	if _, err := s.CheckSanity(&chainhash.Hash{}); !errors.Is(err, ErrLink) {
		t.Error(err)
	}
	if _, err := Decode(s.Encode()); !errors.Is(err, ErrLink) {
		t.Error(err)
	}
}

func TestLinkBounds(t *testing.T) {
	for _, c := range []struct {
		length uint32
		rest   int
		kind   error
	}{
		{0, 0, ErrLink}, {63, 63, ErrLink}, {64, 0, nil}, {64, 1, ErrLink}, {65, 1, nil}, {65, 0, ErrLink}, {127, 63, nil},
		{128, 64, ErrLink}, {MaxCoinbasePrefix, MaxCoinbasePrefix % 64, nil}, {MaxCoinbasePrefix + 1, (MaxCoinbasePrefix + 1) % 64, ErrLink},
		{1<<32 - 1, 63, ErrLink},
	} {
		s := fullShare()
		s.Link.Length, s.Link.Rest = c.length, make([]byte, c.rest)
		s.SetMerkleRoot(&chainhash.Hash{}) // must not panic, whatever the link
		if _, err := s.CheckSanity(&chainhash.Hash{}); !errors.Is(err, c.kind) {
			t.Errorf("length %d, rest %d: %v, want %v", c.length, c.rest, err, c.kind)
		}
	}
}

// TestLongestPrefix: the bound of the link is reached, and by nothing exceeded.
func TestLongestPrefix(t *testing.T) {
	for _, class := range Classes() {
		d := fullShare().Data
		d.BitcoinHeight = 1<<32 - 1
		payouts := make([]Payout, class.Outputs())
		for i := range payouts {
			payouts[i].Script = p2tr
		}
		n := len(d.AppendCoinbasePrefix(nil, 1, payouts))
		if n > MaxCoinbasePrefix || class == Class1152 && n != MaxCoinbasePrefix {
			t.Errorf("class %v: %d bytes, the bound is %d", class, n, MaxCoinbasePrefix)
		}
	}
	least := Data{BitcoinHeight: 1, Payee: p2wpkh}
	if n := len(least.AppendCoinbasePrefix(nil, 1, nil)); n != 91 {
		t.Errorf("the shortest has %d bytes", n)
	}
}

func TestCheckPayouts(t *testing.T) {
	s, chainID := fullShare(), chainhash.Hash{42}
	payouts := []Payout{{Script: p2pkh, Amount: 900}}
	s.SetCoinbase(&chainID, 100, payouts)
	if got, want := s.Header.MerkleRoot, MerkleRoot(chainhash.DoubleHashH(s.Coinbase(&chainID, 100, payouts)), s.Branch); got != want {
		t.Errorf("merkle root %v, of the coinbase %v", got, want)
	}
	prefix := s.Data.AppendCoinbasePrefix(nil, 100, payouts)
	if err := s.CheckPayouts(prefix); err != nil {
		t.Error(err)
	}
	for name, other := range map[string][]byte{
		"another amount":     s.Data.AppendCoinbasePrefix(nil, 101, payouts),
		"another payee":      s.Data.AppendCoinbasePrefix(nil, 100, []Payout{{Script: p2sh, Amount: 900}}),
		"one output more":    s.Data.AppendCoinbasePrefix(nil, 100, append(payouts, payouts...)),
		"nobody but finders": s.Data.AppendCoinbasePrefix(nil, 100, nil),
	} {
		if err := s.CheckPayouts(other); !errors.Is(err, ErrPayouts) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkCheckSanity(b *testing.B) {
	s := fullShare()
	s.Header.Timestamp = time.Unix(1, 0)
	s.SetCoinbase(&zeroHash, 1, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.CheckSanity(&zeroHash); err != nil {
			b.Fatal(err)
		}
	}
}
