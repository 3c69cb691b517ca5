package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// maxTag is the length of the longest coinbase tag, in bytes (protocol.md,
// section 1).
const maxTag = 16

// maxScript bounds a signet challenge, in bytes, to what consensus allows for a
// script.
const maxScript = 10_000

// validateNetwork sets params.
func (c *config) validateNetwork() error {
	net, err := chainparams.ParseNetwork(c.General.Network)
	if err != nil {
		return c.invalid("network", err)
	}
	var opts []chainparams.Option
	if text := c.General.SignetChallenge; text != "" {
		if net != chainparams.Signet {
			return c.invalid("signetchallenge", errors.New("this needs --network=signet"))
		}
		script, err := hex.DecodeString(text)
		if err != nil || len(script) > maxScript {
			return c.invalid("signetchallenge", fmt.Errorf("this must be a script in hex of at most %d bytes", maxScript))
		}
		opts = append(opts, chainparams.WithSignetChallenge(script))
	}
	// The pool's name is all that can still be wrong.
	if c.params, err = chainparams.New(net, c.General.Pool, opts...); err != nil {
		return c.invalid("pool", err)
	}
	c.barren = barrenSignet(c.params)
	return nil
}

// validateTag checks the coinbase tag.
func (c *config) validateTag() error {
	tag := c.General.Tag
	if len(tag) > maxTag {
		return c.invalid("tag", fmt.Errorf("it has %d bytes, %d are allowed", len(tag), maxTag))
	}
	for _, r := range tag {
		if r < ' ' || r > '~' {
			return c.invalid("tag", errors.New("only printable ASCII characters are allowed"))
		}
	}
	return nil
}

// payeeScript returns the output script that pays an address, or an error that
// says what is wrong with the address: another network's, an unusable kind, a
// typing error.
func payeeScript(text string, params *chainparams.Params) ([]byte, error) {
	addr, err := decodeAddress(text, params.Bitcoin)
	if err != nil {
		if other := networksOf(text); other != "" {
			return nil, fmt.Errorf("%s is an address of %s; this node works on %v", text, other, params.Network)
		}
		return nil, fmt.Errorf("%q is not a Bitcoin address (%w): check it for missing and wrong characters", text, err)
	}
	script, err := txscript.PayToAddrScript(addr)
	if err != nil || share.CheckPayee(script) != nil {
		return nil, fmt.Errorf("%s cannot be paid to: use a P2PKH, P2SH, P2WPKH, P2WSH or P2TR address", text)
	}
	return script, nil
}

// errOtherNetwork means that an address is well formed but not of the network
// asked for.
var errOtherNetwork = errors.New("it belongs to another network")

func decodeAddress(text string, net *chaincfg.Params) (address.Address, error) {
	addr, err := address.DecodeAddress(text, net)
	switch {
	case err != nil:
		return nil, err
	case !addr.IsForNet(net):
		return nil, errOtherNetwork
	}
	return addr, nil
}

// networksOf names the networks that a well-formed address belongs to, the empty
// string if there are none. Test networks share their address formats: only
// regtest's bech32 addresses differ.
func networksOf(text string) string {
	var names []string
	for net := chainparams.Mainnet; net <= chainparams.Regtest; net++ {
		p, err := chainparams.New(net, "main")
		if err != nil {
			continue
		}
		if _, err := decodeAddress(text, p.Bitcoin); err == nil {
			names = append(names, net.String())
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}
