package mining

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// testTx returns a transaction that differs for each n, with a witness for even n.
func testTx(n int) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{Index: uint32(n)}, []byte{0x51}, nil)
	if n%2 == 0 {
		in.Witness = wire.TxWitness{bytes.Repeat([]byte{byte(n)}, 20)}
	}
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(int64(n), []byte{0x51}))
	return tx
}

// testTemplate returns a valid template with n transactions of n sat fees each.
func testTemplate(tb testing.TB, n int) *Template {
	tb.Helper()
	t := &Template{
		Version: 0x20000000, PrevBlock: chainhash.Hash{1}, Height: 100, Bits: 0x207fffff,
		CurTime: 1_700_000_000, MinTime: 1_699_990_000, CoinbaseValue: 5_000_000_000,
		WeightLimit: DefaultWeightLimit, SigopLimit: DefaultSigopLimit,
	}
	for i := range n {
		tx := testTx(i)
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			tb.Fatal(err)
		}
		t.Txs = append(t.Txs, TemplateTx{
			Raw: raw.Bytes(), TxID: tx.TxHash(), WTxID: tx.WitnessHash(), Fee: int64(i), Sigops: 4,
			Weight: blockchain.GetTransactionWeight(btcutil.NewTx(tx)),
		})
		t.CoinbaseValue += int64(i)
	}
	return t
}

// TestCheck checks that a sound template passes and that each fault is found.
func TestCheck(t *testing.T) {
	other := testTx(77)
	var otherRaw bytes.Buffer
	if err := other.Serialize(&otherRaw); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		change func(*Template)
		want   string // part of the message, "" if the template stays valid
	}{
		{"sound", func(*Template) {}, ""},
		{"no transactions", func(t *Template) { t.Txs = nil }, ""},
		{"depends on an earlier one", func(t *Template) { t.Txs[2].Depends = []int{0, 1} }, ""},
		{"fees only", func(t *Template) { t.CoinbaseValue = t.Fees() }, ""},
		{"version", func(t *Template) { t.Version = 3 }, "version 3"},
		{"negative version", func(t *Template) { t.Version = -1 }, "version -1"},
		{"height 0", func(t *Template) { t.Height = 0 }, "height 0"},
		{"height above 2^31", func(t *Template) { t.Height = 1 << 31 }, "height"},
		{"no parent", func(t *Template) { t.PrevBlock = chainhash.Hash{} }, "no previous block"},
		{"bits zero", func(t *Template) { t.Bits = 0 }, "bits 00000000"},
		{"bits negative", func(t *Template) { t.Bits = 0x1d80ffff }, "bits"},
		{"bits overflow", func(t *Template) { t.Bits = 0xff7fffff }, "bits"},
		{"time", func(t *Template) { t.CurTime = t.MinTime - 1 }, "earliest allowed"},
		{"weight limit", func(t *Template) { t.WeightLimit = DefaultWeightLimit + 1 }, "weight limit"},
		{"sigop limit", func(t *Template) { t.SigopLimit = 0 }, "signature operation limit"},
		{"value below fees", func(t *Template) { t.CoinbaseValue = t.Fees() - 1 }, "coinbase value"},
		{"value above all money", func(t *Template) { t.CoinbaseValue = share.MaxMoney + 1 }, "coinbase value"},
		{"negative fee", func(t *Template) { t.Txs[1].Fee = -1 }, "fee of -1"},
		{"fees above all money", func(t *Template) {
			t.Txs[0].Fee, t.Txs[1].Fee = share.MaxMoney, 1
		}, "fees of more than"},
		{"sigops negative", func(t *Template) { t.Txs[1].Sigops = -1 }, "signature operations"},
		{"sigops above limit", func(t *Template) { t.SigopLimit = 11 }, "signature operations"},
		{"weight above limit", func(t *Template) { t.WeightLimit = t.Weight() - 1 }, "weigh"},
		{"wrong weight", func(t *Template) { t.Txs[0].Weight++ }, "weighs"},
		{"depends on itself", func(t *Template) { t.Txs[1].Depends = []int{1} }, "depends on transaction 1"},
		{"depends below 0", func(t *Template) { t.Txs[1].Depends = []int{-1} }, "depends on transaction -1"},
		{"other bytes", func(t *Template) { t.Txs[1].Raw = otherRaw.Bytes() }, "hash to"},
		{"wrong witness id", func(t *Template) { t.Txs[0].WTxID[0]++ }, "with witness"},
		{"trailing bytes", func(t *Template) { t.Txs[1].Raw = append(t.Txs[1].Raw, 0) }, "can't be read"},
		{"cut short", func(t *Template) { t.Txs[1].Raw = t.Txs[1].Raw[:20] }, "can't be read"},
		{"twice", func(t *Template) { t.Txs[2] = t.Txs[1] }, "appears twice"},
		{"too many", func(t *Template) { t.Txs = make([]TemplateTx, MaxTemplateTxs+1) }, "transactions, more"},
		{"too large", func(t *Template) { t.Txs[0].Raw = make([]byte, DefaultWeightLimit+1) }, "more than a block"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tmpl := testTemplate(t, 3)
			test.change(tmpl)
			err := tmpl.Check()
			switch {
			case test.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case test.want == "":
			case !errors.Is(err, ErrBadTemplate):
				t.Fatalf("got %v, want a bad template", err)
			case !strings.Contains(err.Error(), test.want):
				t.Fatalf("got %q, want it to say %q", err, test.want)
			}
		})
	}
}

