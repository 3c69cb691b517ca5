package merged

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

// template is what a node answers to createauxblock and getauxblock.
type template struct {
	hash    chainhash.Hash
	chainID uint32
	prev    chainhash.Hash // zero if the node doesn't say
	height  uint32         // 0 if it doesn't
	target  uint256.Uint256
}

// templateJSON has the fields that are of use. Names and forms are Namecoin Core's,
// which others have taken over; older nodes know "target" and not "bits".
type templateJSON struct {
	Hash     string `json:"hash"`
	ChainID  *int64 `json:"chainid"`
	Previous string `json:"previousblockhash"`
	Height   int64  `json:"height"`
	Bits     string `json:"bits"`
	Target   string `json:"_target"`
	OldName  string `json:"target"`
}

// parseTemplate reads an answer. Of what a chain may call a block everything is
// checked that matters here.
func parseTemplate(raw json.RawMessage) (*template, error) {
	var j templateJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, errors.New("what it answers is not a block to mine")
	}
	t := new(template)
	var err error
	if t.hash, err = parseHash(j.Hash); err != nil || t.hash == (chainhash.Hash{}) {
		return nil, errors.New("the block to mine has no valid hash")
	}
	// Namecoin and its descendants have it in the upper half of the version, and take
	// it for an int where they compute the slot.
	if j.ChainID == nil || *j.ChainID < 0 || *j.ChainID > math.MaxInt32 {
		return nil, errors.New("the block to mine has no valid chain id")
	}
	t.chainID = uint32(*j.ChainID)
	if j.Previous != "" {
		if t.prev, err = parseHash(j.Previous); err != nil {
			return nil, errors.New("the block to mine has no valid previous block")
		}
	}
	if j.Height < 0 || j.Height > math.MaxInt32 {
		return nil, errors.New("the block to mine has no valid height")
	}
	t.height = uint32(j.Height)
	if t.target, err = j.goal(); err != nil {
		return nil, fmt.Errorf("the block to mine has no valid target: %w", err)
	}
	return t, nil
}

// goal returns the target.
func (j *templateJSON) goal() (uint256.Uint256, error) {
	if j.Bits != "" {
		bits, err := strconv.ParseUint(j.Bits, 16, 32)
		if err != nil {
			return uint256.Uint256{}, errors.New("bits are not 32 bits of hex")
		}
		return target.FromCompact(uint32(bits))
	}
	text := j.Target
	if text == "" {
		text = j.OldName
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != chainhash.HashSize {
		return uint256.Uint256{}, errors.New("neither bits nor 32 bytes of target")
	}
	goal := *new(uint256.Uint256).SetByteSliceLE(b) // not as numbers are written
	if goal.IsZero() {
		return goal, errors.New("it is zero")
	}
	return goal, nil
}

// parseHash reads a hash, all of its digits, as it is displayed.
func parseHash(text string) (chainhash.Hash, error) {
	var hash chainhash.Hash
	if len(text) != 2*chainhash.HashSize {
		return hash, errors.New("a hash has 64 digits")
	}
	return hash, chainhash.Decode(&hash, text)
}

// maxRefusals is how many proofs for one block a node may refuse before no more are
// made: if three are wrong, so is the fourth.
const maxRefusals = 3

// block is a block of another chain that is, or was, being mined. What is known of its
// fate outlives the jobs that commit to it.
type block struct {
	template
	submit  string // method that takes the proof
	adopted time.Time

	mu      sync.Mutex
	busy    bool // a proof is on its way
	done    bool // no further proof is of use
	refused int
}

// wanted reports whether a proof for the block is of use.
func (b *block) wanted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.busy && !b.done
}

// take reports whether a proof for the block is wanted; if so, and until release, no
// other is.
func (b *block) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy || b.done {
		return false
	}
	b.busy = true
	return true
}

// release ends what take began.
func (b *block) release(v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = false
	if v == rejected {
		b.refused++
	}
	b.done = b.done || v == accepted || v == stale || b.refused >= maxRefusals
}
