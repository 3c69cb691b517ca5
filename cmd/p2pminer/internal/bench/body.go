package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// Limits of what a server may send.
const (
	maxBranch = 32 // hashes
	maxJobID  = 128
	// maxBodies is how many bodies are remembered for comparison. On a server that
	// gives each connection another one all are parsed; that is slower, not wrong.
	maxBodies = 64
)

// body is what the jobs of all connections have in common: everything in
// mining.notify but the id, the time and whether it is clean. With thousands of
// connections it comes thousands of times and is parsed once. It is immutable.
type body struct {
	raw     []byte // the parameters from prevhash to nbits, as sent
	prev    [sha256.Size]byte
	coinb1  pow.Midstate
	coinb2  []byte
	branch  [][sha256.Size]byte
	version uint32
	bits    uint32
	work    *event // its way to the connections
	block   *event // the way of its Bitcoin block
}

// Positions of the parameters of mining.notify.
const (
	paramID = iota
	paramPrev
	paramCoinb1
	paramCoinb2
	paramBranch
	paramVersion
	paramBits
	paramTime
	paramClean
	notifyParams
)

var errNotify = errors.New("a mining.notify that cannot be understood")

// parseBody decodes the parameters that make up a body.
func parseBody(params [][]byte, h *pow.Hasher) (*body, error) {
	b := new(body)
	prev, err := unhex(params[paramPrev])
	if err != nil || len(prev) != len(b.prev) {
		return nil, fmt.Errorf("%w: prevhash", errNotify)
	}
	copy(b.prev[:], prev)
	for word := range slices.Chunk(b.prev[:], 4) { // each 32-bit word is reversed
		slices.Reverse(word)
	}
	coinb1, err := unhex(params[paramCoinb1])
	if err != nil {
		return nil, fmt.Errorf("%w: coinb1", errNotify)
	}
	b.coinb1 = h.Midstate(coinb1, pow.Midstate{})
	if b.coinb2, err = unhex(params[paramCoinb2]); err != nil {
		return nil, fmt.Errorf("%w: coinb2", errNotify)
	}
	hashes, ok := elements(nil, params[paramBranch], maxBranch+1)
	if !ok || len(hashes) > maxBranch {
		return nil, fmt.Errorf("%w: merkle branch", errNotify)
	}
	b.branch = make([][sha256.Size]byte, len(hashes))
	for i, raw := range hashes {
		hash, err := unhex(raw)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("%w: merkle branch", errNotify)
		}
		copy(b.branch[i][:], hash)
	}
	if b.version, ok = hex32(params[paramVersion]); !ok {
		return nil, fmt.Errorf("%w: version", errNotify)
	}
	if b.bits, ok = hex32(params[paramBits]); !ok {
		return nil, fmt.Errorf("%w: nbits", errNotify)
	}
	return b, nil
}

func unhex(raw []byte) ([]byte, error) {
	s, ok := text(raw)
	if !ok {
		return nil, errNotify
	}
	b := make([]byte, hex.DecodedLen(len(s)))
	_, err := hex.Decode(b, s)
	return b, err
}

// board knows the bodies that the server has sent of late and follows how each
// spreads. It is shared by the loops and safe for concurrent use.
type board struct {
	mu       sync.Mutex
	bodies   []*body             // newest last, at most maxBodies
	blocks   map[[32]byte]*event // of the bodies, by previous block
	events   []*event            // all of them, at most maxEvents
	loggedIn func() int64        // connections that have work
}

// find returns the body with the given parameters, a new one if need be. raw is
// where they stand in the line.
func (b *board) find(raw []byte, params [][]byte, h *pow.Hasher, now int64) (*body, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range slices.Backward(b.bodies) {
		if bytes.Equal(known.raw, raw) {
			return known, nil
		}
	}
	found, err := parseBody(params, h)
	if err != nil {
		return nil, err
	}
	found.raw = bytes.Clone(raw)
	if found.block = b.blocks[found.prev]; found.block == nil {
		found.block = b.event(true, now)
		if b.blocks == nil {
			b.blocks = make(map[[32]byte]*event)
		}
		b.blocks[found.prev] = found.block
	}
	found.work = b.event(false, now)
	if len(b.bodies) == maxBodies {
		b.forget(b.bodies[0])
		b.bodies = slices.Delete(b.bodies, 0, 1)
	}
	b.bodies = append(b.bodies, found)
	return found, nil
}

// forget drops the block of a body if no newer body builds on it.
func (b *board) forget(old *body) {
	for _, other := range b.bodies[1:] {
		if other.prev == old.prev {
			return
		}
	}
	delete(b.blocks, old.prev)
}
