package main

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining/payee"
)

// Extended keys of BIP 86's account and, for test networks, of BIP 49's.
const (
	mainXpub = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
	testTpub = "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
)

func TestPayoutOptions(t *testing.T) {
	withHome(t)
	conf := writeConf(t, "address="+mainP2WPKH+"\naddress=tr([73c5da0a/86'/0'/0']"+mainXpub+"/0/*)\nfee=1.5\ndonation=0.25\ndonationaddress="+mainP2PKH+"\nminfreespace=10\n")
	cfg := mustLoad(t, "-C", conf)
	if len(cfg.own) != 2 || hex.EncodeToString(cfg.own[0].Script) != "0014751e76e8199196d454941c45d1b3a323f1433bd6" || cfg.own[1].Descriptor == nil || !cfg.own[1].Descriptor.Ranged() {
		t.Errorf("own addresses %+v", cfg.own)
	}
	if cfg.General.Fee != 1.5 || cfg.General.Donation != 0.25 || hex.EncodeToString(cfg.donee) != "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac" || cfg.General.MinFree != 10 {
		t.Errorf("%+v", cfg.General)
	}
	if cfg.payoutFile() != filepath.Join(cfg.netDir, "payout.json") {
		t.Error(cfg.payoutFile())
	}
	lines := strings.Join(cfg.payoutTerms(), "\n")
	for _, want := range []string{"Fee: 1.5 % of the jobs", "Donation: 0.25 % of all jobs pay " + mainP2PKH} {
		if !strings.Contains(lines, want) {
			t.Errorf("the log lacks %q: %s", want, lines)
		}
	}
	if got := cfg.payoutNotice(); got != "this node keeps a fee of 1.5 % and donates 0.25 % of your work, by lot" {
		t.Error(got)
	}
	// The command line replaces the list.
	if cfg = mustLoad(t, "-C", conf, "--address="+mainP2TR, "--fee=0", "--donation=0"); len(cfg.own) != 1 || cfg.payoutNotice() != "" || len(cfg.payoutTerms()) != 0 {
		t.Errorf("%+v, %q, %q", cfg.own, cfg.payoutNotice(), cfg.payoutTerms())
	}
	if cfg = mustLoad(t, "--address="+mainP2TR, "--address=", "--address="+mainP2PKH); len(cfg.own) != 1 || len(cfg.own[0].Script) != 25 {
		t.Errorf("%+v", cfg.own)
	}
	if cfg = mustLoad(t, "--address="+mainP2TR, "--address="); len(cfg.own) != 0 || !slices.Contains(cfg.payoutTerms(), "No --address is set: miners must log in with an address of their own") {
		t.Errorf("%+v, %q", cfg.own, cfg.payoutTerms())
	}
	if _, err := payee.ParseDescriptor("wpkh("+testTpub+"/0/*)", &chaincfg.TestNet4Params); err != nil {
		t.Error(err)
	}
}

func TestPayoutOptionErrors(t *testing.T) {
	withHome(t)
	address := "--address=" + mainP2WPKH
	for want, args := range map[string][]string{
		"--fee: it must be a number, such as 1.5":                                {"--fee=much", address},
		"--fee: it must be from 0 to 100 percent":                                {"--fee=101", address},
		"--fee: it must be from 0 to 100":                                        {"--fee=NaN", address},
		"--fee: this needs --address":                                            {"--fee=1"},
		"--fee: with --donation it makes more than 100 percent":                  {"--fee=60", "--donation=50", address, "--donationaddress=" + mainP2PKH},
		"--donation: it must be from 0 to 100 percent":                           {"--donation=-1", "--donationaddress=" + mainP2PKH},
		"--donation: this needs --donationaddress":                               {"--donation=1", address},
		"--donationaddress: one address is needed here, not a descriptor":        {"--donationaddress=wpkh(" + mainXpub + "/0/*)"},
		"is an address of regtest; this node works on mainnet":                   {"--donationaddress=" + regP2WPKH},
		"--address: the same address is named twice":                             {address, address},
		"--address: an extended key alone does not say what addresses it is for": {"--address=" + mainXpub},
		"--address: the extended key is not one of Bitcoin's mainnet":            {"--address=wpkh(" + testTpub + "/0/*)"},
		"--address: the checksum behind # does not match":                        {"--address=wpkh(" + mainXpub + "/0/*)#aaaaaaaa"},
		"--address: it may be given 100 times at most":                           slices.Repeat([]string{address}, payee.MaxSources+1),
		"--minfreespace: it must be from 0":                                      {"--minfreespace=-1"},
	} {
		wantError(t, want, args...)
	}
	wantError(t, `line 1: fee: "much" is not a number`, "-C", writeConf(t, "fee=much\n"))
}
