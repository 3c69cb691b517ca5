package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// schemaVersion is the version of the tables in the package's documentation.
const schemaVersion = 2

var (
	metaKey  = []byte("m")
	stateKey = []byte("t")
)

const (
	sharePrefix = 's'

	metaSize  = 4 + chainhash.HashSize + obfuscationSize
	stateSize = 8 + 8 + 4 + chainhash.HashSize
	// keyIDSize is how many bytes of a ShareID are in the key, enough to tell the
	// shares of a height apart: two of the same 16 bytes take 2⁶⁴ shares to find.
	keyIDSize    = 16
	shareKeySize = 1 + 4 + keyIDSize
)

// flagRoot marks a share that was accepted without its parent. The other bits
// are zero.
const flagRoot = 1

func encodeMeta(version uint32, chainID chainhash.Hash, key obfuscation) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, metaSize), version)
	return append(append(b, chainID[:]...), key[:]...)
}

// state is what changes with every batch.
type state struct {
	stored   uint64         // shares in the table
	appended uint64         // shares ever appended, pruned ones included
	base     uint32         // nothing below this height is stored
	tip      chainhash.Hash // zero for an empty chain
}

// appendState appends the plain encoding of the state record to b.
func appendState(b []byte, s state) []byte {
	b = binary.LittleEndian.AppendUint64(b, s.stored)
	b = binary.LittleEndian.AppendUint64(b, s.appended)
	b = binary.LittleEndian.AppendUint32(b, s.base)
	return append(b, s.tip[:]...)
}

// decodeState reads the plain encoding of the state record.
func decodeState(b []byte) (s state, err error) {
	if len(b) != stateSize {
		return s, damage("its state record is missing or damaged")
	}
	s.stored = binary.LittleEndian.Uint64(b)
	s.appended = binary.LittleEndian.Uint64(b[8:])
	s.base = binary.LittleEndian.Uint32(b[16:])
	s.tip = chainhash.Hash(b[20:])
	if s.stored > s.appended {
		return s, damage(fmt.Sprintf("its state record counts %d of %d shares", s.stored, s.appended))
	}
	return s, nil
}

// appendHeightKey appends the key before all shares of a height.
func appendHeightKey(b []byte, height uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, sharePrefix), height)
}

func appendShareKey(b []byte, height uint32, id *chainhash.Hash) []byte {
	return append(appendHeightKey(b, height), id[:keyIDSize]...)
}

func shareKey(height uint32, id chainhash.Hash) []byte {
	return appendShareKey(make([]byte, 0, shareKeySize), height, &id)
}

func isShareKey(key []byte) bool {
	return len(key) == shareKeySize && key[0] == sharePrefix
}

// noRoot stands where a record has no merkle root.
var noRoot chainhash.Hash

// splitShareKey takes apart what appendShareKey has made: id is the beginning of
// the ShareID.
func splitShareKey(key []byte) (height uint32, id []byte) {
	return binary.BigEndian.Uint32(key[1:]), key[5:]
}

// rootStart and rootEnd are where a share's encoding has the merkle root of the
// Bitcoin header. It follows from the rest of the share, which takes less time than
// reading 32 bytes more for every share, and is left out.
const (
	rootStart = 4 + chainhash.HashSize
	rootEnd   = rootStart + chainhash.HashSize
)

// appendRecord appends the plain encoding of a share's record to b.
func appendRecord(b []byte, s *share.Share, root bool) []byte {
	var flags byte
	if root {
		flags = flagRoot
	}
	start := len(b) + 1
	b = s.AppendEncode(append(b, flags))
	return append(b[:start+rootStart], b[start+rootEnd:]...)
}

// decodeRecord reads the plain encoding of a share's record and verifies that
// the share belongs to its key, to the last bit, as its ID is the hash of a header
// whose merkle root follows from all that is stored.
func decodeRecord(chainID *chainhash.Hash, key, plain []byte) (s *share.Share, root bool, err error) {
	if !isShareKey(key) || len(plain) <= rootStart {
		return nil, false, errors.New("record is too short")
	}
	if plain[0]&^flagRoot != 0 {
		return nil, false, fmt.Errorf("record has unknown flags %#02x", plain[0])
	}
	height, id := splitShareKey(key)
	encoded := make([]byte, 0, len(plain)-1+chainhash.HashSize)
	encoded = append(append(encoded, plain[1:1+rootStart]...), noRoot[:]...)
	if s, err = share.Decode(append(encoded, plain[1+rootStart:]...)); err != nil {
		return nil, false, err
	}
	s.SetMerkleRoot(chainID)
	if found := s.ID(); !bytes.Equal(found[:keyIDSize], id) {
		return nil, false, fmt.Errorf("record holds another share, %v", found)
	}
	if s.Data.Height != height {
		return nil, false, fmt.Errorf("record is filed under height %d, its share has %d", height, s.Data.Height)
	}
	return s, plain[0] == flagRoot, nil
}
