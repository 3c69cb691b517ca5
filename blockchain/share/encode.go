package share

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// headerSize is the length of a Bitcoin block header.
const headerSize = wire.MaxBlockHeaderPayload

// MaxDataSize and MaxEncodedSize are the longest encodings, in bytes, with
// every field at its bound.
const (
	MaxDataSize = 4 + chainhash.HashSize + 1 + MaxUncles*chainhash.HashSize + 5*4 + MaxWorkBits/8 +
		1 + MaxPayee + 4 + 8 + 1 + 1 + MaxTag + 1 + WitnessCommitmentSize + 1 + MergedMiningSize
	MaxEncodedSize = headerSize + MaxDataSize + ExtranonceSize + chainhash.HashSize + 4 + maxRest +
		1 + MaxBranch*chainhash.HashSize
)

// appendData appends the canonical encoding of the share data: the fields in
// the order of the struct, integers little endian, lists and variable fields
// behind a one-byte length.
func (d *Data) appendData(b []byte) []byte {
	le := binary.LittleEndian
	field := func(f []byte) { b = append(append(b, byte(len(f))), f...) }
	b = le.AppendUint32(b, d.Version)
	b = append(b, d.Previous[:]...)
	b = append(b, byte(len(d.Uncles)))
	for i := range d.Uncles {
		b = append(b, d.Uncles[i][:]...)
	}
	b = le.AppendUint32(b, d.Height)
	b = le.AppendUint32(b, d.Time)
	b = le.AppendUint32(b, d.Bits)
	b = le.AppendUint32(b, d.Anchor)
	b = le.AppendUint32(b, d.Count)
	work := d.Work.BytesLE()
	b = append(b, work[:MaxWorkBits/8]...)
	field(d.Payee)
	b = le.AppendUint32(b, d.BitcoinHeight)
	b = le.AppendUint64(b, uint64(d.CoinbaseValue))
	b = append(b, byte(d.Class))
	field(d.Tag)
	field(d.WitnessCommitment)
	field(d.MergedMining)
	return b
}

// AppendEncode appends the share's encoding to b: header ‖ data ‖ extranonce ‖
// link ‖ branch. The share must be within its bounds (CheckSanity); fields beyond them
// would not survive Decode.
func (s *Share) AppendEncode(b []byte) []byte {
	b = AppendHeader(b, &s.Header)
	b = s.Data.appendData(b)
	b = append(b, s.Extranonce[:]...)
	b = append(b, s.Link.State[:]...)
	b = binary.LittleEndian.AppendUint32(b, s.Link.Length)
	b = append(b, s.Link.Rest...)
	b = append(b, byte(len(s.Branch)))
	for i := range s.Branch {
		b = append(b, s.Branch[i][:]...)
	}
	return b
}

// Encode returns the share's encoding, at most MaxEncodedSize bytes.
func (s *Share) Encode() []byte {
	return s.AppendEncode(make([]byte, 0, MaxEncodedSize))
}

// AppendHeader appends the 80 bytes of a Bitcoin block header.
func AppendHeader(b []byte, h *wire.BlockHeader) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(h.Version))
	b = append(b, h.PrevBlock[:]...)
	b = append(b, h.MerkleRoot[:]...)
	b = le.AppendUint32(b, uint32(h.Timestamp.Unix()))
	b = le.AppendUint32(b, h.Bits)
	return le.AppendUint32(b, h.Nonce)
}

// Decode reads one share and refuses anything that is not its canonical
// encoding: lengths out of bounds, missing bytes, bytes left over. It allocates
// no more than MaxEncodedSize for a valid share and nothing by a claimed length.
// The result is within all bounds that CheckSanity checks; proof of work and merkle
// root are left to it. Any error is a RuleError.
func Decode(b []byte) (*Share, error) {
	if len(b) > MaxEncodedSize {
		return nil, ruleError(ErrTrailingBytes, "share of %d bytes, the longest has %d", len(b), MaxEncodedSize)
	}
	r := reader{b: b}
	s := new(Share)
	if err := s.Header.Deserialize(bytes.NewReader(r.take(headerSize))); err != nil && r.err == nil {
		r.err = io.ErrUnexpectedEOF
	}
	s.Data.read(&r)
	copy(s.Extranonce[:], r.take(ExtranonceSize))
	s.Link.read(&r)
	s.Branch = r.hashes(MaxBranch, ErrBranch)
	if r.err != nil {
		return nil, r.ruleError()
	}
	if len(r.b) != 0 {
		return nil, ruleError(ErrTrailingBytes, "%d bytes follow the share", len(r.b))
	}
	if err := s.Data.check(); err != nil {
		return nil, err
	}
	return s, nil
}

func (d *Data) read(r *reader) {
	d.Version = r.uint32()
	copy(d.Previous[:], r.take(chainhash.HashSize))
	d.Uncles = r.hashes(MaxUncles, ErrTooManyUncles)
	d.Height = r.uint32()
	d.Time = r.uint32()
	d.Bits = r.uint32()
	d.Anchor = r.uint32()
	d.Count = r.uint32()
	d.Work.SetByteSliceLE(r.take(MaxWorkBits / 8))
	d.Payee = r.field(MaxPayee, ErrPayee)
	d.BitcoinHeight = r.uint32()
	d.CoinbaseValue = int64(r.uint64())
	d.Class = Class(r.byte())
	d.Tag = r.field(MaxTag, ErrTag)
	d.WitnessCommitment = r.field(WitnessCommitmentSize, ErrWitnessCommitment)
	d.MergedMining = r.field(MergedMiningSize, ErrMergedMining)
}

func (l *Link) read(r *reader) {
	copy(l.State[:], r.take(len(l.State)))
	l.Length = r.uint32()
	if r.err == nil && (l.Length < MinCoinbasePrefix || l.Length > MaxCoinbasePrefix) {
		r.err = l.check()
	}
	if rest := r.take(int(l.Length % sha256.BlockSize)); len(rest) > 0 {
		l.Rest = slices.Clone(rest)
	}
}

// reader consumes a byte slice and remembers the first error, after which every
// read yields zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) ruleError() error {
	if rule, ok := r.err.(RuleError); ok {
		return rule
	}
	return ruleError(ErrTruncated, "share ends before its last field")
}

// take returns the next n bytes, which alias the input.
func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.b) < n {
		if r.err == nil {
			r.err = io.ErrUnexpectedEOF
		}
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// length reads a one-byte length and checks it before anything is allocated.
func (r *reader) length(most int, kind ErrorKind) int {
	n := int(r.byte())
	if r.err == nil && n > most {
		r.err = ruleError(kind, "%v: length %d, at most %d are allowed", kind, n, most)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// field reads a copy of a variable field; an empty one is nil.
func (r *reader) field(most int, kind ErrorKind) []byte {
	n := r.length(most, kind)
	if n == 0 {
		return nil
	}
	return slices.Clone(r.take(n))
}

// hashes reads a list of hashes; an empty one is nil.
func (r *reader) hashes(most int, kind ErrorKind) []chainhash.Hash {
	raw := r.take(r.length(most, kind) * chainhash.HashSize)
	if len(raw) == 0 {
		return nil
	}
	list := make([]chainhash.Hash, len(raw)/chainhash.HashSize)
	for i := range list {
		copy(list[i][:], raw[i*chainhash.HashSize:])
	}
	return list
}
