package bitcoind

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// bigTemplate returns a reply with n transactions of 500 bytes, most of it witness.
func bigTemplate(tb testing.TB, n int) []byte {
	tb.Helper()
	b := []byte(`{"version":536870912,"rules":["csv","!segwit"],"vbrequired":0,"previousblockhash":"` +
		chainhash.Hash{1}.String() + `","coinbasevalue":5000000000,"longpollid":"x","mintime":1,"curtime":1700000000,` +
		`"sigoplimit":80000,"weightlimit":4000000,"bits":"207fffff","height":103,"transactions":[`)
	for i := range n {
		tx := wire.NewMsgTx(2)
		var prev chainhash.Hash
		binary.LittleEndian.PutUint64(prev[:], uint64(i+1))
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&prev, 0), nil, wire.TxWitness{bytes.Repeat([]byte{byte(i)}, 350)}))
		tx.AddTxOut(wire.NewTxOut(1000, bytes.Repeat([]byte{0x51}, 60)))
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			tb.Fatal(err)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"data":"%s","txid":"%v","hash":"%v","depends":[],"fee":1000,"sigops":4,"weight":%d}`,
			hex.EncodeToString(raw.Bytes()), tx.TxHash(), tx.WitnessHash(), 3*tx.SerializeSizeStripped()+tx.SerializeSize())
	}
	return append(b, `]}`...)
}

// BenchmarkParseTemplate reads and checks a template of 4,000 transactions and 2 MB.
// "floor" is what cannot be spared, on one core: the hex digits turned into bytes, and
// those hashed with and without the witness.
func BenchmarkParseTemplate(b *testing.B) {
	raw := bigTemplate(b, 4000)
	c := parser(b)
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			t, err := c.parseTemplate(raw, time.Time{})
			if err != nil || len(t.Txs) != 4000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		t, err := c.parseTemplate(raw, time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		benchFloor(b, t)
	})
}
