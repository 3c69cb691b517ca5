package stratum

import (
	"testing"

	"github.com/p2poold/p2poold/blockchain/target"
)

// TestAuxSolutionsReachTheSource: a device's hash that solves a block of another chain
// goes to the source though it is neither share nor block; one that does not, or is
// below the device's difficulty, does not.
func TestAuxSolutionsReachTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		work := newFakeWork(0, hard)
		work.job.AuxTarget = target.FromDifficulty(16 * easy)
		h := newHarness(t, work, func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		j := c.login("rig.1")
		aux := j.solve(t, 17*easy, 0, true)
		var poor uint32
		for poor = j.solve(t, easy*1.01, 0, true); ; poor = j.solve(t, easy*1.01, poor+1, true) {
			if best := j.solve(t, 15*easy, poor, true); best != poor {
				break
			}
		}
		for i, step := range []struct {
			nonce  uint32
			answer string
			solved int // that the source has by then
		}{
			{aux, accepted, 1},
			{aux, rejectedWith("22", "duplicate"), 1},
			{poor, accepted, 1},
			{j.solve(t, easy*0.99, 0, false), rejectedWith("23", "high-hash"), 1},
		} {
			c.send(j.submitLine("rig.1", step.nonce))
			if got := c.line(); got != step.answer || len(h.source.submitted()) != step.solved {
				t.Errorf("step %d: %s, %d solutions", i, got, len(h.source.submitted()))
			}
		}
		c.conn.Close()
	})
}
