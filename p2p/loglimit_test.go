package p2p

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/budget"
)

// TestLogLimit: a flood of lines fills at most 1 MiB an hour, warnings have room
// beside it, what is left out is told, and debug lines are what the operator wants.
func TestLogLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := limitLog(slog.NewBackend(&out).Logger("PEER"))
		text := strings.Repeat("x", 300)
		for i := range 3 * 3600 {
			for range 20 {
				log.Infof("Connected to %s", text)
			}
			if i%60 == 0 {
				log.Warn("a warning")
			}
			time.Sleep(time.Second)
		}
		limit := int(3*3600*logRate) + logBurst
		lines := strings.Count(out.String(), "\n")
		t.Logf("%d bytes, %d lines of %d in three hours, at most %d bytes", out.Len(), lines, 3*3600*20, limit)
		if out.Len() > limit || out.Len() < limit/3 {
			t.Errorf("%d bytes in three hours, at most %d", out.Len(), limit)
		}
		if n := strings.Count(out.String(), "a warning"); n != 180 {
			t.Errorf("%d warnings of 180", n)
		}
		if !strings.Contains(out.String(), "lines before this one were left out") {
			t.Error("what is left out is not told")
		}
		out.Reset()
		log.SetLevel(slog.LevelDebug)
		for range 10_000 {
			log.Debugf("debug %s", text)
		}
		if strings.Count(out.String(), "\n") != 10_000 {
			t.Error("debug lines are left out")
		}
		out.Reset()
		log.SetLevel(slog.LevelOff)
		time.Sleep(time.Hour)
		log.Errorf("an error")
		log.Critical("worse")
		if out.Len() != 0 {
			t.Errorf("%q is written", out.String())
		}
	})
}

// TestLogWithoutLimit: with room for any number of lines the same flood fills the disk.
func TestLogWithoutLimit(t *testing.T) {
	var out bytes.Buffer
	log := limitLog(slog.NewBackend(&out).Logger("PEER"))
	log.info = lineLimit{bytes: budget.NewBucket(0, math.MaxFloat64)}
	for range 10_000 {
		log.Infof("Connected to %s", strings.Repeat("x", 300))
	}
	if out.Len() < 10_000*300 || out.Len() < 10*logBurst {
		t.Errorf("%d bytes of a flood are written", out.Len())
	}
}
