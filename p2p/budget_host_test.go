package p2p

import (
	"net"
	"sync"
	"testing"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestHostShares: seven connections of one host that flood are held back together, and what
// an eighth one behind the same address sends is judged as before. With a budget for each
// connection the flood is read several times as far.
func TestHostShares(t *testing.T) {
	const conns, size = MaxPerHost - 1, 64 << 10
	flooded := func(together bool) (read uint64) {
		noLeaks(t)
		g := startGuarded(t, nil, func(s *Server) {
			s.budgets.exempt = func(net.Addr) bool { return !together }
		})
		defer g.stop()
		frame, err := message.AppendFrame(nil, g.cfg.Params.Magic, &message.ShareTxn{Raw: [][]byte{make([]byte, size)}})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		for range conns {
			m := g.meetFrom(t, "16.1.0.1")
			defer m.Close()
			wg.Go(func() {
				for err := error(nil); err == nil; {
					_, err = m.Write(frame)
				}
			})
		}
		eventually(t, "all are held back", func() bool {
			n := 0
			read = 0
			for _, p := range g.Peers() {
				if read += p.BytesIn; p.Throttled > 0 {
					n++
				}
			}
			return n == conns
		})
		neighbour := g.meetFrom(t, "16.1.0.1")
		defer neighbour.Close()
		_, raw := line(1)
		neighbour.send(&message.Shares{Raw: raw})
		eventually(t, "the neighbour's share is judged", func() bool { return g.chain.Len() == 1 })
		return read
	}
	const burst = 1 << 20
	together, alone := flooded(true), flooded(false)
	t.Logf("of %d connections of a host that flood %d kB are read, %d kB if each has a budget of its own", conns, together>>10, alone>>10)
	if most := uint64(burst + (2*conns+1)*size); together > most {
		t.Errorf("%d bytes are read, at most %d", together, most)
	}
	if alone < conns*burst {
		t.Errorf("%d bytes are read with a budget for each connection: the attack is none", alone)
	}
}
