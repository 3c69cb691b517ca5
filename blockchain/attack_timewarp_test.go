package blockchain_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/target"
)

// A difficultyRule returns the bits of the share that follows shares with these
// times, seconds after the fork, of which the first eleven lie at or before it.
type difficultyRule func(times []int64, last uint32) uint32

// The fork from which an attacker mines in private stands where mainnet's
// difficulty is 2²⁰ times the easiest: 20 half-lives ahead of the schedule.
const forkDoublings = 20

// asertRule is the sharechain's rule.
func asertRule(p *chainparams.Params) difficultyRule {
	asert := p.Asert()
	ahead := forkDoublings * asert.HalfLife / asert.Spacing // shares
	return func(times []int64, _ uint32) uint32 {
		bits, err := asert.Next(p.EasiestBits, times[len(times)-1]+asert.Spacing, ahead+int64(len(times)-forkHistory))
		if err != nil {
			panic(err)
		}
		return bits
	}
}

// retargetRule scales the target every so many shares by the time they took, at
// most by the factor up or down, as Bitcoin does.
func retargetRule(p *chainparams.Params, every int, factor float64) difficultyRule {
	limit := bitsToTarget(p.EasiestBits)
	spacing := p.ShareInterval.Seconds()
	return func(times []int64, last uint32) uint32 {
		mined := len(times) - forkHistory
		if mined == 0 || mined%every != 0 {
			return last
		}
		// Bitcoin's window leaves out the interval before its first block.
		from := len(times) - every
		if every == 1 {
			from--
		}
		seconds := max(1, times[len(times)-1]-times[from])
		took := float64(seconds) / (spacing * float64(max(1, every-1)))
		took = min(max(took, 1/factor), factor)
		return targetToBits(min(bitsToTarget(last)*took, limit))
	}
}

func bitsToTarget(bits uint32) float64 {
	return math.Ldexp(float64(bits&0x7fffff), 8*(int(bits>>24)-3))
}

func targetToBits(t float64) uint32 {
	n := target.FromDifficulty(math.Ldexp(0xffff, 208) / t)
	return target.ToCompact(&n)
}

func bitsToWork(bits uint32) float64 { return math.Ldexp(1, 256) / bitsToTarget(bits) }

// forkHistory is how many shares of the public chain the rules look back on.
const forkHistory = 11

// warp is the setting of a time-warp: an attacker mines in private with as many
// hashes as the pool has in some time and publishes at its end.
type warp struct {
	params  *chainparams.Params
	rule    difficultyRule
	seconds int64 // of mining
	latest  int64 // time that a share may have when it is published
}

// A plan chooses the time of each share between the earliest that the median
// allows, 0, and the latest, 1; -1 is the true time. It has one gene for each
// part of the hashes and one for each place in a group of twenty shares; the
// later time of the two counts.
type plan struct {
	trend  [24]float64
	period [20]float64
}

func honestPlan() plan {
	var p plan
	for i := range p.trend {
		p.trend[i] = -1
	}
	for i := range p.period {
		p.period[i] = -1
	}
	return p
}

// outcome is what the hashes yielded: the work of the chain in whole shares, its
// number of shares, and the credit of the work in the payout window, decay
// included, all with mean luck.
type outcome struct {
	work, credit float64
	shares       int
	works        []float64
}

// maxWarpShares ends runs whose difficulty has collapsed; the rest of the hashes
// gets no more credit than those before.
const maxWarpShares = 12_000

func (w *warp) run(p plan) outcome {
	times := make([]int64, 0, 1024)
	for i := range int64(forkHistory) {
		times = append(times, (i-forkHistory+1)*10)
	}
	fork := w.rule(times, w.forkBits())
	budget := bitsToWork(fork) * float64(w.seconds) / w.params.ShareInterval.Seconds()
	var o outcome
	spent, bits := 0.0, w.forkBits()
	for {
		bits = w.rule(times, bits)
		work := bitsToWork(bits)
		weight := float64(payout.Weight(w.params, uint32(o.shares), 0))
		if o.shares == maxWarpShares {
			o.work += budget - spent
		}
		if spent+work > budget || o.shares == maxWarpShares {
			o.credit += (budget - spent) * weight // the mean of an unfinished search
			return o
		}
		spent += work
		o.work, o.credit, o.shares = o.work+work, o.credit+work*weight, o.shares+1
		o.works = append(o.works, work)
		times = append(times, w.timeOf(p, times, spent/budget))
	}
}

