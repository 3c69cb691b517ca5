package stratum

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"
)

// TestLadder: verdicts in a row, one every three seconds as vardiff wants them, and the
// steps that they lead to.
func TestLadder(t *testing.T) {
	bad := []*stratumError{errHighHash, errUnknownWork, errDuplicateWork, errBadVersion, errBadExtranonce, errTimeTooOld, errUnauthorized}
	tests := []struct {
		name    string
		verdict func(i int) *stratumError
		want    []ladderStep // within 600 of them, half an hour
	}{
		{"all good", func(int) *stratumError { return nil }, nil},
		{"one in ten bad", func(i int) *stratumError { return pick(i%10 == 0, errHighHash) }, nil},
		{"two of three bad", func(i int) *stratumError { return pick(i%3 != 0, errHighHash) }, nil},
		{"stale by new blocks", func(int) *stratumError { return errStalePrevBlk }, nil},
		{"refused by the sharechain", func(int) *stratumError { return errShareRefused }, nil},
		{"a bad minute", func(i int) *stratumError { return pick(i >= 100 && i < 119, errHighHash) }, nil},
		{"helped by the new job", func(i int) *stratumError { return pick(i < 100 && i%50 < 21, errHighHash) }, []ladderStep{stepJob, stepJob}},
		{"all bad", func(i int) *stratumError { return bad[i%len(bad)] }, []ladderStep{stepJob, stepReconnect, stepDrop}},
		{"one in thirty good", func(i int) *stratumError { return pick(i%30 != 7, errHighHash) }, []ladderStep{stepJob, stepReconnect, stepDrop}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l ladder
			var got []ladderStep
			now := time.Unix(1e9, 0)
			for i := 0; i < 600 && l.step != stepDrop; i++ {
				now = now.Add(3 * time.Second)
				if step := l.note(test.verdict(i), now); step != stepNone {
					got = append(got, step)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("steps %v, want %v", got, test.want)
			}
		})
	}

	// However many there are, each step has its time.
	var l ladder
	begun := time.Unix(1e9, 0)
	now := begun
	for l.step != stepDrop {
		now = now.Add(10 * time.Millisecond)
		l.note(errHighHash, now)
	}
	if took := now.Sub(begun); took < 3*ladderPause || took > 3*ladderPause+time.Second {
		t.Errorf("dropped after %v", took)
	}
}

func pick(is bool, e *stratumError) *stratumError {
	if is {
		return e
	}
	return nil
}

// TestLadderOnTheWire: what a client that hands in nothing but misses is sent, and that the
// log has no line for each of them. The reconnect is for clients that honour it only.
func TestLadderOnTheWire(t *testing.T) {
	for _, agent := range []string{"cgminer/4.12", someRig} {
		t.Run(agent, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log bytes.Buffer
				logger := slog.NewBackend(&log).Logger("STRM")
				h := newEasyHarness(t, func(cfg *Config) {
					cfg.StartDifficulty, cfg.MinDifficulty = 4*easy, 4*easy
					cfg.Log = logger
				})
				v := h.visit(agent, "", "rig")
				first := v.works(t, "rig")
				v.conn.SetReadDeadline(time.Time{})
				var cleans, reconnects, others int
				began, j := time.Now(), v.job
				for i := 0; ; i++ {
					nonce := j.solve(t, j.difficulty, first+uint32(1000*i), false)
					if _, err := v.conn.Write([]byte(j.submitLine("rig", nonce) + "\n")); err != nil {
						break
					}
					line, ended := "", false
					for line != rejectedWith("23", "high-hash") {
						text, err := v.r.ReadString('\n')
						if ended = err != nil; ended {
							break
						}
						line = strings.TrimSuffix(text, "\n")
						switch {
						case line+"\n" == reconnectMessage:
							reconnects++
						case strings.Contains(line, `],"20000004","207fffff"`) && strings.HasSuffix(line, "true]}"):
							cleans++
						case strings.Contains(line, "show_message"):
							others++
						}
					}
					if ended {
						break
					}
					time.Sleep(3 * time.Second)
				}
				if took := time.Since(began); took < 3*ladderPause || took > 4*ladderPause {
					t.Errorf("dropped after %v", took)
				}
				if honours := agent != someRig; cleans+reconnects != 2 || (reconnects == 1) != honours || others != 0 {
					t.Errorf("%d clean jobs, %d reconnects, %d messages", cleans, reconnects, others)
				}
				time.Sleep(2 * ladderReport)
				synctest.Wait()
				if back := h.visit(agent, v.id, "rig"); back.id == v.id {
					t.Error("its session goes on")
				}
				h.stop()
				var lines []string
				for line := range strings.Lines(log.String()) {
					if strings.Contains(line, "ubmission") {
						lines = append(lines, line)
					}
				}
				if len(lines) < 1 || len(lines) > 3 {
					t.Errorf("log: %q", lines)
				}
			})
		})
	}
}

// TestLadderWaitsForCut: what a device hands in that cuts coinbases does not count until
// there is no smaller class to try.
func TestLadderWaitsForCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newPayoutWork(0, 200), carryConfig)
		defer h.stop()
		d, j := h.cutDevice("new/1", "rig", "x", garbled(0))
		defer d.conn.Close()
		surplus := func() int {
			synctest.Wait()
			s := h.server.sessions()[0]
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ladder.surplus
		}
		misses := 0
		for message := ""; !strings.HasSuffix(message, "cannot mine here"); {
			var n int
			message, n, j = d.submitUntilTold(j)
			misses += n
		}
		before := surplus() // one in 16 is not far enough off for the search
		if misses < badSurplus || before > badSurplus/4 {
			t.Errorf("%d of %d misses count", before, misses)
		}
		for range 3 {
			d.mine(&j)
			d.want(rejectedWith("23", "high-hash"))
		}
		if got := surplus(); got != before+3 {
			t.Errorf("%d after three further ones", got)
		}
	})
}