// TestSums checks the totals over a template's transactions.
func TestSums(t *testing.T) {
	tmpl := testTemplate(t, 4)
	if got := tmpl.Fees(); got != 0+1+2+3 {
		t.Errorf("fees %d", got)
	}
	if got := tmpl.Subsidy(); got != 5_000_000_000 {
		t.Errorf("subsidy %d", got)
	}
	if got := tmpl.Sigops(); got != 4*4 {
		t.Errorf("sigops %d", got)
	}
	if !tmpl.HasWitness() {
		t.Error("no witness found")
	}
	tmpl.Txs = tmpl.Txs[1:2]
	if tmpl.HasWitness() {
		t.Error("a witness found where there is none")
	}
}

// TestMerkleBranchBlock100000 folds the branch of Bitcoin's block 100,000 into the
// merkle root of its header.
func TestMerkleBranchBlock100000(t *testing.T) {
	ids := make([]chainhash.Hash, 4)
	for i, s := range []string{
		"8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
		"fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
		"6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
		"e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
	} {
		h, err := chainhash.NewHashFromStr(s)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = *h
	}
	const want = "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"
	if got := share.MerkleRoot(ids[0], share.MerkleBranch(ids[1:])); got.String() != want {
		t.Fatalf("merkle root %v, want %s", got, want)
	}
}

// TestMerkleBranchAgainstBtcd compares branches of every small size, and some large
// ones, with btcd's merkle trees; the witness commitment likewise.
func TestMerkleBranchAgainstBtcd(t *testing.T) {
	sizes := []int{100, 255, 256, 257, 1000}
	for n := range 40 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			tmpl := testTemplate(t, n)
			before := tmpl.TxIDs()

			coinbase := wire.NewMsgTx(2)
			coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, []byte{1, 100}, nil))
			coinbase.AddTxOut(wire.NewTxOut(tmpl.CoinbaseValue, []byte{0x51}))
			txs := []*btcutil.Tx{btcutil.NewTx(coinbase)}
			for i := range n {
				txs = append(txs, btcutil.NewTx(testTx(i)))
			}

			branch := tmpl.MerkleBranch()
			if got, want := share.MerkleRoot(coinbase.TxHash(), branch), blockchain.CalcMerkleRoot(txs, false); got != want {
				t.Errorf("merkle root %v, want %v", got, want)
			}

			root := blockchain.CalcMerkleRoot(txs, true)
			want := chainhash.DoubleHashH(append(root[:], make([]byte, 32)...))
			if got := tmpl.WitnessCommitment(); got != want {
				t.Errorf("witness commitment %v, want %v", got, want)
			}
			for i, id := range tmpl.TxIDs() {
				if id != before[i] {
					t.Fatalf("id %d changed", i)
				}
			}
		})
	}
}

// FuzzTemplateTx checks that no transaction bytes make the check panic, and that what
// it accepts serializes to the same bytes.
func FuzzTemplateTx(f *testing.F) {
	for i := range 2 {
		f.Add(testTemplate(f, i+1).Txs[i].Raw)
	}
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		tmpl := testTemplate(t, 0)
		tx := TemplateTx{Raw: raw, WTxID: chainhash.DoubleHashH(raw)}
		var msg wire.MsgTx
		if err := msg.Deserialize(bytes.NewReader(raw)); err == nil {
			tx.TxID = msg.TxHash()
			tx.Weight = int64(msg.SerializeSizeStripped()*3 + len(raw))
		}
		tmpl.Txs = []TemplateTx{tx}
		if tmpl.Check() != nil {
			return
		}
		var out bytes.Buffer
		if err := msg.Serialize(&out); err != nil || !bytes.Equal(out.Bytes(), raw) {
			t.Fatalf("accepted %x, which serializes to %x (%v)", raw, out.Bytes(), err)
		}
	})
}

// BenchmarkCheck measures the check of a full block's template.
func BenchmarkCheck(b *testing.B) {
	tmpl := testTemplate(b, 4000)
	rand.Shuffle(len(tmpl.Txs), func(i, j int) { tmpl.Txs[i], tmpl.Txs[j] = tmpl.Txs[j], tmpl.Txs[i] })
	for b.Loop() {
		if err := tmpl.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerkleBranch measures the merkle branch over 4,000 transactions.
func BenchmarkMerkleBranch(b *testing.B) {
	ids := testTemplate(b, 4000).TxIDs()
	for b.Loop() {
		share.MerkleBranch(ids)
	}
}
