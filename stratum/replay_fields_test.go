package stratum

import (
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// How jobs and submissions are written.

// TestCpuminerPrevHash: the hash that a job builds on, here that of Bitcoin's first block, has
// each word's bytes reversed.
func TestCpuminerPrevHash(t *testing.T) {
	work := newFakeWork(0, hard)
	work.job.PrevBlock = *chaincfg.MainNetParams.GenesisHash
	scene(t, work, nil, func(t *testing.T, h *harness, c *client) {
		const want = "0a8ce26f" + "72b3f1b6" + "46a2a6c1" + "4ff763ae" + "65831e93" + "9c085ae1" + "0019d668" + "00000000"
		if got := c.login("rig").prev; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestCpuminerFieldsHaveEightDigits: it refuses numbers without their leading zeros.
func TestCpuminerFieldsHaveEightDigits(t *testing.T) {
	work := newFakeWork(0, hard)
	work.job.Version, work.job.Bits = 4, 0x03123456
	work.job.Time, work.job.MinTime = 0x0e000000, 0x0e000000
	scene(t, work, nil, func(t *testing.T, h *harness, c *client) {
		if j := c.login("rig"); j.version != "00000004" || j.bits != "03123456" || j.ntime != "0e000000" {
			t.Errorf("%+v", j)
		}
	})
}

// maxBranch is the most merkle branches that a job can have.
const maxBranch = 15

// TestAvalonBranches: it has room for 20 to 30, ckpool behind a proxy for 16. A transaction
// weighs 240 at least: without witness a version, a lock time, two counts, an input of 41
// bytes and an output of nine.
func TestAvalonBranches(t *testing.T) {
	const most = 4_000_000 / (4 * (4 + 1 + 41 + 1 + 9 + 4))
	if n := len(share.MerkleBranch(make([]chainhash.Hash, most))); n != maxBranch {
		t.Errorf("%d transactions make %d branches", most, n)
	}
}

// TestBitaxeVersionForms: devices OR, XOR or replace the bits that they roll. The three agree
// as jobs have zeros there, also if the node's template has not.
func TestBitaxeVersionForms(t *testing.T) {
	if newFakeWork(0, easy).job.Version&int32(versionMask) != int32(versionMask) {
		t.Fatal("the template has no such bits")
	}
	for _, how := range []string{"or", "xor", "replace"} {
		runReplay(t, 1, `
			login bitaxe/BM1370/v2.9.0
			mine `+how+`
			> {"id": 4, "method": "mining.submit", "params": ["rig", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
			accepted
			`)
	}
}

// TestMiningRigRentalsSixthParameter: version bits come without having been agreed on, from
// its proxy and from S21s; short, or as null when there are none.
func TestMiningRigRentalsSixthParameter(t *testing.T) {
	for bits, how := range map[string]string{`"$VBITS"`: "or", `"a34000"`: "or", `"00000000"`: "plain", `"0"`: "plain", `null`: "plain"} {
		runReplay(t, 1, `
			login MiningRigRentals/1.0
			mine `+how+`
			> {"id": 4, "method": "mining.submit", "params": ["rig", "$JOB", "$E2", "$NTIME", "$NONCE", `+bits+`]}
			accepted
			`)
	}
}

// TestNerdMinerShortFields: it writes numbers without leading zeros. The job's time here is of
// 1977, so that it has one.
func TestNerdMinerShortFields(t *testing.T) {
	work := newFakeWork(0, easy)
	work.job.Time, work.job.MinTime, work.job.MaxTime = 0x0e000000, 0x0e000000, 0x0e001000
	scene(t, work, nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		nonce := j.solve(t, easy, 0, true)
		if nonce > 0x0fffffff {
			t.Fatal("nonce without a leading zero")
		}
		c.send(fmt.Sprintf(`{"id":4,"method":"mining.submit","params":["rig","%s","%s","%s","%x"]}`, j.id, testExtranonce2, strings.TrimLeft(j.ntime, "0"), nonce))
		c.want(accepted)
		if s := h.source.submitted()[0]; s.Time != 0x0e000000 || s.Nonce != nonce {
			t.Errorf("solution %+v", s)
		}
	})
}

// TestNiceHashExtranonceLength: what a proxy that keeps a part of the extranonce for itself
// left out is never guessed at.
func TestNiceHashExtranonceLength(t *testing.T) {
	scene(t, newFakeWork(0, easy), nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		line := j.submitLine("rig", j.solve(t, easy, 0, true))
		for _, e2 := range []string{"", "1", "01", "000001", "00000000000001", "000000000000001", "00000000000000001", "000000000000000001", "000000000000000g"} {
			c.send(strings.Replace(line, testExtranonce2, e2, 1))
			if got := c.line(); got != rejectedWith("20", "bad-extranonce2") {
				t.Errorf("%q: %s", e2, got)
			}
		}
		c.send(line)
		c.want(accepted)
	})
}

// TestASICsRollTime: from the earliest that Bitcoin allows to 7,000 s ahead; each second, as
// some do, by 60 s, as BFGMiner, or with seven bits as a nonce.
func TestASICsRollTime(t *testing.T) {
	scene(t, newFakeWork(0, easy), nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		for ntime, want := range map[uint32]string{
			fakeTime - 101: rejectedWith("20", "time-too-old"), fakeTime - 100: accepted, fakeTime + 1: accepted, fakeTime + 60: accepted,
			fakeTime + 127: accepted, fakeTime + 7000: accepted, fakeTime + 7001: rejectedWith("20", "time-too-new"),
			0: rejectedWith("20", "time-too-old"), 0xffffffff: rejectedWith("20", "time-too-new"),
		} {
			rolled := j
			rolled.ntime = string(appendUint32(nil, ntime))
			c.send(rolled.submitLine("rig", rolled.solve(t, easy, 0, true)))
			if got := c.line(); got != want {
				t.Errorf("%d: %s, want %s", int64(ntime)-int64(fakeTime), got, want)
			}
		}
	})
}

// TestS9ReadsWholeDifficulties: firmware that reads an integer is never given less than one
// with a fraction.
func TestS9ReadsWholeDifficulties(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		c.send(`{"id":1,"method":"mining.subscribe","params":["bmminer/2.0.0"]}`, `{"id":2,"method":"mining.authorize","params":["rig","d=0.5"]}`)
		c.line()
		c.line()
		for range 20 { // it finds nothing for minutes
			line := c.line()
			if strings.Contains(line, "mining.set_difficulty") && !strings.Contains(line, `"params":[256]`) {
				t.Fatal(line)
			}
		}
	})
}

// TestNiceHashLeastDifficulty: it refuses orders below some 500,000, MiningRigRentals advises a
// million; ASICs are too fast for what their owners may type.
func TestNiceHashLeastDifficulty(t *testing.T) {
	for agent, want := range map[string]float64{"NiceHash/1.0.0": 524288, "MiningRigRentals/1.0": 1e6, "bmminer/2.0.0": 256, "cgminer/4.11.1": 1} {
		scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
			c.send(`{"id":1,"method":"mining.subscribe","params":["`+agent+`"]}`, `{"id":2,"method":"mining.authorize","params":["rig","d=0.5"]}`)
			c.line()
			c.line()
			if j := c.job(); j.difficulty != want {
				t.Errorf("%s: difficulty %g", agent, j.difficulty)
			}
		})
	}
}
