package stratum

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// maxUsername bounds what authorize and submit accept. Firmware clips names
	// at 63 (Avalon) or 127 bytes (Whatsminer); an address has at most 64.
	maxUsername = 255
	// maxWorkerName is where a worker's name is cut for display.
	maxWorkerName = 64
	// minBase58 is the length of the shortest base58 address worth the name.
	minBase58 = 26
)

// identity is what a username says: whom to pay and what to call the worker.
type identity struct {
	address    string  // as typed, without the worker; empty: the node's own
	worker     string  // may be empty
	payee      []byte  // output script; nil: the node's own
	difficulty float64 // asked for behind the address; 0: none
	fixed      bool    // and not only to start from
	note       string  // to be shown to the miner; empty: nothing
}

// name is the key of the worker's statistics: address.worker, or either part.
func (id *identity) name() string {
	switch {
	case id.worker == "":
		return id.address
	case id.address == "":
		return id.worker
	}
	return id.address + "." + id.worker
}

// names resolves usernames. It is immutable.
type names struct {
	params *chaincfg.Params
	own    bool // the node has an address of its own
	// nodeForInvalid makes who types an address that cannot be paid mine for the node.
	// It needs own.
	nodeForInvalid bool
}

// Refusals of usernames that hold an address in a form that is not understood.
var (
	errAddressNotFirst = errors.New("put the address first: ADDRESS.worker")
	errNotADifficulty  = errors.New("what follows + or / behind the address must be a difficulty; " +
		"for a worker's name use ADDRESS.worker")
)

// resolve reads "ADDRESS", "ADDRESS.worker", "ADDRESS_worker",
// "ADDRESS+difficulty", "ADDRESS/difficulty", ".worker" or a plain worker name,
// with white space around; the last two, "" and "x" mine for the node's own
// address, and are refused where it has none.
// The error is a sentence for the miner's log.
func (n *names) resolve(username string) (identity, error) {
	if len(username) > maxUsername {
		return identity{}, fmt.Errorf("username longer than %d bytes", maxUsername)
	}
	username = strings.TrimSpace(username)
	head, rest, separator := username, "", byte('.')
	if i := strings.IndexAny(username, "._+/"); i >= 0 {
		head, rest, separator = username[:i], username[i+1:], username[i]
	}
	payee, err := n.payee(head)
	if err != nil {
		return n.invalid(username, err)
	}
	if payee == nil {
		return n.ownIdentity(username)
	}
	id := identity{address: head, payee: payee}
	if separator == '.' || separator == '_' {
		id.worker = printable(rest, maxWorkerName)
		return id, nil
	}
	// The original p2pool's syntax. Digit or point first: neither a sign, nor
	// "Inf", nor quotes.
	var ok bool
	if id.difficulty, ok = parseDifficulty([]byte(rest)); !ok || strings.IndexByte("0123456789.", rest[0]) < 0 {
		return identity{}, errNotADifficulty
	}
	id.fixed = separator == '+'
	return id, nil
}

// ownIdentity is the identity of a username that does not begin with an address: it
// mines for the node. Who typed an address anywhere did not want that.
func (n *names) ownIdentity(username string) (identity, error) {
	for _, piece := range pieces(username) {
		if looksLikeAddress(piece) || n.otherNetwork(piece) != "" {
			return n.invalid(username, errAddressNotFirst)
		}
	}
	if !n.own {
		return identity{}, errors.New("this node has no payout address of its own: " +
			"use your Bitcoin address as the user name, with .worker behind it if you like")
	}
	worker := username // a plain name may have dots of its own
	if username != "" && (username[0] == '.' || username[0] == '_') {
		worker = username[1:]
	}
	if strings.EqualFold(worker, "x") {
		worker = ""
	}
	return identity{worker: printable(worker, maxWorkerName)}, nil
}

// invalid is what becomes of a username that holds an address which cannot be paid, for
// the reason err. One with an address that can be is refused in any case: its owner would
// mine for the node by a mere slip.
func (n *names) invalid(username string, err error) (identity, error) {
	if !n.nodeForInvalid {
		return identity{}, err
	}
	for _, piece := range pieces(username) {
		if script, _ := n.payee(piece); script != nil {
			return identity{}, err
		}
	}
	return identity{worker: printable(username, maxWorkerName), note: err.Error() + "; you mine for the node's owner"}, nil
}

// payee returns the output script of an address, nil for a word that is none,
// and an error for what was clearly meant to be an address but cannot be paid:
// to mine for the node's owner instead would be theft.
func (n *names) payee(s string) ([]byte, error) {
	addr, err := address.DecodeAddress(s, n.params)
	if err == nil && addr.IsForNet(n.params) {
		script, err := txscript.PayToAddrScript(addr)
		if err != nil || share.CheckPayee(script) != nil {
			return nil, fmt.Errorf("address %s is of a kind that the pool cannot pay; "+
				"use a P2PKH, P2SH, P2WPKH, P2WSH or P2TR address", s)
		}
		return bytes.Clone(script), nil // a builder's has room for 500 bytes
	}
	if !looksLikeAddress(s) {
		return nil, nil
	}
	s = printable(s, maxWorkerName)
	if other := n.otherNetwork(s); other != "" {
		return nil, fmt.Errorf("address %s belongs to Bitcoin's %s, this pool runs on %s", s, other, n.params.Name)
	}
	return nil, fmt.Errorf("%s looks like an address but is not a valid one of Bitcoin's %s; "+
		"check it for typing errors", s, n.params.Name)
}

// otherNetwork names the Bitcoin network that an address is valid on. Testnet,
// testnet4 and signet share their formats and go by one name.
func (n *names) otherNetwork(s string) string {
	for _, other := range []struct {
		name   string
		params *chaincfg.Params
	}{
		{"mainnet", &chaincfg.MainNetParams},
		{"test networks", &chaincfg.TestNet3Params},
		{"regtest", &chaincfg.RegressionNetParams},
		{"simnet", &chaincfg.SimNetParams},
	} {
		addr, err := address.DecodeAddress(s, other.params)
		if err == nil && addr.IsForNet(other.params) {
			return other.name
		}
	}
	return ""
}

// looksLikeAddress tells a mistyped address, or another coin's, from the name
// of a worker: it consists of letters and digits and has a bech32 prefix, or is
// a long run of both.
func looksLikeAddress(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) }) {
		return false
	}
	lower := strings.ToLower(s)
	for _, hrp := range []string{"bc1", "tb1", "bcrt1", "sb1"} {
		if strings.HasPrefix(lower, hrp) && len(s) > len(hrp)+6 {
			return true
		}
	}
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyz"
	return len(s) >= minBase58 && strings.ContainsAny(lower, digits) && strings.ContainsAny(lower, letters)
}

// pieces are the runs of letters and digits in a username.
func pieces(username string) []string {
	return strings.FieldsFunc(username, func(r rune) bool { return !isAlphanumeric(r) })
}

// isAlphanumeric reports whether r may be part of an address.
func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// printable makes a client's text fit for logs, tables and JSON: printable
// ASCII without quotes and backslashes, cut at limit bytes.
func printable(s string, limit int) string {
	clean := func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' {
			return '?'
		}
		return r
	}
	return strings.Map(clean, s[:min(len(s), limit)])
}
