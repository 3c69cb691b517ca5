package share

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// tagged is BIP 340's tagged hash written as the BIP writes it.
func tagged(tag string, parts ...[]byte) chainhash.Hash {
	start := sha256.Sum256([]byte(tag))
	return sha256.Sum256(slices.Concat(append([][]byte{start[:], start[:]}, parts...)...))
}

// TestTaggedHashAnchors ties the tagged hash to the outside at both ends. Hashing
// the tag twice must leave SHA-256 in the states that libsecp256k1 publishes for
// BIP 340's own tags, and the challenges hashed so must verify the signatures of
// BIP 340's test vectors: s·G = R + e·P.
func TestTaggedHashAnchors(t *testing.T) {
	for tag, state := range map[string]string{
		"BIP0340/challenge": "9cecba112392538111679112d1627e0f97c87550003cc76590f6116433e9b66a",
		"BIP0340/aux":       "24dd32194eba7e70ca0fabb90fa3166d3afbe4b14c44df974aac2739249e850a",
	} {
		h := sha256.New()
		start := sha256.Sum256([]byte(tag))
		h.Write(start[:])
		h.Write(start[:])
		raw, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		// The encoded state is four bytes of magic and the eight words.
		if got := hex.EncodeToString(raw[4:36]); got != state {
			t.Errorf("%s: state %s, published %s", tag, got, state)
		}
	}
	for i, vector := range []struct{ key, message, signature string }{{
		"f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca821525f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0",
	}, {
		"dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
		"243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
		"6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de33418906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a",
	}, {
		"dd308afec5777e13121fa72b9cc1b7cc0139715309b086c960e18fd969774eb8",
		"7e2d58d8b3bcdf1abadec7829054f90dda9805aab56c77333024b9d0a508b75c",
		"5831aaeed7b44bb74e5eab94ba9d4294c49bcf2a60728d8b4c200f50dd313c1bab745879a5ad954a72c45a91c3a51d3c7adea98d82f8481e0e1e03674a6f3fb7",
	}} {
		key, message, signature := unhex(t, vector.key), unhex(t, vector.message), unhex(t, vector.signature)
		challenge := tagged("BIP0340/challenge", signature[:32], key, message)
		public, err := schnorr.ParsePubKey(key)
		if err != nil {
			t.Fatal(err)
		}
		var s, e btcec.ModNScalar
		s.SetByteSlice(signature[32:])
		e.SetByteSlice(challenge[:])
		e.Negate()
		var p, sG, eP, r btcec.JacobianPoint
		public.AsJacobian(&p)
		btcec.ScalarBaseMultNonConst(&s, &sG)
		btcec.ScalarMultNonConst(&e, &p, &eP)
		btcec.AddNonConst(&sG, &eP, &r)
		r.ToAffine()
		if got := r.X.Bytes(); !bytes.Equal(got[:], signature[:32]) || r.Y.IsOdd() {
			t.Errorf("BIP 340 vector %d does not verify with this challenge", i)
		}
	}
}

// TestCommitmentFollowsAnchors: the commitment is the anchored construction with
// the sharechain's tag.
func TestCommitmentFollowsAnchors(t *testing.T) {
	s, chainID := fullShare(), chainhash.Hash{42}
	if got, want := s.Data.Commitment(&chainID), tagged("p2pool/share", chainID[:], s.Data.appendData(nil)); got != want {
		t.Errorf("commitment %v, want %v", got, want)
	}
}
