package stratum

import (
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
)

// What becomes of submissions, and how large a coinbase is.

// TestESPRejectTexts: dashboards group rejects by the text, and some by the code, which is why
// they never change.
func TestESPRejectTexts(t *testing.T) {
	for e, want := range map[*stratumError]stratumError{
		errBadParams:     {20, "bad-params"},
		errBadExtranonce: {20, "bad-extranonce2"},
		errTimeTooOld:    {20, "time-too-old"},
		errTimeTooNew:    {20, "time-too-new"},
		errBadVersion:    {20, "bad-version"},
		errShareRefused:  {20, "share-refused"},
		errJobFull:       {20, "job-full"},
		errMalformed:     {20, "malformed message"},
		errUnknownMethod: {20, "unknown method"},
		errUnsupported:   {20, "not supported"},
		errUnknownWork:   {21, "unknown-work"},
		errStalePrevBlk:  {21, "stale-prevblk"},
		errDuplicateWork: {22, "duplicate"},
		errHighHash:      {23, "high-hash"},
		errUnauthorized:  {24, "unauthorized worker"},
		errNotSubscribed: {25, "not subscribed"},
	} {
		if *e != want {
			t.Errorf("%+v, want %+v", *e, want)
		}
	}
}

// TestESPWorkUsedTwiceIsDuplicate: the same header is a duplicate under whichever job it
// comes.
func TestESPWorkUsedTwiceIsDuplicate(t *testing.T) {
	scene(t, newFakeWork(0, easy), nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		next := c.job()
		next.extranonce1 = j.extranonce1
		nonce := next.solve(t, easy, 0, true)
		c.send(next.submitLine("rig", nonce))
		c.want(accepted)
		rolled := j
		rolled.ntime = next.ntime // the old job with its time rolled
		c.send(rolled.submitLine("rig", nonce))
		c.want(rejectedWith("22", "duplicate"))
		// Another connection's is another header.
		other := h.connect()
		defer other.conn.Close()
		theirs := other.login("rig")
		if theirs.extranonce1 == j.extranonce1 {
			t.Error("two connections with one extranonce")
		}
	})
}

// TestAntminerWorksOn: it loses time whenever it has to drop its work. A share does not make it,
// and what it was doing then is good; a Bitcoin block does.
func TestAntminerWorksOn(t *testing.T) {
	runWorkReplay(t, `
		login bmminer/2.0.0
		share
		job
		mine old
		> $OLDSUBMIT
		accepted
		> $OLDSUBMIT
		rejected 22 duplicate
		tip
		job clean
		mine old
		> $OLDSUBMIT
		rejected 21 stale-prevblk
		mine plain
		> $SUBMIT
		accepted
		`)
}

// TestCoinbaseThatEachClientCarries: it has as many payouts as the device behind the user agent
// is known to hash, and no fewer.
func TestCoinbaseThatEachClientCarries(t *testing.T) {
	for agent, class := range map[string]share.Class{
		"cpuminer/2.5.1": share.Class288,
		"cgminer/4.11.1": share.Class12,
		"bfgminer/5.5.0": share.Class12,
		"bmminer/2.0.0":  share.Class12,
		"Antminer S19/Mon Dec 25 10:00:00 CST 2023": share.Class12,
		"Antminer S21/Mon Dec 25 10:00:00 CST 2023": share.Class36,
		"Antminer S21 Pro/Mon Dec 25 10:00:00":      share.Class12,
		"a;bosminer-plus-tuner 0.9.0-db69f9bc":      share.Class36,
		"LUXminer 2025.7.10":                        share.Class12,
		"xminer-1.2.6":                              share.Class288,
		"PowerPlay-BM/1.14.0":                       share.Class288,
		"whatsminer/v1.1":                           share.Class144,
		"bitaxe/BM1370/v2.9.0":                      share.Class36,
		"NerdMinerV2/1.8.1":                         share.Class12,
		"SparkMiner/2.0":                            share.Class12,
		"NiceHash/1.0.0":                            share.Class12,
		"MiningRigRentals/1.0":                      share.Class12,
		"":                                          share.Class12,
	} {
		t.Run(agent, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				work := newPayoutWork(0, 2000)
				h := newHarness(t, work, nil)
				defer h.stop()
				v := h.visit(agent, "", "rig")
				defer v.conn.Close()
				job, _ := work.Job(nil, class)
				if got, want := v.job.size(), coinbaseSize(job); got != want {
					t.Errorf("a coinbase of %d bytes, want %d", got, want)
				}
			})
		})
	}
}
