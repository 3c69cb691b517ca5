package chainparams

import (
	"net/netip"
	"regexp"
	"testing"
)

// TestSeeds checks the form of all seeds, and that private pools have none.
func TestSeeds(t *testing.T) {
	name := regexp.MustCompile(`^([a-z0-9-]+\.)+[a-z]+$`)
	for net := Mainnet; net <= Regtest; net++ {
		for _, pool := range []string{"main", "mini", "private"} {
			p, err := New(net, pool)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(p.DNSSeeds()) + len(p.FixedSeeds()); n > 0 && !p.Public() {
				t.Errorf("%v %s has %d seeds", net, pool, n)
			}
			for _, s := range p.DNSSeeds() {
				if !name.MatchString(s) {
					t.Errorf("%v %s: DNS seed %q", net, pool, s)
				}
			}
			for _, s := range p.FixedSeeds() {
				if _, err := netip.ParseAddrPort(s); err != nil {
					t.Errorf("%v %s: fixed seed %q", net, pool, s)
				}
			}
		}
	}
	// A custom signet is private, whatever its pool is called.
	publicSeeds[Signet]["main"] = seeds{dns: []string{"seed.example.org"}}
	defer func() { publicSeeds[Signet]["main"] = seeds{} }()
	custom, err := New(Signet, "main", WithSignetChallenge([]byte{0x51}))
	if err != nil {
		t.Fatal(err)
	}
	public, err := New(Signet, "main")
	if err != nil {
		t.Fatal(err)
	}
	if len(custom.DNSSeeds()) != 0 || len(public.DNSSeeds()) != 1 {
		t.Errorf("seeds %v and %v", custom.DNSSeeds(), public.DNSSeeds())
	}
}
