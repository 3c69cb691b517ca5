package bitcoind

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/p2poold/p2poold/mining"
)

// knownRules are the consensus rules, as nodes name them in templates (BIP 9), that the
// pool's blocks follow. Those that restrict transactions only are followed by taking the
// node's own selection.
var knownRules = []string{
	"csv",       // BIP 68, 112, 113
	"segwit",    // BIP 141: the coinbase carries a witness commitment
	"taproot",   // BIP 341, 342
	"signet",    // BIP 325
	"testdummy", // has no meaning, test networks only
	"bip34",     // heights in coinbases
	"bip65",     // CHECKLOCKTIMEVERIFY
	"bip66",     // strict DER
}

// checkRules checks that we can make a block by the rules of the template. Rules that
// are unknown but optional never stop us: the node says that by leaving out the "!".
func (c *Client) checkRules(r *templateJSON) error {
	for _, rule := range r.Rules {
		name, mandatory := strings.CutPrefix(rule, "!")
		if mandatory && !slices.Contains(knownRules, name) {
			return newError(ErrUnknownRule, "Bitcoin now has the mandatory rule %q, which this version of p2poold "+
				"doesn't know; upgrade p2poold", clip(name))
		}
	}
	// Our headers don't have the template's version: devices roll its bits.
	if missing := r.VBRequired &^ mining.SignalledBits; missing != 0 {
		return newError(ErrUnknownRule, "Bitcoin now requires the version bits %08x in blocks, which this version of "+
			"p2poold doesn't signal; upgrade p2poold", missing)
	}
	// Nodes that know BIP 145 report a weight limit wherever segwit is active.
	if r.WeightLimit == nil {
		return newError(ErrTooOld, "the Bitcoin node at %s offers no segwit templates; upgrade it", c.end.addr)
	}
	return c.checkChallenge(r.SignetChallenge)
}

// checkChallenge checks that the node is on our signet: all signets have the same
// genesis block. btcd doesn't report the challenge, so nothing can be checked there.
func (c *Client) checkChallenge(reported string) error {
	if c.challenge == nil || reported == "" || strings.EqualFold(reported, hex.EncodeToString(c.challenge)) {
		return nil
	}
	return newError(ErrWrongNetwork, "the Bitcoin node at %s is on another signet (challenge %s, not %x); "+
		"correct --bitcoind or the signet challenge", c.end.addr, clip(reported), c.challenge)
}
