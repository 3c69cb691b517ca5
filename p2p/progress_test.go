package p2p

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
)

func TestDescribe(t *testing.T) {
	tests := []struct {
		pr   netsync.Progress
		want string
	}{
		{netsync.Progress{Syncing: true, Reached: 62_000, Target: 151_000, Rate: 9800, Left: 9 * time.Second},
			"41 % (62,000 of 151,000 shares), 9,800/s, 9 s left"},
		{netsync.Progress{Syncing: true, Began: 1_000_000, Reached: 1_062_000, Target: 1_151_000, Rate: 0.6, Left: 100*time.Second - 1},
			"41 % (62,000 of 151,000 shares), 1/s, 1 min 40 s left"},
		{netsync.Progress{Syncing: true, Target: 1_000_000, Estimate: true}, "0 % (0 of 1,000,000 shares), an estimate"},
		{netsync.Progress{Syncing: true, Reached: 9_999, Target: 10_000, Left: 3*time.Hour + 61*time.Second}, "99 % (9,999 of 10,000 shares), 3 h 1 min left"},
		{netsync.Progress{Syncing: true, Began: 5, Reached: 5, Target: 5}, "0 % (0 of 0 shares)"},
	}
	for _, test := range tests {
		if got := describe(&test.pr); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
