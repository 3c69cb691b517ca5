package docs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
)

func TestUncleCounts(t *testing.T) {
	// a0 - a1 - a2(b1)
	//   \- b1
	params, err := chainparams.New(chainparams.Regtest, "main", chaingen.Easy)
	if err != nil {
		t.Fatal(err)
	}
	g, chain := chaingen.New(t, params), blockchain.New(params)
	genesis := g.Bitcoin("genesis")
	if err := chain.AddBitcoinHeader(&genesis.Header, 0); err != nil {
		t.Fatal(err)
	}
	now := genesis.Header.Timestamp.Add(24 * time.Hour)

	g.Next("a0", "")
	g.Next("a1", "a0")
	g.Next("b1", "a0", chaingen.Payee(1))
	g.Next("a2", "a1", chaingen.Uncles("b1"))
	for _, name := range []string{"a0", "a1", "b1", "a2"} {
		if _, err := chain.Accept(g.Share(name).Share, now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if n := chain.Stats().Uncles; n != 1 {
		t.Errorf("%d uncles, want 1", n)
	}
}

// TestChaingenExample: the test above is the one that testing.md shows.
func TestChaingenExample(t *testing.T) {
	_, source, _ := strings.Cut(read(t, "docs/chaingen_test.go"), "\nfunc TestUncleCounts(")
	source, _, _ = strings.Cut(source, "\n}\n")
	if !strings.Contains(read(t, "docs/testing.md"), "```go\nfunc TestUncleCounts("+source+"\n}\n```") {
		t.Error("testing.md shows another test than this file")
	}
}
