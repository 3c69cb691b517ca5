package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
)

// knownAddress is the only one that fakeMiners knows, validAddress one of nobody.
const knownAddress, validAddress = "bc1known", "bc1valid"

// fakeBackend counts how often it is asked.
type fakeBackend struct {
	reason  string
	onlyTLS bool
	status  Status
	blocks  []Block
	miner   Miner
	err     error

	askedStatus, askedBlocks, askedMiners, askedMiner int
}

func (b *fakeBackend) Reason() string { return b.reason }

func (b *fakeBackend) OnlyTLS(local net.Addr) bool { return local != nil && b.onlyTLS }

func (b *fakeBackend) Status(context.Context) (*Status, error) {
	b.askedStatus++
	status := b.status
	return &status, b.err
}

func (b *fakeBackend) Blocks(_ context.Context, count int) ([]Block, error) {
	b.askedBlocks++
	return b.blocks[:min(count, len(b.blocks))], b.err
}

func (b *fakeBackend) Miners(context.Context) (Miners, error) {
	b.askedMiners++
	return &fakeMiners{b}, b.err
}

type fakeMiners struct{ b *fakeBackend }

// Miner knows knownAddress, and that what begins with bc1 is an address.
func (m *fakeMiners) Miner(address string, workers int) (*Miner, error) {
	m.b.askedMiner++
	switch {
	case address == "" || len(address) > maxAddress:
		panic("no address asked for")
	case !strings.HasPrefix(address, "bc1"):
		return nil, ErrNoAddress
	case !strings.HasPrefix(address, knownAddress):
		return &Miner{Address: address, Workers: []Worker{}, Payout: Payout{Known: true, Classes: []Chance{}}}, nil
	}
	miner := m.b.miner
	miner.Address = address
	miner.Workers = miner.Workers[:min(workers, len(miner.Workers))]
	return &miner, nil
}

// working is a node where all is well.
func working() *fakeBackend {
	return &fakeBackend{
		status: Status{
			Name: "p2poold", Version: "1.2.3", Network: "mainnet", Pool: "main", Height: 12345, LastShare: 1_700_000_000, Bitcoin: 910_000,
			Difficulty: 98_765, PoolHashRate: 1.5e15, BlockTime: 7_200, HashRate: 2e12, Connections: 42, Workers: 17, Peers: 7,
			Working: true, Reasons: []string{}, NeedsAddress: true, TLS: true, Fingerprint: strings.Repeat("ab", 32),
			Next: Next{Known: true, Height: 910_001, Value: 315_002_500, FinderFee: 1_575_012, Payees: 16, Shares: 360, Uncles: 4},
		},
		blocks: []Block{
			{Hash: strings.Repeat("0", 48) + "1111222233334444", Height: 909_999, Time: 1_699_990_000, Value: 312_500_000, Status: "accepted", Confirmations: 2},
			{Hash: strings.Repeat("0", 48) + "5555666677778888", Height: 909_000, Time: 1_699_000_000, Value: 312_600_000, Status: "orphaned", Confirmations: -1},
		},
		miner: Miner{
			Connections: 2, HashRate: 3e12, Accepted: 1_000, Stale: 5, Rejected: 6, BestDifficulty: 4e6, LastSubmit: 1_700_000_000, WorkerCount: 1,
			Payout: Payout{
				Known: true, Shares: 36, Uncles: 1, Place: 9, Part: 0.012, Owed: 3_761_129,
				Classes: []Chance{{Class: 12, Probability: 0.8, Amount: 4_701_412}, {Class: 36, Exact: true, Probability: 1, Amount: 3_761_129}},
			},
			Workers: []Worker{{
				Name: "attic", UserAgent: "bitaxe/1.0", Connections: 2, HashRate: 3e12, HashRateDay: 2e12, Accepted: 1_000, Stale: 5, Duplicate: 2,
				LowDifficulty: 4, Difficulty: 2_048, BestDifficulty: 4e6, LastSubmit: 1_700_000_000, Class: 36,
			}},
		},
	}
}

func ask(h http.Handler, method, path, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
