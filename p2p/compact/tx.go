package compact

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Tx is a transaction. It is immutable.
type Tx struct {
	Raw         []byte         // with its witness
	TxID, WTxID chainhash.Hash // without and with the witness (BIP 141)
}

// ErrTxn is the kind of what is no transaction, or not the one that was asked for.
const ErrTxn share.ErrorKind = "ErrTxn"

// ParseTx reads a transaction and computes its ids. It allocates nothing by the
// counts that the bytes claim, unlike a general parser, which keeps every input.
// What is accepted has one encoding only. raw is kept. Every error is a
// share.RuleError.
func ParseTx(raw []byte) (*Tx, error) {
	p := txParser{rest: raw, txid: sha256.New()}
	p.hashed(4) // version
	witness := len(p.rest) >= 2 && p.rest[0] == 0 && p.rest[1] == 1
	if witness {
		p.skip(2) // marker and flag (BIP 144)
	}
	inputs := p.inputs()
	p.outputs()
	if witness {
		p.witnesses(inputs)
	}
	p.hashed(4) // lock time
	if !p.bad && len(p.rest) > 0 {
		p.bad = true
	}
	if p.bad {
		return nil, share.RuleError{Kind: ErrTxn, Description: fmt.Sprintf("%d bytes are not a transaction", len(raw))}
	}
	tx := &Tx{Raw: raw}
	first := p.txid.Sum(nil)
	tx.TxID = sha256.Sum256(first)
	tx.WTxID = tx.TxID
	if witness {
		tx.WTxID = chainhash.DoubleHashH(raw)
	}
	return tx, nil
}

// txParser walks over a transaction. After a mistake it yields zeros.
type txParser struct {
	rest []byte
	txid hash.Hash // of what isn't witness
	bad  bool
}

// skip returns the next n bytes.
func (p *txParser) skip(n uint64) []byte {
	if p.bad || n > uint64(len(p.rest)) {
		p.bad = true
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// hashed returns the next n bytes, which count for the id without witness.
func (p *txParser) hashed(n uint64) []byte {
	b := p.skip(n)
	p.txid.Write(b)
	return b
}

// count reads a CompactSize in its shortest form with take.
func (p *txParser) count(take func(uint64) []byte) uint64 {
	first := take(1)
	if first == nil {
		return 0
	}
	n, least := uint64(first[0]), uint64(0)
	if first[0] >= 0xfd {
		size := uint64(2) << (first[0] - 0xfd)
		var le [8]byte
		copy(le[:], take(size))
		n = binary.LittleEndian.Uint64(le[:])
		least = [...]uint64{0xfd, 1 << 16, 1 << 32}[first[0]-0xfd]
	}
	if n < least {
		p.bad = true
	}
	if p.bad {
		return 0
	}
	return n
}

// inputs reads the inputs and returns their number, 1 at least.
func (p *txParser) inputs() uint64 {
	n := p.count(p.hashed)
	p.bad = p.bad || n == 0
	for range n {
		if p.hashed(36); p.bad { // outpoint
			break
		}
		p.hashed(p.count(p.hashed)) // script
		p.hashed(4)                 // sequence
	}
	return n
}

func (p *txParser) outputs() {
	for range p.count(p.hashed) {
		if p.hashed(8); p.bad { // amount
			break
		}
		p.hashed(p.count(p.hashed)) // script
	}
}

// witnesses reads a witness for each input. One at least is not empty: else the
// form with witness is not allowed.
func (p *txParser) witnesses(inputs uint64) {
	items := uint64(0)
	for range inputs {
		if p.bad {
			return
		}
		for range p.count(p.skip) {
			if p.skip(p.count(p.skip)); p.bad {
				return
			}
			items++
		}
	}
	p.bad = p.bad || items == 0
}
