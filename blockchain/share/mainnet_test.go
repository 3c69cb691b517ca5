package share

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unhexHashes(t testing.TB, list []string) []chainhash.Hash {
	t.Helper()
	var out []chainhash.Hash
	for _, s := range list {
		out = append(out, chainhash.Hash(unhex(t, s)))
	}
	return out
}

// block is what proves the coinbase of a block of Bitcoin's mainnet: its header,
// the coinbase without witness, and the coinbase's merkle branch. From the
// segwit blocks there are also the branch of the wtxid tree and the coinbase's
// witness.
type block struct {
	height        uint32
	hash          string // as displayed
	header        string
	coinbase      string
	branch        []string
	reserved      string
	witnessBranch []string
}

// mainnetBlocks were read out of the blocks that btcd carries for its own tests.
// Their hashes, which Bitcoin's proof of work backs, cover every byte here.
var mainnetBlocks = []block{{
	height: 100000, hash: "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506",
	header:   "0100000050120119172a610421a6c3011dd330d9df07b63616c2cc1f1cd00200000000006657a9252aacd5c0b2940996ecff952228c3067cc38d4885efb5a4ac4247e9f337221b4d4c86041b0f2b5710",
	coinbase: "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff08044c86041b020602ffffffff0100f2052a010000004341041b0e8c2567c12536aa13357b79a073dc4444acb83c4ec7a0e2f99dd7457516c5817242da796924ca4e99947d087fedf9ce467cb9f7c6287078f801df276fdf84ac00000000",
	branch: []string{
		"c40297f730dd7b5a99567eb8d27b78758f607507c52292d02d4031895b52f2ff",
		"49aef42d78e3e9999c9e6ec9e1dddd6cb880bf3b076a03be1318ca789089308e",
	},
}, {
	height: 277647, hash: "0000000000000000054a714e580b16c583701712ab91060e92dbde6eb1e052a8",
	header:   "0200000053e679859867227ce7365a95043041ec3946be2fab2668c80000000000000000c306afc96d3c0258c1952b53c660455e700451635d771fbe235cb08e2931ac36feccc0520ca303195d03ba96",
	coinbase: "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff53038f3c040400003d8b45124d696e656420627920425443204775696c642cfabe6d6d180ec2f9a5ff672bb0b3df6e14703defe4b6570194be38428122c0b001c5445b010000000000000008000008d700000dceffffffff014b424b95000000001976a91427a1f12771de5cc3b73941664b2537c15316be4388ac00000000",
	branch: []string{
		"d13b2b355e2ee2409ff60658165669ea9a6701cb68871ac02d588cbeea94e5d1",
		"ce942884ce161c622faee119b7b7ac0947f41a722e60555f90d675e270614236",
		"08efe8ac3436b4165800748b4fdb4b9d5b770a2cc550a0ff31045728601f25ff",
		"b902b31d8b2310e8b8cd0c5d54c0df9eb2aa7260ead268fcaf7cfe4889ba8fc2",
		"bc9740fae067b042c16cb2d404e33b505f47518974c5f21cce9a5e5f970f307d",
		"5c17fa21aa629c904ab742d32cafa3964b02e9163d0c236d2a80b7379d5f4da6",
		"1e0d4e80a2eeaacb7445d19831c32aee111a7781458f35095eae4a3033aea424",
		"16007c3cf351bc102bb58e4fc3f05734b6fbf2452d37cbe11928241db9febd83",
	},
}, {
	height: 540107, hash: "00000000000000000021868c2cefc52a480d173c849412fe81c4e5ab806f94ab",
	header:   "00000020a1d2b3b757ad55fa1c670f9f59372a2a26f1a85197711e00000000000000000070be58da7ef0a754ef5947910fa1bb0c19160d641cf212ae46ba53e0327233bc2367905b2dd729174c3ae2db",
	coinbase: "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4b03cb3d08042467905b642f4254432e434f4d2ffabe6d6d61ea3fdfc3d238e128fb27c97f95d4bd49881fcf8784fc34ae86bcb827505eba0100000000000000300f894eba58000000000000ffffffff03b203c64a0000000016001497cfc76442fe717f2a3f0cc9c175f7561b6619970000000000000000266a24aa21a9ed7c6e421f55cf406e383b46d829600dee545f127de76bb3ec4dc8fea7ea96d70900000000000000002952534b424c4f434b3ae3fc068128effed4a212959a1f8fde5d7caa01226071d40c530b99f90e099ed500000000",
	branch: []string{
		"e5976399fa0eaf6ca8e75fafed0ed991b788b0a7f091eeeef57d3bffdaf58606",
		"154af9121a3126dcc45a4b1e0fc11b0ace780b016dcb9ba55d9a6a60ba15353c",
		"6ffd8ba356efc66a431fa01084728a37911cb295535208429ff4dcb109c05d2e",
		"e8759477a555ba80193f8c38668cf3026aa84c70967dbcfac7e80ac46d1763ab",
		"87ced4711f04e46b4e32cf7cbb414773dcbba2d51e76e17fb98289a8127a3d8f",
		"beec0ca73021092632c1fa2438d965f5408cd45d8a249cc1c16c34ab02f10a10",
		"22672d82da0215c345042a4c70ac9f541dddd2c06c9a37372b2b4d19dfbaf63d",
		"7284cd177ae2b4e41956a535f3c23300f03ab1466057c432e0ba567208a8d7f8",
	},
	reserved: "0000000000000000000000000000000000000000000000000000000000000000",
	witnessBranch: []string{
		"e5976399fa0eaf6ca8e75fafed0ed991b788b0a7f091eeeef57d3bffdaf58606",
		"154af9121a3126dcc45a4b1e0fc11b0ace780b016dcb9ba55d9a6a60ba15353c",
		"6ffd8ba356efc66a431fa01084728a37911cb295535208429ff4dcb109c05d2e",
		"4b668c636d26433fdd3815fafb452a13c5da9b832d1c11f565c05d884a772c1e",
		"5074c2afe92e414c91b8e9d8b022a28a4076c094acaae276ff8c7e5fedb4b458",
		"694d1ab07cb8f97c1e4846e56dec01dce7fd0da4ee2875178b5915dc9fa66415",
		"b7e62a8805bda1fa43f4160386af7f245b1d44d429b79eb155415bf2e09f78ed",
		"b3c3f9ebde573b3b9de16d041d0cd2d8e9348b5d6e50d3f8b06f6182abd86751",
	},
}, {
	height: 574200, hash: "0000000000000000001602407ac49862a7bca9d00f7f402db20b7be2f5de59d2",
	header:   "0000002075aec137238bdabdc10d6cb80178ef9f6f3e5d869a891a000000000000000000529e3a982a92c01aa00100bbb97e1e20670433d1297b24e0de66a8889f5843735773ca5c114e2c170ef23499",
	coinbase: "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4b03f8c208044173ca5c662f4254432e434f4d2ffabe6d6d06ec30e7f6a7105653add8312ff758e919cbcfdb6905af82bd7bcddafddef189080000005fb54ad0037d055d2c15000000000000ffffffff02a1997d4d0000000016001497cfc76442fe717f2a3f0cc9c175f7561b6619970000000000000000266a24aa21a9ed26402ed52f8eee7114e8f5c57c79a7862371c7f0dbfe51e7152e67d36b14359300000000",
	branch: []string{
		"d1c806975407ef5bcbe0d6e9d418394d7376099b18c5d069bae247a6aeb60ba8",
		"006e543dd07acb44d75526d4d2e0813882ba4b759da6569496bd4e537876a53a",
		"1ab9d3d8c99ba0011501159f1fd8bdcc3ca57537a31804148eea59c7292d25ab",
		"2b932a18cfe3a6ee24e1abba41eb6d9583e456c09812c5632b06ea245dc7f89d",
		"80ac7b09f474e2853d629f661e8e3516dc3453e69c703239ca55bc22056d61ed",
		"fe810b2f5326b1357dcff6053f8d4a500609621ac146edfb2e8cbea095c9c2c1",
		"cd00f53ffb983ca3f8be99831589f0ecb79319d64b78cd83cec8a3a370f53093",
		"0aa84785ac388a3001ace825383f38ae96e56aa951fb3ab9462c10939b36a672",
		"2d35e70eaa175e3f2c43451b0f88a54bde127e30f87435857fe698580c36a379",
		"3f8e7e6cc4e6fc57b0b69064e44b8dedbb9cbb307c77ce91c9e2fdb76bd2434d",
		"e1dbb9b22f582807e5df1cc2ffcf0713f066f6f95aee77e9e0860bc7c5e02e66",
		"2185c524ec1a200271e506f7d1ae31d0ae7482f6955e7190c2308ad18c5aefba",
	},
	reserved: "0000000000000000000000000000000000000000000000000000000000000000",
	witnessBranch: []string{
		"58b9c3c531a4921179c674e3db81f93fb91d41f3551cdde9348810949333a973",
		"006e543dd07acb44d75526d4d2e0813882ba4b759da6569496bd4e537876a53a",
		"1ab9d3d8c99ba0011501159f1fd8bdcc3ca57537a31804148eea59c7292d25ab",
		"2b932a18cfe3a6ee24e1abba41eb6d9583e456c09812c5632b06ea245dc7f89d",
		"80ac7b09f474e2853d629f661e8e3516dc3453e69c703239ca55bc22056d61ed",
		"a4b073552c54e988e4cf496ffb8f8eb43581b16b00ba759cb92a287f13e45840",
		"fd56aa35b7d2b8a93ec23ec7a73be284bebaf28217f2efa059b6394ff6a8dea4",
		"3ceaccb5c3aeb0cb6810afd632740833d8b288c4445f500ad526859337f73e69",
		"2c1a2bc42599c9ba90eb4958e9758a135bede3747f9edcdea0b09be1cb6055ac",
		"026697a80a56eef4f7a684543075cf054282ecb6c14fa0c25e5cd2c525cace42",
		"5565551746aab504445e8c9903a3ed807b5a6702b363d64f83ab2a8e31ef1b02",
		"4afc325aee1eda88c5dd6cdd5d7ef001426845a2575f859e23e66bdc649dea27",
	},
}}

