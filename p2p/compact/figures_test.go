package compact

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestFigures: the limits are those of the tables in docs/p2p.md. Other tests use the
// constants themselves, and would follow them anywhere.
func TestFigures(t *testing.T) {
	for _, f := range []struct {
		name      string
		got, want int
	}{
		{"lists kept", maxLists, 8},
		{"bytes of their transactions", maxPoolBytes, 16 << 20},
		{"places for a share", maxAttempts, 3},
		{"places for a block", maxBlockAttempts, 10},
		{"lists of all shares", maxAttemptsAll, 24},
		{"lists before the verdict", maxEarly, 24},
		{"bytes of all lists", maxAttemptBytes, 12_000_000},
		{"bytes of one list", maxBlockBytes, 4_000_000},
		{"answers for one share", maxAnswered, 3},
		{"strikes", maxStrikes, 3},
		{"blocks remembered", maxBlocks, 8},
		{"past blocks", maxPastBlocks, 1_000},
		{"longest transaction", message.MaxTx, 1_000_000},
	} {
		if f.got != f.want {
			t.Errorf("%s: %d, documented are %d", f.name, f.got, f.want)
		}
	}
	if attemptTimeout != 30*time.Second {
		t.Errorf("wait for an answer: %v, documented are 30 s", attemptTimeout)
	}
}

// TestListBytes: a list that takes more bytes of transactions than a block can have ends
// with an error, a block at its longest does not.
func TestListBytes(t *testing.T) {
	for _, test := range []struct {
		last int
		ok   bool
	}{{390_000, true}, {500_000, false}} {
		r := newNet(t, 1, meshed).nodes[0]
		a := &attempt{key: new(idKey)}
		err := error(nil)
		for i, script := range []int{900_000, 900_000, 900_000, 900_000, test.last} {
			lastTx++
			tx := transaction(lastTx, script)
			a.txs = append(a.txs, nil)
			a.missing, a.ids = append(a.missing, i), append(a.ids, a.key.short(&tx.WTxID))
			if err != nil {
				t.Fatalf("after %d bytes: %v", a.bytes, err)
			}
			err = r.fill(a, &message.ShareTxn{First: i, Raw: [][]byte{tx.Raw}})
		}
		if test.ok != (err == nil) || err != nil && !isKind(err, ErrTxn) {
			t.Errorf("%d bytes: %v", a.bytes, err)
		}
	}
}
