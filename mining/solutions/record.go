package solutions

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Status is what has become of a block.
type Status string

// What may become of a block.
const (
	Pending  Status = "pending"  // the Bitcoin node doesn't have it, or not yet
	Accepted Status = "accepted" // in the best chain
	Orphaned Status = "orphaned" // known, but another block is in the best chain
	Rejected Status = "rejected" // invalid, says the Bitcoin node
	Matured  Status = "matured"  // in the best chain for good, its coinbase can be spent
)

// Maturity is how many confirmations make a coinbase spendable for wallets: Bitcoin's
// COINBASE_MATURITY of 100 blocks on top, and the block itself.
const Maturity = 100 + 1

// Record is what is known of a block of the pool.
type Record struct {
	Hash        chainhash.Hash `json:"hash"`
	Height      uint32         `json:"height"`      // on Bitcoin's chain
	ShareHeight uint32         `json:"shareheight"` // on the sharechain
	Time        int64          `json:"time"`        // of the share, Unix seconds
	Own         bool           `json:"own"`         // found by a miner of this node
	Worker      string         `json:"worker,omitempty"`
	Payee       Script         `json:"payee"` // of the share
	Value       int64          `json:"value"` // of the coinbase, satoshi
	Bits        uint32         `json:"bits"`  // of the header

	Status Status `json:"status"`
	// Confirmations is 1 for the best block, more below it; -1 beside the best chain, 0
	// while the node doesn't have it.
	Confirmations int64  `json:"confirmations"`
	Final         bool   `json:"final"`            // Status doesn't change any more
	Changed       int64  `json:"changed"`          // when Status last did, Unix seconds
	Checked       int64  `json:"checked"`          // when the node last said so, Unix seconds
	Reason        string `json:"reason,omitempty"` // the node's words for a rejection
	Refusals      int    `json:"refusals"`         // how often it was rejected
}

// Limits of what is read back.
const (
	maxWorker = 256   // bytes; Stratum's limit is below that
	maxScript = 64    // bytes; the longest standard one has 34
	maxReason = 1_000 // bytes; the adapter clips it far below
)

// Script is an output script, in hex in JSON.
type Script []byte

// MarshalText implements encoding.TextMarshaler.
func (s Script) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Script) UnmarshalText(b []byte) (err error) {
	if len(b) > 2*maxScript {
		return fmt.Errorf("script of %d hex digits", len(b))
	}
	*s, err = hex.DecodeString(string(b))
	return err
}

// check returns an error if a record that was read back can't be ours.
func (r *Record) check() error {
	switch r.Status {
	case Pending, Accepted, Orphaned, Rejected, Matured:
	default:
		return fmt.Errorf("block %v has the status %.20q", r.Hash, r.Status)
	}
	if len(r.Worker) > maxWorker || len(r.Reason) > maxReason {
		return fmt.Errorf("block %v has texts of %d and %d bytes", r.Hash, len(r.Worker), len(r.Reason))
	}
	return nil
}

// parseRecord reads a record.
func parseRecord(b []byte) (r Record, err error) {
	if err = json.Unmarshal(b, &r); err == nil {
		err = r.check()
	}
	return r, err
}
