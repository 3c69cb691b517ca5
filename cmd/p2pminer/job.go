package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// Limits of what a server may send.
const (
	maxJobID       = 128     // bytes
	maxCoinbase    = 1 << 20 // bytes; a Bitcoin block has room for less
	maxBranch      = 32      // hashes
	maxExtranonce1 = 64      // bytes
	maxExtranonce2 = 32      // bytes
)

// job is what mining.notify says.
type job struct {
	id             string
	prev           [sha256.Size]byte // internal byte order
	coinb1, coinb2 []byte
	branch         [][sha256.Size]byte
	version        uint32
	bits           uint32
	ntime          uint32
	clean          bool
}

// parseJob decodes the nine parameters of mining.notify.
func parseJob(params []json.RawMessage) (*job, error) {
	if len(params) < 9 {
		return nil, fmt.Errorf("notify has %d parameters instead of 9", len(params))
	}
	var j job
	var prev, coinb1, coinb2, version, nbits, ntime string
	var branch []string
	for i, dst := range []any{&j.id, &prev, &coinb1, &coinb2, &branch, &version, &nbits, &ntime, &j.clean} {
		if err := json.Unmarshal(params[i], dst); err != nil {
			return nil, fmt.Errorf("notify, parameter %d: %w", i+1, err)
		}
	}
	if len(j.id) > maxJobID || len(branch) > maxBranch || len(coinb1)+len(coinb2) > 2*maxCoinbase {
		return nil, errors.New("notify with a job id, branch or coinbase of unreasonable size")
	}
	var err1, err2 error
	j.coinb1, err1 = hex.DecodeString(coinb1)
	j.coinb2, err2 = hex.DecodeString(coinb2)
	if err := errors.Join(err1, err2, decodeHash(&j.prev, prev)); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	// Stratum reverses the bytes of each 32-bit word.
	for word := range slices.Chunk(j.prev[:], 4) {
		slices.Reverse(word)
	}
	j.branch = make([][sha256.Size]byte, len(branch))
	for i := range branch {
		if err := decodeHash(&j.branch[i], branch[i]); err != nil {
			return nil, fmt.Errorf("notify, branch: %w", err)
		}
	}
	for _, f := range []struct {
		dst  *uint32
		text string
	}{{&j.version, version}, {&j.bits, nbits}, {&j.ntime, ntime}} {
		n, err := strconv.ParseUint(f.text, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("notify: %w", err)
		}
		*f.dst = uint32(n)
	}
	return &j, nil
}

func decodeHash(dst *[sha256.Size]byte, text string) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("a hash of %d digits", len(text))
	}
	_, err := hex.Decode(dst[:], []byte(text))
	return err
}

// work is a job together with all that the session adds to it. It is immutable.
type work struct {
	*job
	session         *session
	goal            pow.Goal
	era             uint64 // equal for jobs without a clean one between them
	extranonce1     []byte
	extranonce2Size int
	mask            uint32 // version bits that may be rolled, 0 if none
}

// unit is the part of a work that is searched by the nonce alone.
type unit struct {
	work        *work
	header      pow.Header
	extranonce2 []byte
	versionBits uint32
}

// unit returns the n-th one. Version bits are rolled along with extranonce2,
// which makes no difference to the search but shows that they can be.
func (w *work) unit(n uint64) *unit {
	u := &unit{work: w, extranonce2: make([]byte, w.extranonce2Size)}
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], n)
	if skip := w.extranonce2Size - len(be); skip >= 0 {
		copy(u.extranonce2[skip:], be[:])
	} else {
		copy(u.extranonce2, be[-skip:])
	}
	u.versionBits = uint32(n) << bits.TrailingZeros32(w.mask|1<<31) & w.mask

	root := pow.MerkleRoot(pow.DoubleHash(slices.Concat(w.coinb1, w.extranonce1, u.extranonce2, w.coinb2)), w.branch)
	binary.LittleEndian.PutUint32(u.header[pow.OffsetVersion:], w.version&^w.mask|u.versionBits)
	copy(u.header[pow.OffsetPrev:], w.prev[:])
	copy(u.header[pow.OffsetRoot:], root[:])
	binary.LittleEndian.PutUint32(u.header[pow.OffsetTime:], w.ntime)
	binary.LittleEndian.PutUint32(u.header[pow.OffsetBits:], w.bits)
	return u
}
