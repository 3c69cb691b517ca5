package blockchain_test

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// formRules are the bounds of a share's fields and encoding.
func formRules() []ruleCase {
	data := func(kind blockchain.ErrorKind, name string, inside, outside func(d *share.Data)) ruleCase {
		return ruleCase{kind, name, valid(edit(inside)), broken(edit(outside))}
	}
	nothing := func(*share.Data) {}
	merged := func(tag int) func(d *share.Data) {
		return func(d *share.Data) {
			d.MergedMining, d.Tag = make([]byte, share.MergedMiningSize), make([]byte, tag)
		}
	}
	tag := func(n int) func(d *share.Data) { return func(d *share.Data) { d.Tag = make([]byte, n) } }
	value := func(sat int64) func(d *share.Data) { return func(d *share.Data) { d.CoinbaseValue = sat } }
	payee := func(script ...byte) func(d *share.Data) { return func(d *share.Data) { d.Payee = script } }
	commitment := func(n int) func(d *share.Data) {
		return func(d *share.Data) { d.WitnessCommitment = make([]byte, n) }
	}
	return []ruleCase{
		{share.ErrTruncated, "", decodes(0, nil), decodeFails(1, nil)},
		{share.ErrTrailingBytes, "", decodes(0, nil), decodeFails(0, []byte{0})},
		{share.ErrTrailingBytes, "longer than any", decodes(0, nil), decodeFails(0, make([]byte, share.MaxEncodedSize))},
		data(share.ErrVersion, "old", nothing, func(d *share.Data) { d.Version = 0 }),
		data(share.ErrVersion, "new", nothing, func(d *share.Data) { d.Version = 2 }),
		{share.ErrTooManyUncles, "", threeUncles, broken(edit(func(d *share.Data) { d.Uncles = hashes4() }))},
		{share.ErrUncleOrder, "descending", threeUncles, broken(edit(func(d *share.Data) { d.Uncles = []chainhash.Hash{{2}, {1}} }))},
		{share.ErrUncleOrder, "equal", threeUncles, broken(edit(func(d *share.Data) { d.Uncles = []chainhash.Hash{{1}, {1}} }))},
		data(share.ErrPayee, "none", payee(p2wsh()...), payee()),
		data(share.ErrPayee, "witness version 2", payee(taproot(1)...), func(d *share.Data) { d.Payee = taproot(1); d.Payee[0] = 0x52 }),
		data(share.ErrPayee, "a byte short", payee(taproot(1)...), payee(taproot(1)[:33]...)),
		data(share.ErrPayee, "data carrier", payee(chaingen.Script(1)...), payee(0x6a, 1, 1)),
		data(share.ErrCoinbaseValue, "negative", value(0), value(-1)),
		data(share.ErrCoinbaseValue, "above all money", value(share.MaxMoney), value(share.MaxMoney+1)),
		{share.ErrClass, "", valid(chaingen.Class(share.Class1152)), broken(chaingen.Class(share.Class1152 + 1))},
		{share.ErrWork, "", rootIsValid(edit(claims(share.MaxWorkBits, -1))), broken(edit(claims(share.MaxWorkBits, 0)))},
		data(share.ErrTag, "alone", tag(share.MaxTag), tag(share.MaxTag+1)),
		data(share.ErrTag, "beside merged mining", merged(share.MaxTagMerged), merged(share.MaxTagMerged+1)),
		data(share.ErrWitnessCommitment, "absent or whole", commitment(0), commitment(share.WitnessCommitmentSize-1)),
		data(share.ErrWitnessCommitment, "too long", commitment(share.WitnessCommitmentSize), commitment(share.WitnessCommitmentSize+1)),
		data(share.ErrMergedMining, "too short", merged(0), func(d *share.Data) { d.MergedMining = make([]byte, share.MergedMiningSize-1) }),
		data(share.ErrMergedMining, "too long", nothing, func(d *share.Data) { d.MergedMining = make([]byte, share.MergedMiningSize+1) }),
		{share.ErrBranch, "", branchIsValid(share.MaxBranch), branchIsBroken(share.MaxBranch + 1)},
		{share.ErrBits, "zero", valid(), broken(chaingen.Bits(0))},
		{share.ErrBits, "negative", valid(), broken(chaingen.Bits(0x20ffffff))},
		{share.ErrBits, "above 256 bits", valid(), broken(chaingen.Bits(0x23000001))},
		{share.ErrProofOfWork, "", valid(), powIsBroken},
		{share.ErrMerkleRoot, "another root", valid(), broken(chaingen.Header(func(h *wire.BlockHeader) { h.MerkleRoot[0]++ }))},
		{share.ErrMerkleRoot, "another pool's", valid(), otherPool},
		{share.ErrLink, "too short", linkIsValid, linkIsBroken(share.MinCoinbasePrefix - 1)},
		{share.ErrLink, "too long", linkIsValid, linkIsBroken(share.MaxCoinbasePrefix + 1)},
		{share.ErrLink, "rest of another length", linkIsValid, linkIsBroken(share.MinCoinbasePrefix)},
		{share.ErrPayouts, "everything for the finder", firstTakesAll, thief},
		{share.ErrPayouts, "a satoshi for the finder", valid(), broken(chaingen.Payouts(takeSatoshi))},
	}
}

