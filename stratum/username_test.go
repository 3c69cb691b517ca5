package stratum

import (
	"bytes"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// regtestAddresses returns one address of each kind that can be paid.
func regtestAddresses(t testing.TB) []address.Address {
	net := &chaincfg.RegressionNetParams
	hash := bytes.Repeat([]byte{7}, 32)
	var list []address.Address
	for _, make := range []func() (address.Address, error){
		func() (address.Address, error) { return address.NewAddressPubKeyHash(hash[:20], net) },
		func() (address.Address, error) { return address.NewAddressScriptHashFromHash(hash[:20], net) },
		func() (address.Address, error) { return address.NewAddressWitnessPubKeyHash(hash[:20], net) },
		func() (address.Address, error) { return address.NewAddressWitnessScriptHash(hash, net) },
		func() (address.Address, error) { return address.NewAddressTaproot(hash, net) },
	} {
		addr, err := make()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, addr)
	}
	return list
}

func TestResolveAddresses(t *testing.T) {
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	for _, addr := range regtestAddresses(t) {
		script, err := txscript.PayToAddrScript(addr)
		if err != nil {
			t.Fatal(err)
		}
		text := addr.EncodeAddress()
		for username, worker := range map[string]string{
			text: "", text + ".rig1": "rig1", text + "_rig1": "rig1", text + ".a.b_c": "a.b_c", text + ".": "",
		} {
			id, err := n.resolve(username)
			if err != nil || !bytes.Equal(id.payee, script) || id.worker != worker || id.address != text {
				t.Errorf("%s: %+v, %v", username, id, err)
			}
		}
	}
	// Bech32 may be typed in upper case.
	upper := strings.ToUpper(regtestAddresses(t)[2].EncodeAddress())
	if id, err := n.resolve(upper + ".rig"); err != nil || id.payee == nil {
		t.Errorf("%s: %+v, %v", upper, id, err)
	}
}

// TestDATUMUserNames: a worker alone mines for the node's owner there, too. Its modifiers, behind
// a ~, are part of the worker's name; behind an address they are refused.
func TestDATUMUserNames(t *testing.T) {
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	for username, want := range map[string]string{
		".rig": "rig", regtestAddr + ".rig~mod": regtestAddr + ".rig~mod", ".rig~mod": "rig~mod", "~mod": "~mod", regtestAddr + "~mod": "",
	} {
		id, err := n.resolve(username)
		switch {
		case want == "":
			if err != errAddressNotFirst {
				t.Errorf("%s: %+v, %v", username, id, err)
			}
		case err != nil || id.name() != want || (id.payee != nil) != strings.HasPrefix(username, regtestAddr):
			t.Errorf("%s: %+v, %v", username, id, err)
		}
	}
}

