package harness

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// Output is one output of a transaction as the Bitcoin node reports it.
type Output struct {
	Amount  int64  // sat
	Script  string // hex
	Address string // "" if it has none
}

// Coinbase returns the outputs of a block's coinbase as the Bitcoin node reports
// them, and the block's confirmations.
func Coinbase(ctx context.Context, node *bitcoindtest.Node, hash string) (outputs []Output, confirmations int64, err error) {
	type transaction struct {
		Vout []struct {
			Value        float64 `json:"value"`
			ScriptPubKey struct {
				Hex       string   `json:"hex"`
				Address   string   `json:"address"`
				Addresses []string `json:"addresses"`
			} `json:"scriptPubKey"`
		} `json:"vout"`
	}
	var block struct {
		Confirmations int64         `json:"confirmations"`
		Tx            []transaction `json:"tx"`    // Bitcoin Core
		RawTx         []transaction `json:"rawtx"` // btcd
	}
	if err := node.Call(ctx, &block, "getblock", hash, 2); err != nil {
		return nil, 0, err
	}
	txs := append(block.Tx, block.RawTx...)
	if len(txs) == 0 {
		return nil, 0, fmt.Errorf("block %s has no transaction", hash)
	}
	for _, out := range txs[0].Vout {
		o := Output{Amount: satoshis(out.Value), Script: out.ScriptPubKey.Hex, Address: out.ScriptPubKey.Address}
		if o.Address == "" && len(out.ScriptPubKey.Addresses) == 1 {
			o.Address = out.ScriptPubKey.Addresses[0]
		}
		outputs = append(outputs, o)
	}
	return outputs, block.Confirmations, nil
}

// satoshis converts an amount in bitcoin, which JSON carries in 8 decimals. A
// float64 holds 15 digits, enough for any amount below 10 million bitcoin.
func satoshis(bitcoin float64) int64 { return int64(math.Round(bitcoin * 1e8)) }

// FormatAmount renders satoshis as bitcoin with all 8 decimals.
func FormatAmount(sat int64) string {
	s := strconv.FormatInt(sat, 10)
	if len(s) < 9 {
		s = strings.Repeat("0", 9-len(s)) + s
	}
	return s[:len(s)-8] + "." + s[len(s)-8:]
}