func p2wsh() []byte { return append([]byte{0x00, 0x20}, make([]byte, 32)...) }

func hashes4() []chainhash.Hash { return []chainhash.Hash{{1}, {2}, {3}, {4}} }

// claims states a work of 2^bits + add.
func claims(bits uint32, add int) func(d *share.Data) {
	return func(d *share.Data) {
		d.Work = *new(uint256.Uint256).SetUint64(1).Lsh(bits)
		if add < 0 {
			one := new(uint256.Uint256).SetUint64(uint64(-add))
			d.Work.Sub(one)
		}
	}
}

// decodes takes an encoding with that many bytes off and others on.
func decodes(off int, on []byte) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		b := t.Share("a").Encode()
		if _, err := share.Decode(append(b[:len(b)-off:len(b)-off], on...)); err != nil {
			t.Fatal(err)
		}
	}
}

func decodeFails(off int, on []byte) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error {
		b := t.Share("a").Encode()
		_, err := share.Decode(append(b[:len(b)-off:len(b)-off], on...))
		return err
	}
}

// threeUncles references as many as are allowed.
func threeUncles(t *test) {
	t.T.Helper()
	names := []string{"u", "v", "w"}
	for i, name := range names {
		t.Next(name, "g", chaingen.Payee(i+1))
		t.accept(name)
	}
	valid(chaingen.Uncles(names...))(t)
}

func branchIsValid(hashes int) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		s := clone(t.Next("long branch", "a").Share)
		s.Branch = make([]chainhash.Hash, hashes)
		rebuild(t.chain, t.Generator, s)
		if _, err := t.chain.Accept(s, t.now); err != nil {
			t.Fatal(err)
		}
	}
}

func branchIsBroken(hashes int) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error {
		s := clone(t.Next("longer branch", "a").Share)
		s.Branch = make([]chainhash.Hash, hashes)
		rebuild(t.chain, t.Generator, s)
		_, err := t.chain.Accept(s, t.now)
		return err
	}
}

// powIsBroken is a share whose nonce does not meet its bits.
func powIsBroken(t *test, _ blockchain.ErrorKind) error {
	s := clone(t.Next("no work", "a").Share)
	for {
		s.Header.Nonce++
		if _, err := s.CheckSanity(&t.Params.ChainID); err != nil {
			_, err = t.chain.Accept(s, t.now)
			return err
		}
	}
}

// linkIsValid is a share whose link is of a coinbase that it does not show.
func linkIsValid(t *test) {
	t.T.Helper()
	s := clone(t.Share("a").Share)
	if _, err := s.CheckSanity(&t.Params.ChainID); err != nil || len(s.Link.Rest) == 0 {
		t.Fatal(err, s.Link)
	}
}

// linkIsBroken is a share whose link states another length.
func linkIsBroken(length uint32) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, _ blockchain.ErrorKind) error {
		s := clone(t.Share("a").Share)
		s.Link.Length = length
		seal(t.Generator, s)
		_, err := s.CheckSanity(&t.Params.ChainID)
		return err
	}
}

func takeSatoshi(r *payout.Result) {
	r.Finder++
	r.Payouts[0].Amount--
}

// firstTakesAll is the share that has nobody to pay but its own payee.
func firstTakesAll(t *test) {
	t.T.Helper()
	s := t.Next("another first", "")
	all := s.Data.AppendCoinbasePrefix(nil, chaingen.CoinbaseValue, nil)
	if err := s.CheckPayouts(all); err != nil {
		t.Fatal(err)
	}
	t.accept("another first")
}

// thief is a share that pays its own payee everything, with others in the window.
func thief(t *test, _ blockchain.ErrorKind) error {
	s := t.Next("thief", "a", chaingen.Payee(3))
	s.SetCoinbase(&t.Params.ChainID, chaingen.CoinbaseValue, nil)
	solve(s.Share)
	_, err := t.chain.Accept(s.Share, t.now)
	return err
}

// otherPool is a share that would be valid in a pool of another name.
func otherPool(t *test, _ blockchain.ErrorKind) error {
	other := chaingen.New(t, testParams(t.T, "other"))
	_, err := t.chain.Accept(other.Next("g", "").Share, t.now)
	return err
}