func (w *warp) forkBits() uint32 {
	return targetToBits(math.Ldexp(bitsToTarget(w.params.EasiestBits), -forkDoublings))
}

// timeOf applies the plan to a share found when that part of the time has gone.
func (w *warp) timeOf(p plan, times []int64, part float64) int64 {
	recent := slices.Clone(times[len(times)-forkHistory:])
	slices.Sort(recent)
	earliest := recent[forkHistory/2] + 1
	gene := max(p.trend[min(int(part*float64(len(p.trend))), len(p.trend)-1)], p.period[(len(times)-forkHistory)%len(p.period)])
	if gene < 0 {
		return max(earliest, int64(part*float64(w.seconds)))
	}
	return earliest + int64(gene*float64(max(0, w.latest-earliest)))
}

// climb searches for the plan with the most credit for the same hashes, until
// that is enough.
func (w *warp) climb(rng *rand.Rand, steps int, enough float64) outcome {
	best := honestPlan()
	o := w.run(best)
	for range steps {
		if o.credit >= enough {
			break
		}
		next := best
		for range 1 + rng.IntN(4) {
			gene := []float64{-1, 0, 1, rng.Float64()}[rng.IntN(4)]
			if n := rng.IntN(len(next.trend) + len(next.period)); n < len(next.trend) {
				next.trend[n] = gene
			} else {
				next.period[n-len(next.trend)] = gene
			}
		}
		if got := w.run(next); got.credit >= o.credit {
			best, o = next, got
		}
	}
	return o
}

// TestAttackTimeWarp: an hour's hashes in private, with whatever timestamps are
// best. Work is work under any rule, as it is counted by the target; but the
// lower the difficulty, the more shares, and the less the decay leaves of what
// others had in the window. Under the rules that gains nothing to speak of;
// under a windowed retarget, or without a bound on time, it does.
func TestAttackTimeWarp(t *testing.T) {
	params, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3600
	ahead := int64(params.MaxTimeAhead / time.Second)
	steps := 4_000
	if testing.Short() {
		steps = 400
	}
	for _, test := range []struct {
		name     string
		warp     warp
		succeeds bool
	}{
		{"the rules", warp{params, asertRule(params), hour, hour + ahead}, false},
		{"retarget every 20 shares", warp{params, retargetRule(params, 20, 4), hour, hour + ahead}, true},
		{"no bound on time", warp{params, asertRule(params), hour, 1 << 31}, true},
	} {
		rng := rand.New(rand.NewPCG(2026, 1))
		honest := test.warp.run(honestPlan())
		best := test.warp.climb(rng, steps, 1.2*honest.credit)
		work, credit := best.work/honest.work-1, best.credit/honest.credit-1
		t.Logf("%-25s work %+6.2f %%, credit %+6.2f %%, %d shares instead of %d", test.name+":", 100*work, 100*credit, best.shares, honest.shares)
		if test.succeeds != (credit > 0.2) || !test.succeeds && (work > 0.01 || credit > 0.01) {
			t.Errorf("%s: gains of %.4f work and %.4f credit", test.name, work, credit)
		}
	}
}

// TestAttackLongTimeWarp: what the decay gives a private chain grows with its
// length. It can stand ahead of the schedule by the shares that its own hashes
// can still pay for, some half-lives, so a day's hashes, as many as a
// reorganisation takes, get an eighth more credit. Their chain has no more work
// for it: whoever publishes it has outmined everybody else for a day.
func TestAttackLongTimeWarp(t *testing.T) {
	params, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	late := honestPlan()
	for i := range late.trend {
		late.trend[i] = 1
	}
	for seconds, atMost := range map[int64]float64{4 * 3600: 0.03, int64(params.MaxReorgShares) * 10: 0.13} {
		w := &warp{params, asertRule(params), seconds, seconds + 90}
		honest, warped := w.run(honestPlan()), w.run(late)
		work, credit := warped.work/honest.work-1, warped.credit/honest.credit-1
		t.Logf("%2d hours in private, all times the latest: work %+.2f %%, credit %+.2f %%", seconds/3600, 100*work, 100*credit)
		if work > 0.01 || credit > atMost {
			t.Errorf("%d s: gains of %.4f work and %.4f credit", seconds, work, credit)
		}
	}
}

