package database

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// schemaVersion is the version of the tables in the package's documentation.
const schemaVersion = 1

var (
	metaKey = []byte("m")
	tipKey  = []byte("t")
)

const (
	sequencePrefix = 'q'
	sharePrefix    = 's'

	metaSize = 4 + chainhash.HashSize
	tipSize  = 8 + chainhash.HashSize
)

func shareKey(id chainhash.Hash) []byte {
	return append([]byte{sharePrefix}, id[:]...)
}

func sequenceKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{sequencePrefix}, n)
}

func encodeMeta(chainID chainhash.Hash) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, schemaVersion), chainID[:]...)
}

func encodeTip(count uint64, tip chainhash.Hash) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, count), tip[:]...)
}

func encodeRecord(sequence uint64, s *share.Share) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+share.MaxEncodedSize), sequence)
	return s.AppendEncode(b)
}

// decodeRecord reads the record that is stored for a ShareID and verifies that
// it holds that share.
func decodeRecord(id chainhash.Hash, value []byte) (sequence uint64, s *share.Share, err error) {
	if len(value) < 8 {
		return 0, nil, errors.New("record is too short")
	}
	if s, err = share.Decode(value[8:]); err != nil {
		return 0, nil, err
	}
	if s.ID() != id {
		return 0, nil, fmt.Errorf("record holds another share, %v", s.ID())
	}
	return binary.LittleEndian.Uint64(value), s, nil
}
