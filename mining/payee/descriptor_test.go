package payee

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Keys of the BIPs' vectors.
const (
	key380 = "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"
	key382 = "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH"
	key86  = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
	// key49 is the account of BIP 49, with private key.
	key49 = "tprv8gRrNu65W2Msef2BdBSUgFdRTGzC8EwVXnV7UGS3faeXtuMVtGfEdidVeGbThs4ELEoayCAzZQ4uUji9DUiAs7erdVskqju7hrBcDvDsdbY"
	// key84 is the account of BIP 84 in a form of its own, and with BIP 32's prefix.
	key84 = "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
)

// public returns the extended public key of a private one.
func public(t testing.TB, private string) string {
	t.Helper()
	key, err := hdkeychain.NewKeyFromString(private)
	if err == nil {
		key, err = key.Neuter()
	}
	if err != nil {
		t.Fatal(err)
	}
	return key.String()
}

// withVersion gives an extended key another prefix.
func withVersion(t testing.TB, text string, net *chaincfg.Params) string {
	t.Helper()
	key, err := hdkeychain.NewKeyFromString(text)
	if err == nil {
		key, err = key.CloneWithVersion(net.HDPublicKeyID[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return key.String()
}

// descriptor reads a sound descriptor of mainnet.
func descriptor(t testing.TB, text string) *Descriptor {
	t.Helper()
	d, err := ParseDescriptor(text, &chaincfg.MainNetParams)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// TestDescriptorVectors has the vectors of the BIPs for descriptors (381, 382, 386) and
// for accounts (49, 84, 86).
func TestDescriptorVectors(t *testing.T) {
	main, test := &chaincfg.MainNetParams, &chaincfg.TestNet4Params
	tests := []struct {
		name, text string
		net        *chaincfg.Params
		first      uint32
		scripts    []string // hex, or addresses
	}{
		{"BIP 381", "pkh([bd16bee5/2147483647h]xpub69H7F5dQzmVd3vPuLKtcXJziMEQByuDidnX3YdwgtNsecY5HRGtAAQC5mXTt4dsv9RzyjgDjAQs9VGVV6ydYCHnprc9vvaA5YtqWyL6hyds/0)", main, 0,
			[]string{"76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac"}},
		{"BIP 382", "wpkh([ffffffff/13']" + key382 + "/1/2/*)", main, 0,
			[]string{"0014326b2249e3a25d5dc60935f044ee835d090ba859", "0014af0bd98abc2f2cae66e36896a39ffe2d32984fb7", "00141fa798efd1cbf95cebf912c031b8a4a6e9fb9f27"}},
		{"BIP 86, receiving", "tr([73c5da0a/86'/0'/0']" + key86 + "/0/*)", main, 0,
			[]string{"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"}},
		{"BIP 86, change", "tr(" + key86 + "/1/*)", main, 0,
			[]string{"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"}},
		{"BIP 49", "sh(wpkh(" + public(t, key49) + "/0/*))", test, 0,
			[]string{"a914336caa13e08b96080a32b5d818d59b4ab3b3674287"}},
		{"BIP 84", "wpkh(" + withVersion(t, key84, main) + "/0/*)", main, 0,
			[]string{"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"}},
	}
	for _, test := range tests {
		d, err := ParseDescriptor(test.text, test.net)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if d.Ranged() != strings.Contains(test.text, "*") {
			t.Errorf("%s: ranged %v", test.name, d.Ranged())
		}
		for i, want := range test.scripts {
			script, err := d.Script(test.first + uint32(i))
			if err != nil || share.CheckPayee(script) != nil {
				t.Fatalf("%s: %x, %v", test.name, script, err)
			}
			got := hex.EncodeToString(script)
			if _, addrs, _, _ := txscript.ExtractPkScriptAddrs(script, test.net); !strings.Contains("0a57", want[:1]) && len(addrs) == 1 {
				got = addrs[0].EncodeAddress()
			}
			if got != want {
				t.Errorf("%s, %d: %s, want %s", test.name, i, got, want)
			}
		}
	}
}

// TestSpelling: the ways to write a descriptor make no difference.
func TestSpelling(t *testing.T) {
	plain := "wpkh(" + key380 + "/0/*)"
	sum, err := Checksum(plain)
	if err != nil {
		t.Fatal(err)
	}
	first := descriptor(t, plain)
	for _, text := range []string{
		plain + "#" + sum, " " + plain + "\t", "wpkh([d34db33f/84h/0'/0H]" + key380 + "/0/*)", "wpkh([d34db33f]" + key380 + "/00/*)",
	} {
		if descriptor(t, text).ID() != first.ID() {
			t.Errorf("%s counts as another", text)
		}
	}
	for _, text := range []string{"wpkh(" + key380 + "/1/*)", "wpkh(" + key380 + "/0)", "tr(" + key380 + "/0/*)", "sh(wpkh(" + key380 + "/0/*))", "wpkh(" + key382 + "/0/*)"} {
		if descriptor(t, text).ID() == first.ID() {
			t.Errorf("%s counts as the same", text)
		}
	}
	if len(first.ID()) != idLength {
		t.Error(first.ID())
	}
}

// TestBadDescriptors: each mistake is told apart, and no key is repeated.
func TestBadDescriptors(t *testing.T) {
	tpub := public(t, key49)
	const prv = "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc"
	tests := []struct{ text, want string }{
		{"", "not a descriptor"},
		{key380, "write wpkh(xpub…/0/*)"},
		{key380 + "/0/*", "write wpkh(xpub…/0/*)"},
		{tpub, "write wpkh(tpub…/0/*)"},
		{key84, "write wpkh(xpub…/0/*)"},
		{"y" + key380[1:], "write sh(wpkh(xpub…/0/*))"},
		{"Z" + key380[1:], "several signatures"},
		{"wpkh(" + key84 + "/0/*)", "zpub… keys are not supported"},
		{prv, "private key"}, {"wpkh(" + prv + "/0/*)", "private key"}, {"wpkh(" + key49 + "/0/*)", "private key"},
		{"wpkh(" + tpub + "/0/*)", "not one of Bitcoin's mainnet"},
		{"wpkh(" + key380[:60] + "x" + key380[61:] + "/0/*)", "typing error"},
		{"wpkh(" + key380[:60] + "/0/*)", "must be an extended public key"},
		{"wpkh(0260b2003c386519fc9eadf2b5cf124dd8eea4c4e68d5e154050a9346ea98ce600)", "must be an extended public key"},
		{"wpkh(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)", "must be an extended public key"},
		{"wpkh(" + key380 + "/0/*)#00000000", "does not match"},
		{"wpkh(" + key380 + "/0/*", "brackets"},
		{"sh(wpkh(" + key380 + "/0/*)", "brackets"},
		{"sh(" + key380 + "/0/*)", "sh() are not supported"},
		{"sh(pkh(" + key380 + "/0/*))", "sh() are not supported"},
		{"wpkh(wpkh(" + key380 + "/0/*))", "one key alone"},
		{"wpkh((" + key380 + "/0/*))", "one key alone"},
		{"tr(" + key380 + "/0/*,pk(" + key380 + "/1/*))", "script tree"}, // not cut short (BIP 386)
		{"wsh(multi(1," + key380 + "/0/*))", "wsh() are not supported"},
		{"addr(bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu)", "addr() are not supported"},
		{"wpkh(" + key380 + "/0'/*)", "is hardened"}, {"wpkh(" + key380 + "/0h/*)", "is hardened"},
		{"wpkh(" + key380 + "/0/*h)", "is hardened"}, {"wpkh(" + key380 + "/0/*')", "is hardened"},
		{"wpkh(" + key380 + "/*/0)", "end of the path only"},
		{"wpkh(" + key380 + "/<0;1>/*)", "several branches"},
		{"wpkh(" + key380 + "/)", ""}, // nothing behind the slash: the key itself, as nothing else can be meant
		{"wpkh(" + key380 + "//*)", "must be a number"}, {"wpkh(" + key380 + "/0//*)", "must be a number"},
		{"wpkh(" + key380 + "/-1/*)", "must be a number"}, {"wpkh(" + key380 + "/0hh/*)", "must be a number"},
		{"wpkh(" + key380 + "/2147483648/*)", "at most 2147483647"}, {"wpkh(" + key380 + "/99999999999999999999/*)", "at most 2147483647"},
		{"wpkh(" + key380 + strings.Repeat("/0", maxSteps+1) + ")", "more than 16 steps"},
		{"wpkh([deadbeef/0h/0h/0h/*]" + key380 + "/*)", "[fingerprint/step/step]"},
		{"wpkh([deadbeef/0h/0h/0h/]" + key380 + "/*)", "[fingerprint/step/step]"},
		{"wpkh([deadbef/0h]" + key380 + "/*)", "8 hex digits"},
		{"wpkh([deadbeefef/0h]" + key380 + "/*)", "8 hex digits"},
		{"wpkh([deadbeeg/0h]" + key380 + "/*)", "8 hex digits"},
		{"wpkh([deadbeef/0h" + key380 + "/*)", "closing ]"},
		{"wpkh(deadbeef/0h]" + key380 + "/*)", "must be an extended public key"},
		{"wpkh([deadbeef/2147483648]" + key380 + "/*)", "[fingerprint/step/step]"},
		{strings.Repeat("(", maxDescriptor+1), "more than 1000 characters"},
	}
	for _, test := range tests {
		_, err := ParseDescriptor(test.text, &chaincfg.MainNetParams)
		switch {
		case test.want == "":
			if err != nil {
				t.Errorf("%s: %v", test.text, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		case strings.Contains(err.Error(), prv[10:40]) || strings.Contains(err.Error(), key380[10:40]):
			t.Errorf("%v repeats the key", err)
		}
		if test.text != "" && test.want != "not a descriptor" && !IsDescriptor(test.text) {
			t.Errorf("%s is not taken for a descriptor", test.text)
		}
	}
	for _, text := range []string{"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "myaddress", "", "xpub"} {
		if IsDescriptor(text) {
			t.Errorf("%q is taken for a descriptor", text)
		}
	}
}

// TestIndices: addresses beyond the range are refused.
func TestIndices(t *testing.T) {
	ranged := descriptor(t, "wpkh("+key380+"/*)")
	if _, err := ranged.Script(MaxIndex); err != nil {
		t.Error(err)
	}
	if _, err := ranged.Script(MaxIndex + 1); err == nil {
		t.Error("a hardened address")
	}
	single := descriptor(t, "wpkh("+key380+"/7)")
	if _, err := single.Script(1); err == nil {
		t.Error("a second address of a descriptor of one")
	}
	a, _ := single.Script(0)
	if b, _ := ranged.Script(7); string(a) != string(b) {
		t.Errorf("%x and %x", a, b)
	}
}

// FuzzParseDescriptor: no text crashes the parser, and what it takes has scripts that can
// be paid.
func FuzzParseDescriptor(f *testing.F) {
	for _, text := range []string{
		"wpkh([ffffffff/13']" + key382 + "/1/2/*)", "tr(" + key86 + "/0/*)#00000000", "sh(wpkh(" + key380 + "))",
		"pkh(" + key380 + "/0)", key84, "tr(" + key86 + "/0/*,pk(0))", "wpkh([", "#", "sh(wpkh(",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		IsDescriptor(text)
		d, err := ParseDescriptor(text, &chaincfg.MainNetParams)
		if err != nil {
			return
		}
		script, err := d.Script(0)
		if err != nil || share.CheckPayee(script) != nil || len(d.ID()) != idLength {
			t.Fatalf("%q: %x, %v", text, script, err)
		}
		again, err := ParseDescriptor(text, &chaincfg.MainNetParams)
		if err != nil || again.ID() != d.ID() {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