// TestAttackDifficultyRaising: with all times as early as the median allows, a
// private chain becomes harder than its miner is strong, and few lucky shares
// stand for a whole chain. ASERT gives it no leap to be lucky with; a target
// that follows each share does.
func TestAttackDifficultyRaising(t *testing.T) {
	params, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	const attacker, seconds = 0.4, 600
	early := honestPlan()
	for i := range early.trend {
		early.trend[i] = 0
	}
	chance := func(rule difficultyRule, p plan) float64 {
		// More time than there is, so that a lucky run finds its shares too.
		w := &warp{params, rule, 3 * seconds, 3*seconds + 90}
		works := w.run(p).works
		pool := works[0] * seconds / params.ShareInterval.Seconds()
		rng := rand.New(rand.NewPCG(2026, 2))
		const trials = 20_000
		won := 0
		for range trials {
			spent, found := 0.0, 0.0
			for _, work := range works {
				if spent += rng.ExpFloat64() * work; spent > attacker*pool {
					break
				}
				found += work
			}
			if found > (1-attacker)*pool {
				won++
			}
		}
		return float64(won) / trials
	}
	asert, follow := asertRule(params), retargetRule(params, 1, math.Inf(1))
	honest, raised, leap := chance(asert, honestPlan()), chance(asert, early), chance(follow, early)
	t.Logf("a miner of 40 %% overtakes ten minutes of the pool with a chance of %.2f %%, raising the difficulty %.2f %%; with a target that follows each share %.2f %%",
		100*honest, 100*raised, 100*leap)
	if raised-honest > 0.01 {
		t.Errorf("raising the difficulty gains %.4f", raised-honest)
	}
	if leap-honest < 0.05 {
		t.Errorf("the attack gains %.4f where it should succeed", leap-honest)
	}
}

// TestAttackTimejack: a share dated an hour ahead would make the next ones easy.
// It waits until its time has come; without the bound it is taken at once.
//
//	g - a0 - … - a399 - ahead
func TestAttackTimejack(tt *testing.T) {
	ease := func(maxAhead time.Duration, seconds int) (float64, error) {
		t := newTest(tt, func(p *chainparams.Params) {
			p.ShareInterval, p.HalfLife, p.MaxTimeAhead = 10*time.Second, 30*time.Minute, maxAhead
		})
		t.Next("g", "")
		t.accept("g")
		last := "g"
		for i := range 400 { // twice as hard after 200
			name := fmt.Sprint("a", i)
			t.Next(name, last, chaingen.Later(-9))
			t.accept(name)
			last = name
		}
		before := bitsToWork(t.chain.Tip().NextBits)
		t.now = t.start().Add(400 * time.Second)
		t.Next("ahead", last, chaingen.Later(seconds))
		_, err := t.chain.Accept(t.decoded("ahead"), t.now)
		return before / bitsToWork(t.chain.Tip().NextBits), err
	}
	far, err := ease(90*time.Second, 3600)
	if !errors.Is(err, blockchain.ErrTimeTooNew) || far != 1 {
		tt.Errorf("an hour ahead: %v, the next share is %.2f times easier", err, far)
	}
	near, err := ease(90*time.Second, 80)
	if err != nil || near > 1.04 {
		tt.Errorf("90 seconds ahead: %v, the next share is %.2f times easier", err, near)
	}
	off, err := ease(365*24*time.Hour, 3600)
	if err != nil || off < 3 {
		tt.Errorf("without the bound: %v, the next share is %.2f times easier", err, off)
	}
	tt.Logf("one share dated ahead makes the next ones %.3f times easier at most; without the bound on time %.2f times by an hour", near, off)
}
