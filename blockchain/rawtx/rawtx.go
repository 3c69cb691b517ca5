// Package rawtx reads serialized Bitcoin transactions just enough to name and weigh
// them. It is stateless; everything is safe for concurrent use.
package rawtx

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// ErrMalformed means that bytes are not a transaction.
var ErrMalformed = errors.New("malformed transaction")

// Info is what a transaction's bytes say of it.
type Info struct {
	TxID, WTxID chainhash.Hash // without and with the witness (BIP 141)
	Weight      int64          // in weight units (BIP 141)
}

// Parse reads a transaction with its witness, if it has one. It allocates nothing by
// the counts that the bytes claim, unlike a general parser, which keeps every input.
// What is accepted has one encoding only. The error, if any, is ErrMalformed.
func Parse(raw []byte) (Info, error) {
	digest := digests.Get().(hash.Hash)
	defer digests.Put(digest)
	digest.Reset()
	p := parser{rest: raw, txid: digest}
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
	if p.bad || len(p.rest) > 0 {
		return Info{}, ErrMalformed
	}
	var first chainhash.Hash
	digest.Sum(first[:0])
	info := Info{TxID: sha256.Sum256(first[:])}
	info.WTxID = info.TxID
	if witness {
		info.WTxID = chainhash.DoubleHashH(raw)
	}
	// A byte of the witness weighs one unit, any other four.
	info.Weight = int64(3*p.base + len(raw))
	return info, nil
}

// digests saves an allocation for each transaction of a block.
var digests = sync.Pool{New: func() any { return sha256.New() }}

// parser walks over a transaction. After a mistake it yields zeros.
type parser struct {
	rest []byte
	txid hash.Hash // of what isn't witness
	base int       // bytes of that
	bad  bool
}

// skip returns the next n bytes.
func (p *parser) skip(n uint64) []byte {
	if p.bad || n > uint64(len(p.rest)) {
		p.bad = true
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// hashed returns the next n bytes, which count for the id without witness.
func (p *parser) hashed(n uint64) []byte {
	b := p.skip(n)
	p.txid.Write(b)
	p.base += len(b)
	return b
}

// count reads a CompactSize in its shortest form with take.
func (p *parser) count(take func(uint64) []byte) uint64 {
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
func (p *parser) inputs() uint64 {
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

func (p *parser) outputs() {
	for range p.count(p.hashed) {
		if p.hashed(8); p.bad { // amount
			break
		}
		p.hashed(p.count(p.hashed)) // script
	}
}

// witnesses reads a witness for each input. One at least is not empty: else the
// form with witness is not allowed.
func (p *parser) witnesses(inputs uint64) {
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
