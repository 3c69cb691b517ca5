package netsync

import (
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// collect answers a request and returns the ids served and not found.
func collect(t *testing.T, c Chain, request message.Message) (served, missing []chainhash.Hash, messages int) {
	t.Helper()
	Answer(c, request, func(m message.Message) bool {
		messages++
		if m.Size() > m.MaxPayload() {
			t.Errorf("%s of %d bytes", m.Command(), m.Size())
		}
		switch m := m.(type) {
		case *message.Inv:
			served = append(served, m.IDs...)
		case *message.NotFound:
			missing = append(missing, m.IDs...)
		case *message.Shares:
			for _, raw := range m.Raw {
				s, err := share.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				served = append(served, s.ID())
			}
		}
		return true
	})
	return served, missing, messages
}

func TestAnswerGetShares(t *testing.T) {
	c := new(fakechain.Chain)
	ids := c.Extend(100, 1)
	no := chainhash.Hash{1}
	tests := []struct {
		name    string
		req     message.GetShares
		served  []chainhash.Hash
		missing []chainhash.Hash
	}{
		{"by id, as asked", message.GetShares{IDs: []chainhash.Hash{ids[9], ids[3]}}, []chainhash.Hash{ids[9], ids[3]}, nil},
		{"twice is once", message.GetShares{IDs: []chainhash.Hash{ids[9], ids[9]}}, ids[9:10], nil},
		{"ancestors first", message.GetShares{IDs: ids[9:10], Parents: 3}, ids[6:10], nil},
		{"up to the first share", message.GetShares{IDs: ids[2:3], Parents: 64}, ids[:3], nil},
		{"up to a stop", message.GetShares{IDs: ids[9:10], Parents: 64, Stops: ids[5:6]}, ids[6:10], nil},
		{"overlapping", message.GetShares{IDs: []chainhash.Hash{ids[5], ids[8]}, Parents: 4}, ids[1:9], nil},
		{"unknown", message.GetShares{IDs: []chainhash.Hash{no, ids[7]}, Parents: 1}, ids[6:8], []chainhash.Hash{no}},
		{"only unknown", message.GetShares{IDs: []chainhash.Hash{no}}, nil, []chainhash.Hash{no}},
	}
	for _, test := range tests {
		served, missing, _ := collect(t, c, &test.req)
		if !slices.Equal(served, test.served) || !slices.Equal(missing, test.missing) {
			t.Errorf("%s: %d served, %d missing", test.name, len(served), len(missing))
		}
	}
}

func TestAnswerGetLocator(t *testing.T) {
	c := new(fakechain.Chain)
	ids := c.Extend(3000, 1)
	tests := []struct {
		name string
		req  message.GetLocator
		want []chainhash.Hash
	}{
		{"from the start", message.GetLocator{Max: 2000}, ids[:2000]},
		{"no more than fit", message.GetLocator{Max: 1 << 31}, ids[:2000]},
		{"after a locator", message.GetLocator{Locator: []chainhash.Hash{{1}, ids[2990], ids[5]}, Max: 2000}, ids[2991:]},
		{"to a stop", message.GetLocator{Stop: ids[4], Max: 2000}, ids[:5]},
		{"nothing new", message.GetLocator{Locator: ids[2999:], Max: 2000}, nil},
		{"none wanted", message.GetLocator{}, nil},
	}
	for _, test := range tests {
		served, _, messages := collect(t, c, &test.req)
		if !slices.Equal(served, test.want) || messages != 1 {
			t.Errorf("%s: %d ids in %d messages, want %d", test.name, len(served), messages, len(test.want))
		}
	}
}

// fatChain serves shares of the greatest size for every id.
type fatChain struct{ Chain }

func (fatChain) Share(id chainhash.Hash) ([]byte, error) {
	if id[31] == 1 {
		return nil, errors.New("not here")
	}
	return make([]byte, share.MaxEncodedSize), nil
}

func (fatChain) Ancestors(id chainhash.Hash, generations int, _ []chainhash.Hash) []chainhash.Hash {
	list := make([]chainhash.Hash, 4*generations)
	for i := range list {
		list[i] = chainhash.Hash{id[0], byte(i), byte(i >> 8), 1}
	}
	return list
}

// TestAnswerLimits: an answer is at most 1 MB, in messages of about 128 KiB, and
// every id asked for is accounted for.
func TestAnswerLimits(t *testing.T) {
	req := &message.GetShares{Parents: message.MaxParents}
	for i := range message.MaxGetShares {
		req.IDs = append(req.IDs, chainhash.Hash{byte(i), 0xff, 0xff, 0xff})
	}
	total, shares, missing := 0, 0, 0
	Answer(fatChain{}, req, func(m message.Message) bool {
		switch m := m.(type) {
		case *message.Shares:
			shares += len(m.Raw)
			total += m.Size()
			if m.Size() > answerChunk+share.MaxEncodedSize+3*len(m.Raw)+3 {
				t.Errorf("message of %d bytes", m.Size())
			}
		case *message.NotFound:
			missing += len(m.IDs)
		}
		return true
	})
	if total > maxAnswerBytes+10_000 || total < maxAnswerBytes*9/10 || missing == 0 || missing > len(req.IDs) {
		t.Errorf("%d bytes, %d shares, %d missing", total, shares, missing)
	}

	// send says when to stop.
	calls := 0
	Answer(fatChain{}, req, func(message.Message) bool {
		calls++
		return false
	})
	if calls != 1 {
		t.Errorf("%d messages after the peer has gone", calls-1)
	}
}

// walkCounter counts the generations that a request makes the chain walk.
type walkCounter struct {
	fatChain
	generations int
}

func (c *walkCounter) Ancestors(id chainhash.Hash, generations int, _ []chainhash.Hash) []chainhash.Hash {
	c.generations += generations
	list := make([]chainhash.Hash, generations)
	for i := range list {
		list[i] = chainhash.Hash{byte(i), 0, 1} // every id has the same
	}
	return list
}

// TestPlanWalk: a request doesn't make the chain walk further than an answer can
// be long, even if all its ids have the same ancestors.
func TestPlanWalk(t *testing.T) {
	req := &message.GetShares{Parents: message.MaxParents}
	for i := range message.MaxGetShares {
		req.IDs = append(req.IDs, chainhash.Hash{byte(i), 0xff})
	}
	c := new(walkCounter)
	list := plan(c, req)
	if most := maxAnswerShares - len(req.IDs); c.generations > most || c.generations < most-message.MaxParents {
		t.Errorf("%d generations, at most %d", c.generations, most)
	}
	if len(list) != len(req.IDs)+message.MaxParents {
		t.Errorf("%d ids", len(list))
	}
}