func TestResolveNames(t *testing.T) {
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	for username, name := range map[string]string{
		"": "", "x": "", "X": "", "rig1": "rig1", ".rig1": "rig1", "_rig1": "rig1", "garage.rig_1": "garage.rig_1",
		"antminer": "antminer", "bc1": "bc1", "ünï\n": "?n?",
		"/512": "/512", "garage/rig_1": "garage/rig_1", " rig1\t": "rig1", " ": "", "rig1+512": "rig1+512",
		"a-name-that-is-as-long-as-an-address-2": "a-name-that-is-as-long-as-an-address-2",
	} {
		id, err := n.resolve(username)
		if err != nil || id.payee != nil || id.name() != name {
			t.Errorf("%q: %+v, name %q, %v", username, id, id.name(), err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	typo := []byte(regtestAddresses(t)[2].EncodeAddress())
	typo[10] ^= 1
	for username, text := range map[string]string{
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa.rig":                             "belongs to Bitcoin's mainnet",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4":                         "belongs to Bitcoin's mainnet",
		"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx":                         "belongs to Bitcoin's test networks",
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb":                                 "typing errors",
		"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798": "cannot pay",
		"ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9":                        "typing errors",
		string(typo):                       "typing errors",
		strings.Repeat("a", maxUsername+1): "longer than",
	} {
		if id, err := n.resolve(username); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %+v, %v", username, id, err)
		}
	}
}

// TestResolveNeverPaysTheNodeByMistake: a username that holds an address pays
// that address or is refused; with a default payee set, nothing else shows the
// miner that he works for somebody else.
func TestResolveNeverPaysTheNodeByMistake(t *testing.T) {
	const refused = -1
	const first, number = "put the address first: ADDRESS.worker", "must be a difficulty"
	tests := []struct {
		format     string  // A is the address
		difficulty float64 // suggested; refused: see text
		text       string
	}{
		{"A/1024", 1024, ""}, {"A+512", 512, ""}, {"A+0.5", 0.5, ""}, {"A/1e3", 1000, ""},
		{"A ", 0, ""}, {" A", 0, ""}, {"\tA", 0, ""}, {"A\r\n", 0, ""}, {" A+512 ", 512, ""},
		{"A+", refused, number}, {"A/", refused, number}, {"A+0", refused, number}, {"A/-1", refused, number},
		{"A++5", refused, number}, {"A/rig1", refused, number}, {"A+512.rig", refused, number},
		{"A+512/1024", refused, number}, {"A+NaN", refused, number}, {"A/Inf", refused, number},
		{`A/"5"`, refused, number}, {"A+1e99", refused, number},
		{"A-rig1", refused, first}, {"A:rig1", refused, first}, {"A@host", refused, first}, {"A,x", refused, first},
		{"A .rig1", refused, first}, {"A\x00", refused, first}, {"bitcoin:A", refused, first}, {"~A", refused, first},
		{"\u200bA", refused, first}, {"A\u200b", refused, first}, {"\u200bA.rig1", refused, first}, {"\xffA", refused, first},
		{"rig1.A", refused, first}, {"rig1_A", refused, first}, {".A", refused, first}, {"+A", refused, first},
		{"/A", refused, first}, {"rig1/A", refused, first}, {"512+A", refused, first}, {"x.A.rig1", refused, first},
	}
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	for _, addr := range regtestAddresses(t) {
		script, err := txscript.PayToAddrScript(addr)
		if err != nil {
			t.Fatal(err)
		}
		text := addr.EncodeAddress()
		for _, test := range tests {
			username := strings.Replace(test.format, "A", text, 1)
			id, err := n.resolve(username)
			switch {
			case test.difficulty == refused:
				if err == nil || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%q: pays %x, error %v", username, id.payee, err)
				}
			case err != nil || !bytes.Equal(id.payee, script) || id.name() != text || id.difficulty != test.difficulty:
				t.Errorf("%q: %+v, %v", username, id, err)
			}
		}
	}
	// Another network's, and one with a typing error, behind a worker's name.
	for _, username := range []string{
		"rig1.bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "rig1-1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
	} {
		if id, err := n.resolve(username); err == nil || !strings.Contains(err.Error(), first) {
			t.Errorf("%q: pays %x, error %v", username, id.payee, err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"", "x", ".a", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
		" bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080+512", "rig_bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"} {
		f.Add(s)
	}
	n := names{params: &chaincfg.RegressionNetParams, own: true}
	lenient := n
	lenient.nodeForInvalid = true
	f.Fuzz(func(t *testing.T, username string) {
		if id, err := lenient.resolve(username); err == nil && id.payee == nil {
			for _, piece := range pieces(username) {
				if script, _ := n.payee(piece); script != nil {
					t.Fatalf("%q mines for the node", username)
				}
			}
		}
		id, err := n.resolve(username)
		if err != nil {
			return
		}
		if (id.address == "") != (id.payee == nil) || id.payee != nil && share.CheckPayee(id.payee) != nil {
			t.Fatalf("%q has the address %q and pays the script %x", username, id.address, id.payee)
		}
		for _, c := range []byte(id.name()) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q has the name %q", username, id.name())
			}
		}
	})
}

// TestResolveWithoutDefault: a node without an address of its own wants one from
// each miner.
func TestResolveWithoutDefault(t *testing.T) {
	n := names{params: &chaincfg.RegressionNetParams}
	addr := regtestAddresses(t)[2].EncodeAddress()
	if id, err := n.resolve(addr + ".w"); err != nil || id.payee == nil {
		t.Errorf("%s: %v", addr, err)
	}
	for _, name := range []string{"", "x", ".rig", "rig"} {
		if _, err := n.resolve(name); err == nil || !strings.Contains(err.Error(), "Bitcoin address") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
