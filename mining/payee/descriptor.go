package payee

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

const (
	// maxDescriptor bounds the text of a descriptor, in bytes: an extended key has 111, and
	// origin and path take some dozens.
	maxDescriptor = 1000
	// maxSteps bounds the steps behind an extended key, each of which costs some 0.1 ms;
	// usual are two.
	maxSteps = 16
	// MaxIndex is the last address of a descriptor: the higher half of BIP 32's indices is
	// hardened, which a public key cannot do.
	MaxIndex = hdkeychain.HardenedKeyStart - 1
)

// form is what a descriptor's output scripts are.
type form string

const (
	formPKH   form = "pkh"
	formWPKH  form = "wpkh"
	formNest  form = "sh(wpkh"
	formTR    form = "tr"
	nestClose      = "))"
)

// Descriptor describes output scripts that the keys below one extended public key can
// spend: pkh(KEY), wpkh(KEY), sh(wpkh(KEY)) or tr(KEY).
type Descriptor struct {
	form   form
	key    *hdkeychain.ExtendedKey // after all steps but the star
	ranged bool                    // it ends with a star
}

// IsDescriptor tells whether a text was meant as a descriptor, or as an extended key,
// rather than as an address.
func IsDescriptor(text string) bool {
	return strings.ContainsAny(text, "()[]/*#") || extendedKeyPrefix(text) != ""
}

// ParseDescriptor reads a descriptor, with or without its checksum. net is the Bitcoin
// network that its key must be for. Errors say what to do, and never repeat the key.
func ParseDescriptor(text string, net *chaincfg.Params) (*Descriptor, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxDescriptor {
		return nil, fmt.Errorf("a descriptor of more than %d characters", maxDescriptor)
	}
	if prefix := extendedKeyPrefix(text); prefix != "" {
		return nil, bareKey(prefix)
	}
	expression, err := cutChecksum(text)
	if err != nil {
		return nil, err
	}
	d := new(Descriptor)
	var key string
	if d.form, key, err = splitForm(expression); err != nil {
		return nil, err
	}
	if d.key, d.ranged, err = parseKey(key, net); err != nil {
		return nil, err
	}
	_, err = d.Script(0)
	return d, err
}

// splitForm takes a descriptor apart.
func splitForm(text string) (form, string, error) {
	const usage = "write wpkh(KEY), tr(KEY), pkh(KEY) or sh(wpkh(KEY))"
	for _, f := range []form{formNest, formWPKH, formPKH, formTR} {
		inner, ok := strings.CutPrefix(text, string(f)+"(")
		if !ok {
			continue
		}
		end := ")"
		if f == formNest {
			end = nestClose
		}
		if inner, ok = strings.CutSuffix(inner, end); !ok {
			return "", "", fmt.Errorf("the brackets of the descriptor do not match: %s", usage)
		}
		switch {
		case f == formTR && strings.Contains(inner, ","):
			return "", "", errors.New("tr() with a script tree is not supported: give tr(KEY)")
		case strings.ContainsAny(inner, "(),{}"):
			return "", "", fmt.Errorf("one key alone is supported: %s", usage)
		}
		return f, inner, nil
	}
	name, _, found := strings.Cut(text, "(")
	if !found {
		return "", "", fmt.Errorf("it is not a descriptor: %s", usage)
	}
	if len(name) > len("sortedmulti_a") {
		name = "it"
	}
	return "", "", fmt.Errorf("descriptors with %s() are not supported: %s", name, usage)
}

// parseKey reads "[origin]xpub/steps/*".
func parseKey(text string, net *chaincfg.Params) (key *hdkeychain.ExtendedKey, ranged bool, err error) {
	if text, err = cutOrigin(text); err != nil {
		return nil, false, err
	}
	text, path, _ := strings.Cut(text, "/")
	if key, err = parseExtended(text, net); err != nil {
		return nil, false, err
	}
	if path == "" {
		return key, false, nil
	}
	steps := strings.Split(path, "/")
	if len(steps) > maxSteps {
		return nil, false, fmt.Errorf("a path of more than %d steps", maxSteps)
	}
	if steps[len(steps)-1] == "*" {
		ranged, steps = true, steps[:len(steps)-1]
	}
	for _, text := range steps {
		step, err := parseStep(text)
		if err != nil {
			return nil, false, err
		}
		if step > MaxIndex || text == "*'" || text == "*h" || text == "*H" {
			return nil, false, fmt.Errorf("the step %q behind the extended key is hardened, which needs the private key: "+
				"give the extended public key after that step", text)
		}
		if key, err = key.Derive(step); err != nil {
			return nil, false, fmt.Errorf("the step %q: %w", text, err)
		}
	}
	return key, ranged, nil
}

