package bitcoind

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// The transactions are all but a thousandth of a template: some megabytes of hex in
// short objects. A general JSON parser goes through them several times and takes
// longer than a new job may; here each byte is looked at once or twice.

// maxDepends bounds the list of one transaction; relay policy allows 25.
const maxDepends = 4096

// usualTxs is the number of transactions that memory is taken for at first.
const usualTxs = 4096

var errSyntax = errors.New("it is not JSON")

// cutTransactions splits a template into the value of its last member "transactions",
// nil if there is none, and all else.
func cutTransactions(b []byte) (txs, rest []byte, err error) {
	s := scanner{b: b}
	if !s.eat('{') {
		return nil, b, nil // null, or nonsense for whoever reads the rest
	}
	rest = append(rest, '{')
	for first := true; !s.eat('}'); first = false {
		if !first && !s.eat(',') {
			return nil, nil, errSyntax
		}
		key := s.value()
		if len(key) == 0 || key[0] != '"' || !s.eat(':') {
			return nil, nil, errSyntax
		}
		value := s.value()
		if value == nil {
			return nil, nil, errSyntax
		}
		if string(key) == `"transactions"` {
			txs = value
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(append(append(rest, key...), ':'), value...)
	}
	if s.space(); s.at != len(b) {
		return nil, nil, errSyntax
	}
	return txs, append(rest, '}'), nil
}

// parseTxs reads the list of transactions; none for null.
func parseTxs(b []byte) ([]mining.TemplateTx, error) {
	if b == nil || string(b) == "null" {
		return nil, nil
	}
	s := scanner{b: b}
	if !s.eat('[') {
		return nil, errors.New("its transactions are no list")
	}
	list := make([]mining.TemplateTx, 0, usualTxs)
	data := make([][]byte, 0, usualTxs)
	for first := true; !s.eat(']'); first = false {
		if !first && !s.eat(',') {
			return nil, errSyntax
		}
		if len(list) == mining.MaxTemplateTxs {
			return nil, fmt.Errorf("more than %d transactions", mining.MaxTemplateTxs)
		}
		list, data = append(list, mining.TemplateTx{}), append(data, nil)
		i := len(list) - 1
		if err := s.tx(&list[i], &data[i]); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	if s.space(); s.at != len(b) {
		return nil, errSyntax
	}
	return list, mining.InParallel(len(list), func(i int) (err error) {
		if list[i].Raw, err = hexBytes(data[i]); err != nil {
			err = fmt.Errorf("transaction %d: data: %w", i, err)
		}
		return err
	})
}

// tx reads one transaction. Its bytes are left in hex, in data.
func (s *scanner) tx(tx *mining.TemplateTx, data *[]byte) error {
	if !s.eat('{') {
		return errSyntax
	}
	hasFee := false
	for first := true; !s.eat('}'); first = false {
		if !first && !s.eat(',') {
			return errSyntax
		}
		key := s.value()
		if len(key) == 0 || key[0] != '"' || !s.eat(':') {
			return errSyntax
		}
		value := s.value()
		if value == nil {
			return errSyntax
		}
		switch string(key) {
		case `"data"`:
			*data = value
		case `"fee"`:
			hasFee = string(value) != "null"
		}
		if err := setTx(tx, key, value); err != nil {
			return fmt.Errorf("%s: %w", clip(string(key)), err)
		}
	}
	// BIP 22 allows a node not to know a fee; we couldn't drop such a transaction and
	// still know what the block pays.
	if !hasFee {
		return errors.New("it has no fee")
	}
	return nil
}

// setTx sets the field of a member. Of several with one name the last counts, and null
// is as none.
func setTx(tx *mining.TemplateTx, key, value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	switch string(key) {
	case `"txid"`:
		err = hexHash(&tx.TxID, value)
	case `"hash"`:
		err = hexHash(&tx.WTxID, value)
	case `"fee"`:
		tx.Fee, err = integer(value)
	case `"sigops"`:
		tx.Sigops, err = integer(value)
	case `"weight"`:
		tx.Weight, err = integer(value)
	case `"depends"`:
		tx.Depends, err = depends(value)
	}
	return err
}

func integer(value []byte) (int64, error) { return strconv.ParseInt(string(value), 10, 64) }

// hexBytes reads a string of hex digits.
func hexBytes(value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, errors.New("it is no string")
	}
	text := value[1 : len(value)-1]
	b := make([]byte, hex.DecodedLen(len(text)))
	_, err := hex.Decode(b, text)
	return b, err
}

// hexHash reads a hash as Bitcoin shows it, its last byte first.
func hexHash(h *chainhash.Hash, value []byte) error {
	if len(value) != 2+chainhash.MaxHashStringSize || value[0] != '"' {
		return fmt.Errorf("%s is not a hash", clip(string(value)))
	}
	if _, err := hex.Decode(h[:], value[1:len(value)-1]); err != nil {
		return err
	}
	for i := range len(h) / 2 {
		h[i], h[len(h)-1-i] = h[len(h)-1-i], h[i]
	}
	return nil
}

// depends reads the list of transactions that come before, counted from one.
func depends(value []byte) ([]int, error) {
	s := scanner{b: value}
	if !s.eat('[') {
		return nil, errors.New("it is no list")
	}
	var list []int
	for first := true; !s.eat(']'); first = false {
		if !first && !s.eat(',') {
			return nil, errSyntax
		}
		if len(list) == maxDepends {
			return nil, fmt.Errorf("more than %d entries", maxDepends)
		}
		n, err := strconv.Atoi(string(s.value()))
		if err != nil {
			return nil, err
		}
		list = append(list, n-1)
	}
	return list, nil
}
