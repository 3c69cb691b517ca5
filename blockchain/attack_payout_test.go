package blockchain_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

func mainnet(t *testing.T, opts ...chainparams.Option) *chainparams.Params {
	t.Helper()
	p, err := chainparams.New(chainparams.Mainnet, "main", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// taproot returns the i-th of a list of P2TR scripts, the longest a payee may
// have.
func taproot(i int) []byte {
	s := append([]byte{0x51, 0x20}, make([]byte, 32)...)
	binary.BigEndian.PutUint64(s[2:], uint64(i)+1)
	return s
}

func hashes(n uint64) uint256.Uint256 { return *new(uint256.Uint256).SetUint64(n) }

// TestAttackCoinbaseSpam: one miner spreads his shares over 10,000 addresses. The
// coinbase stays within its class and distributes every satoshi. Paid one by one
// they would fill it with half a megabyte.
func TestAttackCoinbaseSpam(t *testing.T) {
	const payees = 10_000
	p := mainnet(t)
	w := payout.NewWindow(p)
	for h := range uint32(payees) {
		w.AddNewest(&payout.Entry{Height: h, Work: hashes(1000 + uint64(h%7)), Payee: taproot(int(h))})
	}
	s := &share.Share{Data: share.Data{
		Version: share.Version, Payee: taproot(0), BitcoinHeight: 900_000, CoinbaseValue: 312_500_000, Tag: make([]byte, share.MaxTagMerged),
		WitnessCommitment: make([]byte, share.WitnessCommitmentSize), MergedMining: make([]byte, share.MergedMiningSize),
	}}
	// The bounds of docs/protocol.md.
	bounds := map[share.Class]int{
		share.Class12: 757, share.Class36: 1789, share.Class144: 6433, share.Class288: 12627, share.Class1152: 49779,
	}
	for _, class := range share.Classes() {
		worst := 0
		for draw := range byte(20) {
			for _, value := range []int64{312_500_000, 1, share.MaxMoney} {
				r := w.Compute(p, value, class, &chainhash.Hash{draw})
				sum := r.Finder
				for _, o := range r.Payouts {
					sum += o.Amount
				}
				size := len(s.Coinbase(&p.ChainID, r.Finder, r.Payouts))
				worst = max(worst, size)
				if sum != value || len(r.Payouts) > class.Outputs() || size > bounds[class] {
					t.Errorf("class %v: %d sat of %d in %d outputs and %d bytes", class, sum, value, len(r.Payouts), size)
				}
			}
		}
		t.Logf("class %4v: at most %5d bytes, the bound is %5d", class, worst, bounds[class])
	}
	var all []share.Payout
	for i, amount := range payout.Owed(p, w.Scores(), 312_500_000) {
		all = append(all, share.Payout{Script: taproot(i), Amount: amount})
	}
	if size := len(s.Coinbase(&p.ChainID, 0, all)); size < 8*bounds[share.Class1152] {
		t.Errorf("without classes the coinbase has %d bytes only", size)
	} else {
		t.Logf("without classes: %d bytes", size)
	}
}

// hopping is a pool in which a loyal miner and a hopper spend the same hashes,
// the hopper only at times. Per unit of work a Bitcoin block comes with the same
// chance at any time; what changes is whom it pays.
type hopping struct {
	rng       *rand.Rand
	blockWork uint64 // shares of work 1 per Bitcoin block
	// on says whether the hopper mines, by the shares since the last block and
	// those altogether.
	on func(sinceBlock, shares uint64) bool
}

// What each share is of: the rest of the pool, the loyal miner, the hopper.
const (
	rest = iota
	loyal
	hopper
	miners
)

// result of a simulation: what a miner was paid for each of his shares, and the
// hopper's gain over the loyal miner in standard deviations of its mean.
type hoppingResult struct {
	paid  [miners]float64
	sigma float64
}

func (r *hoppingResult) gain() float64 { return r.paid[hopper]/r.paid[loyal] - 1 }

// run mines so many blocks. pay is told of every share and, at a block, returns
// the part of the block that each miner gets.
func (h *hopping) run(blocks int, pay func(share uint32, miner int, block bool) *[miners]float64) hoppingResult {
	const batches = 100
	var diffs [batches]float64
	var paid, mined [miners]float64
	sinceBlock, shares := uint64(0), uint64(0)
	for b := range batches {
		var batchPaid, batchMined [miners]float64
		for range blocks / batches {
			for block := false; !block; {
				miner := h.miner(sinceBlock, shares)
				batchMined[miner]++
				block = h.rng.Uint64N(h.blockWork) == 0
				if parts := pay(uint32(shares), miner, block); block {
					for m := range miners {
						batchPaid[m] += parts[m]
					}
				}
				sinceBlock, shares = sinceBlock+1, shares+1
			}
			sinceBlock = 0
		}
		diffs[b] = batchPaid[hopper]/batchMined[hopper] - batchPaid[loyal]/batchMined[loyal]
		for m := range miners {
			paid[m] += batchPaid[m]
			mined[m] += batchMined[m]
		}
	}
	var r hoppingResult
	for m := range miners {
		r.paid[m] = paid[m] / mined[m]
	}
	mean, square := 0.0, 0.0
	for _, d := range diffs {
		mean += d / batches
		square += d * d / batches
	}
	r.sigma = mean / math.Sqrt((square-mean*mean)/(batches-1))
	return r
}

// miner draws who finds the next share: the loyal miner one in ten, the hopper
// one in five of those while he mines, half the time.
func (h *hopping) miner(sinceBlock, shares uint64) int {
	switch n := h.rng.Uint64N(20); {
	case n < 2:
		return loyal
	case n < 6 && h.on(sinceBlock, shares):
		return hopper
	}
	return rest
}

// TestAttackPoolHopping: a hopper mines only when it seems to pay best. In the
// window he is paid for each hash what the loyal miner is; where a block pays for
// the shares since the last one, he gains by mining early in the round.
func TestAttackPoolHopping(t *testing.T) {
	// The window holds 4 blocks' work as on mainnet, of 30 shares each, and its
	// weights halve in a quarter of the longest.
	const blockWork = 30
	p := mainnet(t, chainparams.WithWindow(200, 50, 400, 100))
	limitWork := hashes(blockWork)
	limit := payout.LimitFor(p, &limitWork)
	blocks := 100_000
	if testing.Short() {
		blocks = 10_000
	}
	scripts := [miners][]byte{chaingen.Script(0), chaingen.Script(1), chaingen.Script(2)}
	strategies := []struct {
		name string
		on   func(sinceBlock, shares uint64) bool
	}{
		{"early in the round", func(sinceBlock, _ uint64) bool { return sinceBlock < blockWork*43/100 }},
		{"every other window", func(_, shares uint64) bool { return shares/120%2 == 0 }},
		{"every other hour", func(_, shares uint64) bool { return shares/20_000%2 == 0 }},
	}
	for _, strategy := range strategies {
		window, entries := payout.NewWindow(p), []payout.Entry(nil)
		inWindow := func(n uint32, miner int, block bool) *[miners]float64 {
			var parts [miners]float64
			if block {
				// A share is paid by the blocks behind it, not by its own.
				scores := window.Scores()
				for i, amount := range payout.Owed(p, scores, 312_500_000) {
					for m := range miners {
						if string(scores[i].Script) == string(scripts[m]) {
							parts[m] = float64(amount)
						}
					}
				}
			}
			e := payout.Entry{Height: n, Work: hashes(1), Payee: scripts[miner]}
			window.AddNewest(&e)
			for entries = append(entries, e); window.Long(&limit, &entries[0]); entries = entries[1:] {
				window.RemoveOldest(&entries[0])
			}
			return &parts
		}
		h := &hopping{rng: rand.New(rand.NewPCG(2026, 4)), blockWork: blockWork, on: strategy.on}
		r := h.run(blocks, inWindow)
		t.Logf("in the window, %s: the hopper gains %+.2f %%, %+.2f sigma, over %d blocks", strategy.name, 100*r.gain(), r.sigma, blocks)
		if math.Abs(r.sigma) > 3 {
			t.Errorf("%s: %.2f sigma", strategy.name, r.sigma)
		}
	}

	var round [miners]float64
	proportional := func(_ uint32, miner int, block bool) *[miners]float64 {
		round[miner]++
		if !block {
			return nil
		}
		parts := round
		all := round[rest] + round[loyal] + round[hopper]
		for m := range parts {
			parts[m] *= 312_500_000 / all
		}
		round = [miners]float64{}
		return &parts
	}
	h := &hopping{rng: rand.New(rand.NewPCG(2026, 4)), blockWork: blockWork, on: strategies[0].on}
	r := h.run(blocks, proportional)
	t.Logf("paid by the round, %s: the hopper gains %+.2f %%, %+.1f sigma", strategies[0].name, 100*r.gain(), r.sigma)
	if r.gain() < 0.1 || r.sigma < 10 {
		t.Errorf("the attack gains %.3f, %.1f sigma, where it should succeed", r.gain(), r.sigma)
	}
}

// finderTable is a window of one miner with that part of the scores and 400
// others who share the rest, equally or each by his rank.
func finderTable(part float64, byRank bool) (*payout.Table, []byte) {
	const others = 400
	const scale = 1e12
	miner := chaingen.Script(777_777)
	table := new(payout.Table)
	sum := 0.0
	weight := func(i int) float64 {
		if byRank {
			return 1 / float64(i+1)
		}
		return 1
	}
	for i := range others {
		sum += weight(i)
	}
	for i := range others {
		w := hashes(uint64((1 - part) * scale * weight(i) / sum))
		table.Add(taproot(i), &w)
	}
	w := hashes(uint64(part * scale))
	table.Add(miner, &w)
	return table, miner
}

// paidTo returns what a distribution pays to a script.
func paidTo(r payout.Result, script []byte) int64 {
	for _, o := range r.Payouts {
		if string(o.Script) == string(script) {
			return o.Amount
		}
	}
	return 0
}

// TestAttackFinderPicksClass: the draw of the next block is known, so a finder
// can mine for the class that pays him best. That is worth something only when it
// is he who finds the block, at most 1/(4·12) of his income. If the draw were his
// to roll as well, it would be worth several times as much.
func TestAttackFinderPicksClass(t *testing.T) {
	const bound = 1.0 / (4 * 12)
	p := mainnet(t)
	draws := 1_500
	if testing.Short() {
		draws = 300
	}
	for _, pool := range []struct {
		name   string
		byRank bool
	}{{"400 equal others", false}, {"400 others by rank", true}} {
		worst, worstPart, worstRolled := 0.0, 0.0, 0.0
		for _, part := range []float64{0.0005, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 1.0 / 24, 0.05, 0.06, 0.08, 0.1} {
			table, miner := finderTable(part, pool.byRank)
			picked, rolled := pick(p, table, miner, part, draws)
			if picked > worst {
				worst, worstPart = picked, part
			}
			worstRolled = max(worstRolled, rolled)
		}
		t.Logf("%s: choosing the class gains at most %.2f %% of the finder's income, with %.1f %% of the hashes; the bound is %.2f %%. Choosing the draw as well would gain %.2f %%",
			pool.name, 100*worst, 100*worstPart, 100*bound, 100*worstRolled)
		// Three sigma of the sample, whose deviation is about what is owed.
		if sigma := worstPart / math.Sqrt(float64(draws)); worst > bound+3*sigma || worst < bound/4 {
			t.Errorf("%s: choosing the class gains %.4f, the bound is %.4f", pool.name, worst, bound)
		}
		if worstRolled < 2*worst {
			t.Errorf("%s: choosing the draw gains %.4f only", pool.name, worstRolled)
		}
	}
}

// pick returns the part of his income that a miner gains by choosing the class of
// his blocks after the draw, and by choosing the best of a hundred draws too.
func pick(p *chainparams.Params, table *payout.Table, miner []byte, part float64, draws int) (picked, rolled float64) {
	const value, rolls = 312_500_000, 100
	owed := part * float64(value-payout.FinderFee(p, value))
	rng := rand.New(rand.NewPCG(2026, 5))
	best := int64(0)
	for i := range draws {
		var parent chainhash.Hash
		binary.LittleEndian.PutUint64(parent[:], rng.Uint64())
		most, twelve := int64(0), int64(0)
		for _, class := range share.Classes() {
			paid := paidTo(table.Compute(p, value, class, &parent), miner)
			most = max(most, paid)
			if class == share.Class12 {
				twelve = paid
			}
		}
		// What class 12 pays on average is known, it is what is owed: only the
		// difference has to be sampled.
		picked += float64(most-twelve) / float64(draws)
		if best = max(best, most); i%rolls == rolls-1 {
			rolled += float64(best) / float64(draws/rolls)
			best = 0
		}
	}
	return part * picked / owed, part * (rolled/owed - 1)
}