// parseStep reads a step of a path; a hardened one is at least HardenedKeyStart.
func parseStep(text string) (uint32, error) {
	digits := strings.TrimRight(text, "'hH")
	switch hardened := len(text) - len(digits); {
	case strings.HasPrefix(text, "<"):
		return 0, errors.New("a path of several branches (<0;1>) is not supported: give the one for receiving, usually 0")
	case digits == "*" && hardened == 1:
		return hdkeychain.HardenedKeyStart, nil
	case digits == "*":
		return 0, errors.New("a * may stand at the end of the path only")
	case hardened > 1 || digits == "" || strings.Trim(digits, "0123456789") != "":
		return 0, errors.New("each step of a path must be a number, and the last may be *")
	default:
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n > MaxIndex {
			return 0, fmt.Errorf("a step of a path is at most %d", MaxIndex)
		}
		return uint32(n) + uint32(hardened)*hdkeychain.HardenedKeyStart, nil
	}
}

// cutOrigin takes off "[fingerprint/steps]", which says where the key comes from and is
// of no use here.
func cutOrigin(text string) (string, error) {
	if !strings.HasPrefix(text, "[") {
		return text, nil
	}
	inner, rest, found := strings.Cut(text[1:], "]")
	if !found {
		return "", errors.New("the origin of the key lacks its closing ]")
	}
	fingerprint, path, steps := strings.Cut(inner, "/")
	if _, err := hex.DecodeString(fingerprint); err != nil || len(fingerprint) != 8 {
		return "", errors.New("the origin of the key must begin with a fingerprint of 8 hex digits")
	}
	if steps {
		for step := range strings.SplitSeq(path, "/") {
			if _, err := parseStep(step); err != nil || strings.HasPrefix(step, "*") {
				return "", errors.New("the origin of the key must be [fingerprint/step/step]")
			}
		}
	}
	return rest, nil
}

// parseExtended reads an extended public key of a network.
func parseExtended(text string, net *chaincfg.Params) (*hdkeychain.ExtendedKey, error) {
	switch prefix := extendedKeyPrefix(text); {
	case strings.HasSuffix(prefix, "prv"):
		return nil, errPrivate
	case prefix != "" && prefix != "xpub" && prefix != "tpub":
		return nil, bareKey(prefix)
	}
	key, err := hdkeychain.NewKeyFromString(text)
	switch {
	case errors.Is(err, hdkeychain.ErrBadChecksum):
		return nil, errors.New("the extended key has a typing error: its checksum does not match")
	case err != nil:
		return nil, errors.New("the key must be an extended public key (BIP 32), xpub… or on test networks tpub…")
	case key.IsPrivate():
		return nil, errPrivate
	case string(key.Version()) != string(net.HDPublicKeyID[:]):
		return nil, fmt.Errorf("the extended key is not one of Bitcoin's %s: mainnet has xpub…, test networks have tpub…", net.Name)
	}
	return key, nil
}

// errPrivate answers a key that nobody should have given us.
var errPrivate = errors.New("this is an extended private key: whoever has it can spend the coins. " +
	"A mining node needs the public one, xpub… or tpub…, only")

// extendedKeyPrefix returns the first four characters of what looks like an extended key.
func extendedKeyPrefix(text string) string {
	const shortest = 100 // they have 111 characters
	if len(text) < shortest || strings.ContainsAny(text[:4], "()[") {
		return ""
	}
	if kind := text[1:4]; kind != "pub" && kind != "prv" || !strings.Contains("xtyzuvYZUV", text[:1]) {
		return ""
	}
	return text[:4]
}

// bareKey says what to write instead of an extended key alone: what scripts it is for does
// not follow from it, or follows from prefixes that BIP 32 does not know.
func bareKey(prefix string) error {
	switch prefix {
	case "xprv", "tprv", "yprv", "zprv", "uprv", "vprv", "Yprv", "Zprv", "Uprv", "Vprv":
		return errPrivate
	case "xpub", "tpub":
		return fmt.Errorf("an extended key alone does not say what addresses it is for: write wpkh(%s…/0/*) or tr(%s…/0/*)", prefix, prefix)
	case "ypub", "upub":
		return fmt.Errorf("%s… keys are not supported: export the key as xpub (tpub on test networks) and write sh(wpkh(xpub…/0/*))", prefix)
	case "zpub", "vpub":
		return fmt.Errorf("%s… keys are not supported: export the key as xpub (tpub on test networks) and write wpkh(xpub…/0/*)", prefix)
	}
	return fmt.Errorf("%s… keys are for several signatures and not supported", prefix)
}

// Ranged tells whether the descriptor has many addresses or one.
func (d *Descriptor) Ranged() bool { return d.ranged }

// ID names the descriptor's addresses: two ways to write the same have the same ID. It
// does not reveal the key.
func (d *Descriptor) ID() string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %t %s", d.form, d.ranged, d.key))
	return hex.EncodeToString(hash[:8])
}