// parse returns header and coinbase of a block as btcd reads them.
func (b *block) parse(t *testing.T) (wire.BlockHeader, wire.MsgTx) {
	t.Helper()
	var header wire.BlockHeader
	var coinbase wire.MsgTx
	if err := header.Deserialize(bytes.NewReader(unhex(t, b.header))); err != nil {
		t.Fatal(err)
	}
	if err := coinbase.DeserializeNoWitness(bytes.NewReader(unhex(t, b.coinbase))); err != nil {
		t.Fatal(err)
	}
	return header, coinbase
}

// TestMainnetBlocks holds the header encoding, the ShareID, the proof of work
// and the climb from coinbase to merkle root against blocks of Bitcoin itself.
func TestMainnetBlocks(t *testing.T) {
	for _, b := range mainnetBlocks {
		header, _ := b.parse(t)
		if got := AppendHeader(nil, &header); !bytes.Equal(got, unhex(t, b.header)) {
			t.Errorf("block %d: header %x", b.height, got)
		}
		id := (&Share{Header: header}).ID()
		if id.String() != b.hash {
			t.Errorf("block %d: ID %v", b.height, id)
		}
		bits, err := target.FromCompact(header.Bits)
		if err != nil || !target.HashMeets(&id, &bits) {
			t.Errorf("block %d does not meet its bits %08x: %v", b.height, header.Bits, err)
		}
		txid := chainhash.DoubleHashH(unhex(t, b.coinbase))
		if got := MerkleRoot(txid, unhexHashes(t, b.branch)); got != header.MerkleRoot {
			t.Errorf("block %d: merkle root %v", b.height, got)
		}
	}
}

