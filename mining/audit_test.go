package mining

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// auditFixture returns work whose payouts no job has been made of yet.
func auditFixture(t *testing.T) (*fixture, *classWork) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(300, payee) })
	f.SetTemplate(f.template(5))
	return f, f.Work().classes[share.Class144]()
}

// TestAuditOfCoinbase: no job leaves whose coinbase's bytes are not what they have to be.
func TestAuditOfCoinbase(t *testing.T) {
	const lastOutput = 8 + 1 + 38 + 1 // of the shared bytes
	for name, tc := range map[string]struct {
		damage func(*classWork)
		says   string
	}{
		"nothing": {func(*classWork) {}, ""},
		"garbage": {func(c *classWork) {
			for i := range c.shared.Bytes {
				c.shared.Bytes[i] ^= 0xff
			}
		}, "job refused"},
		"one satoshi more":   {func(c *classWork) { c.shared.Bytes[0]++ }, "its coinbase pays"},
		"a negative output":  {func(c *classWork) { c.shared.Bytes[7] = 0x80 }, "an output of its coinbase pays -"},
		"witness commitment": {func(c *classWork) { c.shared.Bytes[len(c.shared.Bytes)-2]++ }, "has the witness commitment"},
		"no commitment": {func(c *classWork) { c.shared.Bytes[len(c.shared.Bytes)-lastOutput+9]++ },
			"has the witness commitment"},
		"a byte is missing":      {func(c *classWork) { c.coinb2 = c.coinb2[:3] }, "job refused"},
		"a byte is left over":    {func(c *classWork) { c.coinb2 = append(c.coinb2, 0) }, "job refused"},
		"one output is missing":  {func(c *classWork) { c.shared.Bytes = c.shared.Bytes[len(c.shared.Bytes)-lastOutput:] }, "job refused"},
		"no outputs":             {func(c *classWork) { c.shared.Bytes = nil }, "job refused"},
		"no room for a coinbase": {func(c *classWork) { limit(c, c.variant.Weight(), DefaultSigopLimit) }, "a block of weight"},
		"room for some outputs":  {func(c *classWork) { limit(c, c.variant.Weight()+10_000, DefaultSigopLimit) }, "a block of weight"},
		"no signature operations": {func(c *classWork) { limit(c, DefaultWeightLimit, c.variant.Sigops()) },
			"signature operations"},
	} {
		f, c := auditFixture(t)
		tc.damage(c)
		for range 2 { // not the first job alone
			_, err := f.Work().Job(payee(0), share.Class144)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%s: %v, want %q", name, err, tc.says)
			}
		}
	}
}

// limit gives the variant of a class other limits.
func limit(c *classWork, weight, sigops int64) {
	v := *c.variant.Template
	v.WeightLimit, v.SigopLimit = weight, sigops
	c.variant = &variant{Template: &v, branch: c.variant.branch, commitment: c.variant.commitment}
}

// TestAuditOfInput: the height of the coinbase is the template's.
func TestAuditOfInput(t *testing.T) {
	for _, height := range []uint32{1, 16, 17, 127, 128, 0x7fff, 0x8000, 0x7fffff, 0x800000, maxTemplateHeight} {
		f := newFixture(t)
		tmpl := f.template(1)
		tmpl.Height = height
		f.SetTemplate(tmpl)
		j := f.job(payee(1), share.Class12)
		other := *tmpl
		other.Height++
		j.template = &other
		if err := j.auditBlock(); err == nil || !strings.Contains(err.Error(), "is not one of height") {
			t.Errorf("height %d in the place of %d: %v", height, other.Height, err)
		}
	}
}

// TestAuditOfHead: of each job it is looked at whom and what its coinbase pays first.
func TestAuditOfHead(t *testing.T) {
	f, c := auditFixture(t)
	for i := range 10 {
		good := f.job(payee(i), share.Class144)
		for k := range good.Head {
			bad := *good
			bad.Head = append([]byte(nil), good.Head...)
			bad.Head[k]++
			if err := bad.audit(c); err == nil {
				t.Fatalf("payee %d: byte %d of %x may be any", i, k, good.Head)
			}
		}
	}
}

// TestWeightOfAudit: the audit's sum is never above the one by which room was made, and
// not far below.
func TestWeightOfAudit(t *testing.T) {
	f, c := auditFixture(t)
	weight, sigops := c.variant.excess(&c.result)
	limit(c, DefaultWeightLimit+weight, DefaultSigopLimit+sigops)
	if _, err := f.Work().Job(payee(1), share.Class144); err != nil {
		t.Errorf("a block that was made to fit: %v", err)
	}
	p2pkh := 0
	for _, p := range c.result.Payouts {
		if txscript.IsPayToPubKeyHash(p.Script) {
			p2pkh++
		}
	}
	f, c = auditFixture(t)
	limit(c, DefaultWeightLimit, c.variant.Sigops()+int64(p2pkh*witnessScale)-1)
	if _, err := f.Work().Job(payee(1), share.Class144); err == nil {
		t.Error("one signature operation too many")
	}
}

// BenchmarkAuditBlock is what the first job of a work and class costs more.
func BenchmarkAuditBlock(b *testing.B) {
	for _, class := range []share.Class{share.Class12, share.Class1152} {
		b.Run("class "+class.String(), func(b *testing.B) {
			f := newFixture(b)
			f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, payee) })
			f.SetTemplate(f.template(100))
			j := f.job(payee(0), class)
			for b.Loop() {
				if err := j.auditBlock(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
