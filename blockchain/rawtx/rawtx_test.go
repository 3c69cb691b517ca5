package rawtx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// bip143 is the signed transaction of BIP 143's first example: an input with a
// signature script and one with a witness.
const bip143 = "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f" +
	"00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be02" +
	"2040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc" +
	"89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb20600000000" +
	"1976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e" +
	"4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5" +
	"447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eeb" +
	"ee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000"

// genesisCoinbase is the coinbase of Bitcoin's first block.
const genesisCoinbase = "01000000010000000000000000000000000000000000000000000000000000000000000000" +
	"ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f" +
	"72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100" +
	"f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6" +
	"bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compareWithBtcd fails unless btcd reads the same transaction.
func compareWithBtcd(t testing.TB, raw []byte, tx Info) {
	t.Helper()
	var msg wire.MsgTx
	r := bytes.NewReader(raw)
	if err := msg.Deserialize(r); err != nil || r.Len() > 0 {
		t.Fatalf("btcd cannot read %x: %v, %d bytes are left", raw, err, r.Len())
	}
	if want := int64(3*msg.SerializeSizeStripped() + msg.SerializeSize()); tx.Weight != want {
		t.Errorf("weight %d, btcd says %d", tx.Weight, want)
	}
	if got, want := tx.TxID, msg.TxHash(); got != want {
		t.Errorf("id %v, btcd says %v", got, want)
	}
	if got, want := tx.WTxID, msg.WitnessHash(); got != want {
		t.Errorf("id with witness %v, btcd says %v", got, want)
	}
}

func TestParse(t *testing.T) {
	raw := unhex(t, genesisCoinbase)
	tx, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"; tx.TxID.String() != want || tx.WTxID != tx.TxID {
		t.Errorf("ids %v and %v, want %s", tx.TxID, tx.WTxID, want)
	}
	compareWithBtcd(t, raw, tx)
	raw = unhex(t, bip143)
	if tx, err = Parse(raw); err != nil {
		t.Fatal(err)
	}
	compareWithBtcd(t, raw, tx)
	if tx.WTxID != chainhash.DoubleHashH(raw) || tx.TxID == tx.WTxID {
		t.Error("the witness does not count")
	}
}

// TestNoTransaction cuts transactions at every offset, and breaks one rule each.
func TestNoTransaction(t *testing.T) {
	for _, text := range []string{genesisCoinbase, bip143} {
		raw := unhex(t, text)
		for n := range raw {
			refuseTx(t, raw[:n])
		}
		refuseTx(t, append(raw[:len(raw):len(raw)], 0))
	}
	const in = "0000000000000000000000000000000000000000000000000000000000000000" + "00000000"
	for name, text := range map[string]string{
		"no inputs":                    "02000000" + "00" + "01" + "0000000000000000" + "00" + "00000000",
		"superfluous witness":          "02000000" + "0001" + "01" + in + "00" + "ffffffff" + "00" + "00" + "00000000",
		"count not in its shortest":    "02000000" + "fd0100" + in + "00" + "ffffffff" + "00" + "00000000",
		"2^64-1 inputs":                "02000000" + "ffffffffffffffffff" + in + "00" + "ffffffff" + "00" + "00000000",
		"2^64-1 outputs":               "02000000" + "01" + in + "00" + "ffffffff" + "ffffffffffffffffff" + "00000000",
		"2^64-1 bytes of script":       "02000000" + "01" + in + "ffffffffffffffffff" + "ffffffff" + "00" + "00000000",
		"2^64-1 witness items":         "02000000" + "0001" + "01" + in + "00" + "ffffffff" + "00" + "ffffffffffffffffff" + "00000000",
		"2^64-1 bytes of witness":      "02000000" + "0001" + "01" + in + "00" + "ffffffff" + "00" + "01" + "ffffffffffffffffff" + "00000000",
		"2^64-1 inputs with witnesses": "02000000" + "0001" + "ffffffffffffffffff" + in + "00" + "ffffffff",
		"flag that nobody knows":       "02000000" + "0002" + "01" + in + "00" + "ffffffff" + "00" + "00" + "00000000",
	} {
		t.Run(name, func(t *testing.T) { refuseTx(t, unhex(t, text)) })
	}
}

func refuseTx(t *testing.T, raw []byte) {
	t.Helper()
	if _, err := Parse(raw); !errors.Is(err, ErrMalformed) {
		t.Errorf("%x: %v", raw, err)
	}
}

// FuzzParse compares with btcd's parser: what is accepted here is accepted
// there, with the same ids. (Not the other way round: btcd takes an empty witness.)
func FuzzParse(f *testing.F) {
	f.Add(unhex(f, genesisCoinbase))
	f.Add(unhex(f, bip143))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if tx, err := Parse(raw); err == nil {
			compareWithBtcd(t, raw, tx)
		}
	})
}
