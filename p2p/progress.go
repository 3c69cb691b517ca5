package p2p

import (
	"fmt"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
)

// logProgress is called at most once per progressInterval, so that peers can't
// flood the log.
func (s *Server) logProgress() {
	if pr := s.Progress(); pr.Syncing {
		s.cfg.Log.Infof("Syncing the sharechain: %s", describe(&pr))
	}
}

// describe says how far a sync has come: "41 % (62,000 of 151,000 shares), 9,800/s,
// 9 s left". What only unproven peers claim is called an estimate.
func describe(pr *netsync.Progress) string {
	done, total := pr.Shares()
	text := fmt.Sprintf("%d %% (%s of %s shares)", int(pr.Percent()), grouped(uint64(done)), grouped(uint64(total)))
	if pr.Estimate {
		text += ", an estimate"
	}
	if pr.Rate > 0 {
		text += fmt.Sprintf(", %s/s", grouped(uint64(pr.Rate+0.5)))
	}
	if pr.Left > 0 {
		text += ", " + remaining(pr.Left) + " left"
	}
	return text
}

// remaining writes a duration in its largest unit or two: "9 s", "3 min 20 s", "2 h 5 min".
func remaining(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}

// grouped writes a number with a comma before every three digits.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
