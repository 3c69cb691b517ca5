package budget

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestFloodWithoutBudget: of 3,000 messages of a type in a second, which is more than any
// may bring at once, not all are taken; without a budget all of them are.
func TestFloodWithoutBudget(t *testing.T) {
	const many = 3_000
	for _, m := range []message.Message{
		&message.Ping{}, &message.Pong{}, &message.Inv{IDs: ids(1)}, shares(1), &message.NotFound{IDs: ids(1)},
		&message.GetShares{IDs: ids(1)}, &message.GetLocator{}, &message.SetMode{}, &message.GetAddr{}, &message.Addr{},
		&message.AddrMe{}, &message.CmpctShare{}, &message.GetShareTxn{}, &message.ShareTxn{}, &message.Block{},
		&message.Unknown{Name: "junk"},
	} {
		taken := func(b *Budget) (n int) {
			for i := range many {
				if b.Received(at(time.Duration(i)*time.Second/many), m, size(m)).Wait > 0 {
					break
				}
				n++
			}
			return n
		}
		if n := taken(New(baseInterval)); n == many {
			t.Errorf("%s: all are taken", m.Command())
		}
		if n := taken(Unlimited()); n != many {
			t.Errorf("%s without a budget: %d are taken", m.Command(), n)
		}
	}
}
