package blockchain_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// A ruleCase is one rule by what lies just inside and just outside of it. Each
// side begins with a chain of its own, see newRuleTest.
type ruleCase struct {
	kind    blockchain.ErrorKind
	name    string // of the side of the rule that the case is about
	inside  func(t *test)
	outside func(t *test, kind blockchain.ErrorKind) error // the verdict on what breaks it
}

// newRuleTest returns a chain with two shares, and Bitcoin blocks that they could
// build on:
//
//	Bitcoin: genesis - B1 - B2 - B3
//	                 \ C1
//
//	g(genesis) - a(B1)
func newRuleTest(tt *testing.T) *test {
	t := newTest(tt)
	for _, link := range [][2]string{{"B1", "genesis"}, {"B2", "B1"}, {"B3", "B2"}, {"C1", "genesis"}} {
		t.NextBitcoin(link[0], link[1])
		t.addBitcoin(link[0])
	}
	t.Next("g", "")
	t.Next("a", "g", chaingen.On("B1"))
	t.accept("g", "a")
	return t
}

// TestRules goes through every rule that a share can break, everything that it can
// wait for, and what concerns the node alone. A kind of error without a case fails.
func TestRules(t *testing.T) {
	known := map[blockchain.ErrorKind]bool{}
	for _, list := range []struct {
		cases   []ruleCase
		verdict func(error) bool
	}{
		{formRules(), is[blockchain.RuleError]},
		{chainRules(), is[blockchain.RuleError]},
		{rootRules(), is[blockchain.RuleError]},
		{bitcoinRules(), is[blockchain.RuleError]},
		{waitingRules(), is[*blockchain.UndecidedError]},
		{ownAffairs(), is[blockchain.ContextError]},
	} {
		for _, c := range list.cases {
			known[c.kind] = true
			t.Run(string(c.kind)+"/"+c.name, func(t *testing.T) {
				c.inside(newRuleTest(t))
				if err := c.outside(newRuleTest(t), c.kind); !errors.Is(err, c.kind) || !list.verdict(err) {
					t.Errorf("verdict %T %v, want %s", err, err, c.kind)
				}
			})
		}
	}
	declared := append(errorKinds(t, "."), errorKinds(t, "share")...)
	if len(declared) < 40 {
		t.Errorf("%d kinds of errors found in the source", len(declared))
	}
	for _, kind := range declared {
		if !known[kind] {
			t.Errorf("%s has no case", kind)
		}
		delete(known, kind)
	}
	if len(known) > 0 {
		t.Errorf("cases of kinds that are not declared: %v", known)
	}
}

// is reports whether an error is, or wraps, one of the type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// errorKinds reads the constants of type ErrorKind from a folder's source.
func errorKinds(t *testing.T, dir string) []blockchain.ErrorKind {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []blockchain.ErrorKind
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "ErrorKind" {
				return true
			}
			for _, value := range spec.Values {
				kind, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, blockchain.ErrorKind(kind))
			}
			return true
		})
	}
	return kinds
}

// valid is a share on a that is accepted.
func valid(opts ...chaingen.Option) func(t *test) {
	return func(t *test) {
		t.T.Helper()
		t.Next("valid", "a", opts...)
		t.accept("valid")
		t.tip("valid")
	}
}

// broken is a share on a that is refused.
func broken(opts ...chaingen.Option) func(t *test, kind blockchain.ErrorKind) error {
	return func(t *test, kind blockchain.ErrorKind) error {
		t.T.Helper()
		t.Next("broken", "a", opts...)
		return t.reject(kind, "broken")
	}
}

// edit changes share data before payouts, merkle root and proof of work are made.
func edit(f func(d *share.Data)) chaingen.Option { return chaingen.Data(f) }

// rebuild makes coinbase, merkle root and proof of work of a changed share right
// again, by the payouts that the chain itself tells, if it can.
func rebuild(c *blockchain.Chain, p *chaingen.Generator, s *share.Share) {
	result, err := c.Payouts(s.Data.Previous, p.Params.Bitcoin.PowLimitBits, s.Data.CoinbaseValue, s.Data.Class)
	if err == nil {
		s.Link = share.NewLink(s.Data.AppendCoinbasePrefix(nil, result.Finder, result.Payouts))
	}
	seal(p, s)
}

// seal makes merkle root and proof of work of a changed share right again, but not
// what its coinbase pays.
func seal(p *chaingen.Generator, s *share.Share) {
	s.SetMerkleRoot(&p.Params.ChainID)
	solve(s)
}

// solve finds a nonce for bits that are easy enough; others stay as they are.
func solve(s *share.Share) {
	t, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		return
	}
	for range 1 << 10 {
		if id := s.ID(); target.HashMeets(&id, &t) {
			return
		}
		s.Header.Nonce++
	}
}

// clone returns a deep copy.
func clone(s *share.Share) *share.Share {
	c := *s
	c.Data.Uncles, c.Branch = slices.Clone(s.Data.Uncles), slices.Clone(s.Branch)
	c.Data.Payee, c.Data.Tag = slices.Clone(s.Data.Payee), slices.Clone(s.Data.Tag)
	c.Link.Rest = slices.Clone(s.Link.Rest)
	c.Data.WitnessCommitment, c.Data.MergedMining = slices.Clone(s.Data.WitnessCommitment), slices.Clone(s.Data.MergedMining)
	return &c
}