// TestMainnetGenesis does the same with the block that btcd starts from.
func TestMainnetGenesis(t *testing.T) {
	genesis := chaincfg.MainNetParams.GenesisBlock
	s := &Share{Header: genesis.Header}
	const want = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	if id := s.ID(); id.String() != want {
		t.Errorf("genesis has ID %v", id)
	}
	var coinbase bytes.Buffer
	if err := genesis.Transactions[0].SerializeNoWitness(&coinbase); err != nil {
		t.Fatal(err)
	}
	if got := MerkleRoot(chainhash.DoubleHashH(coinbase.Bytes()), nil); got != s.Header.MerkleRoot {
		t.Errorf("genesis has merkle root %v", got)
	}
}

// TestMainnetHeights: the coinbases of blocks since BIP 34 begin with the push
// of their height that ours begin with, and that of block 100,000 does not.
func TestMainnetHeights(t *testing.T) {
	for _, b := range mainnetBlocks {
		_, coinbase := b.parse(t)
		got := bytes.HasPrefix(coinbase.TxIn[0].SignatureScript, appendScriptNumber(nil, b.height))
		if want := b.height >= 227_931; got != want {
			t.Errorf("block %d begins with its height: %v, want %v", b.height, got, want)
		}
	}
}

// TestMainnetWitnessCommitments: the commitment of BIP 141 recomputed from the
// wtxid tree, whose leaf for the coinbase is zero, is that of the published
// coinbase, and the script of its output there has the very bytes that ours begins
// with.
func TestMainnetWitnessCommitments(t *testing.T) {
	for _, b := range mainnetBlocks {
		if b.reserved == "" {
			continue
		}
		root := MerkleRoot(chainhash.Hash{}, unhexHashes(t, b.witnessBranch))
		commitment := chainhash.DoubleHashB(append(root[:], unhex(t, b.reserved)...))
		_, coinbase := b.parse(t)
		published, ok := blockchain.ExtractWitnessCommitment(btcutil.NewTx(&coinbase))
		if !ok || !bytes.Equal(commitment, published) {
			t.Fatalf("block %d: commitment %x, published %x", b.height, commitment, published)
		}
		s := fullShare()
		s.Data.WitnessCommitment = commitment
		var ours wire.MsgTx
		if err := ours.DeserializeNoWitness(bytes.NewReader(s.Coinbase(&chainhash.Hash{}, 1, nil))); err != nil {
			t.Fatal(err)
		}
		last := ours.TxOut[len(ours.TxOut)-1]
		if !slices.ContainsFunc(coinbase.TxOut, func(out *wire.TxOut) bool {
			return out.Value == last.Value && bytes.HasPrefix(last.PkScript, out.PkScript)
		}) {
			t.Errorf("block %d has no output like ours, %x", b.height, last.PkScript)
		}
	}
}
