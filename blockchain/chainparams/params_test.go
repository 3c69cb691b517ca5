package chainparams

import (
	"strings"
	"testing"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

func mustNew(t *testing.T, net Network, pool string, opts ...Option) *Params {
	t.Helper()
	p, err := New(net, pool, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestChainIDs pins the identity of the public pools: a change here is a change
// of consensus that starts new sharechains.
func TestChainIDs(t *testing.T) {
	tests := []struct {
		net  Network
		pool string
		want string // ChainID in byte order, first eight bytes
	}{
		{Mainnet, "main", "e1e1c45e3d5a7988"}, {Mainnet, "mini", "c113a31e38af8c1d"},
		{Testnet4, "main", "12a9e61af11ddc30"}, {Signet, "main", "a8091623ac73453d"}, {Regtest, "main", "b15e355c62ad1b38"},
	}
	for _, test := range tests {
		p := mustNew(t, test.net, test.pool)
		if got := hexPrefix(p.ChainID); got != test.want {
			t.Errorf("%v %s: ChainID begins %s, want %s", test.net, test.pool, got, test.want)
		}
	}
}

func hexPrefix(id [32]byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, b := range id[:8] {
		s.WriteByte(digits[b>>4])
		s.WriteByte(digits[b&15])
	}
	return s.String()
}

// TestChainIDsDiffer changes one thing at a time and expects another chain.
func TestChainIDsDiffer(t *testing.T) {
	seen := map[[32]byte]string{}
	add := func(name string, p *Params) {
		if before, ok := seen[p.ChainID]; ok {
			t.Errorf("%s and %s have one ChainID", before, name)
		}
		seen[p.ChainID] = name
	}
	for _, net := range []Network{Mainnet, Testnet4, Signet, Regtest} {
		for _, pool := range []string{"main", "mini", "friends"} {
			add(net.String()+" "+pool, mustNew(t, net, pool))
		}
	}
	add("custom signet 51", mustNew(t, Signet, "main", WithSignetChallenge([]byte{0x51})))
	add("custom signet 52", mustNew(t, Signet, "main", WithSignetChallenge([]byte{0x52})))
	constants := map[string]Option{
		"interval":   func(p *Params) { p.ShareInterval *= 2 },
		"half-life":  func(p *Params) { p.HalfLife *= 2 },
		"easiest":    func(p *Params) { p.EasiestBits = 0x1c00ffff },
		"uncles":     func(p *Params) { p.MaxUncles++ },
		"depth":      func(p *Params) { p.MaxUncleDepth++ },
		"nephew":     func(p *Params) { p.NephewShareDivisor++ },
		"window":     func(p *Params) { p.WindowShares++ },
		"blocks":     func(p *Params) { p.WindowBlocks++ },
		"decay":      func(p *Params) { p.DecayShares++ },
		"finder fee": func(p *Params) { p.FinderFeeDivisor++ },
		"min payout": func(p *Params) { p.MinPayout++ },
		"retention":  func(p *Params) { p.RetentionShares++ },
		"reorg":      func(p *Params) { p.MaxReorgShares++ },
		"median":     func(p *Params) { p.MedianTimeShares++ },
		"ahead":      func(p *Params) { p.MaxTimeAhead *= 2 },
		"drift":      func(p *Params) { p.MaxBitcoinTimeDrift *= 2 },
		"block rule": func(p *Params) { p.BlockEvery++ },
	}
	for name, opt := range constants {
		add("mainnet main with another "+name, mustNew(t, Mainnet, "main", opt))
	}
}

func TestPoolNames(t *testing.T) {
	for _, name := range []string{"main", "a", "0", "my-pool-2", strings.Repeat("x", 32)} {
		if _, err := New(Regtest, name); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
	for _, name := range []string{"", "-x", "A", "a/b", "..", "a b", strings.Repeat("x", 33), "ü"} {
		if _, err := New(Regtest, name); err == nil {
			t.Errorf("%q taken", name)
		}
	}
}

func TestSignetChallengeNeedsSignet(t *testing.T) {
	if _, err := New(Mainnet, "main", WithSignetChallenge([]byte{0x51})); err == nil {
		t.Error("a challenge was taken on mainnet")
	}
	if p := mustNew(t, Signet, "main", WithSignetChallenge([]byte{0x51})); p.DataDirName() == "signet-main" {
		t.Error("a custom signet shares the default signet's folder")
	}
}

func TestParseNetwork(t *testing.T) {
	for _, net := range []Network{Mainnet, Testnet4, Signet, Regtest} {
		if got, err := ParseNetwork(net.String()); err != nil || got != net {
			t.Errorf("%v: %v, %v", net, got, err)
		}
	}
	if _, err := ParseNetwork("testnet3"); err == nil || !strings.Contains(err.Error(), "testnet4") {
		t.Errorf("testnet3: error %v does not name the choices", err)
	}
}

func TestPublic(t *testing.T) {
	for _, test := range []struct {
		p    *Params
		want bool
	}{
		{mustNew(t, Mainnet, "main"), true}, {mustNew(t, Mainnet, "mini"), true},
		{mustNew(t, Mainnet, "friends"), false}, {mustNew(t, Regtest, "main"), false},
		{mustNew(t, Signet, "main", WithSignetChallenge([]byte{0x51})), false},
	} {
		if got := test.p.Public(); got != test.want {
			t.Errorf("%s: public %v", test.p.DataDirName(), got)
		}
	}
}

func TestBlockTarget(t *testing.T) {
	easy, _ := target.FromCompact(0x207fffff)
	hard, _ := target.FromCompact(0x1d00ffff)
	main, reg := mustNew(t, Mainnet, "main"), mustNew(t, Regtest, "main")
	if got := main.BlockTarget(hard, easy); got != hard {
		t.Errorf("mainnet: %v, want Bitcoin's target", got)
	}
	var want uint256.Uint256
	want.Set(&hard).DivUint64(32)
	if got := reg.BlockTarget(easy, hard); got != want {
		t.Errorf("regtest: %v, want a 32nd of the share target", got)
	}
	if got := reg.BlockTarget(hard, easy); got != hard {
		t.Errorf("regtest with a hard Bitcoin target: %v, want that", got)
	}
}

// TestRulesThatMakeNoSense are refused before there is a chain of them.
func TestRulesThatMakeNoSense(t *testing.T) {
	for want, opt := range map[string]Option{
		"easiest target": func(p *Params) { p.EasiestBits = 0 },
		"retention":      WithWindow(100, 25, 119, 20),
	} {
		if _, err := New(Regtest, "main", opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := New(Regtest, "main", WithWindow(100, 25, 120, 20)); err != nil {
		t.Errorf("just long enough: %v", err)
	}
	if _, err := New(Network(99), "main"); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("an unknown network: %v", err)
	}
}

// TestDataDirNames: pools of one machine do not share a folder.
func TestDataDirNames(t *testing.T) {
	seen := map[string]bool{}
	for _, opts := range [][]Option{nil, {WithSignetChallenge([]byte{0x51})}, {WithSignetChallenge([]byte{0x52})}} {
		p, err := New(Signet, "main", opts...)
		if err != nil {
			t.Fatal(err)
		}
		name := p.DataDirName()
		if seen[name] || !strings.HasPrefix(name, "signet-main") {
			t.Errorf("folder %q, others %v", name, seen)
		}
		seen[name] = true
	}
}
