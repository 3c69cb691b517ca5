package p2p

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestPushesBeyondBudget: of shares that a peer pushes beyond the budget of its address
// group none is lost, though one is asked for while the next is on its way already.
func TestPushesBeyondBudget(t *testing.T) {
	noLeaks(t)
	g := startGuarded(t, nil)
	m := g.meetFrom(t, "16.1.0.1")
	list, raws := line(40)
	byID := make(map[chainhash.Hash][]byte)
	for i, sh := range list {
		byID[sh.ID()] = raws[i]
	}
	for _, raw := range raws { // all before the first question can be answered
		m.send(&message.Shares{Raw: [][]byte{raw}})
	}
	go func() { // an honest peer answers whatever it is asked for
		for {
			msg, err := m.r.Next()
			if err != nil {
				return
			}
			if ask, ok := msg.(*message.GetShares); ok {
				for _, id := range ask.IDs {
					frame, _ := message.AppendFrame(nil, g.cfg.Params.Magic, &message.Shares{Raw: [][]byte{byID[id]}})
					m.Write(frame)
				}
			}
		}
	}()
	eventually(t, "all shares are here", func() bool {
		_, height, _ := g.chain.Tip()
		return height == list[len(list)-1].Data.Height
	})
	m.Close()
}
