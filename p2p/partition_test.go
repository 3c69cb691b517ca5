package p2p

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/internal/lossynet"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/peer"
)

// TestCutLink: the only link between two nodes is cut, in both directions or in one,
// while both find shares. However long that lasts, a minute after its end they are one
// network again, and no dead connection is left for long.
func TestCutLink(t *testing.T) {
	both := func(from, to int) bool { return true }
	there := func(from, to int) bool { return to == 1 }
	back := func(from, to int) bool { return to == 0 }
	for name, cut := range map[string]func(from, to int) bool{"both ways": both, "there": there, "back": back} {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for length := time.Second; length < 24*time.Hour; length = length * 5 / 4 {
				synctest.Test(t, func(t *testing.T) { took = append(took, cutLink(t, cut, length)) })
			}
			slices.Sort(took)
			t.Logf("%d cuts of up to a day: one tip %v after their end in the median, at the latest after %v",
				len(took), took[len(took)/2], took[len(took)-1])
		})
	}
}

func cutLink(t *testing.T, cut func(from, to int) bool, length time.Duration) time.Duration {
	const within = time.Minute
	net := lossynet.Simulated(2, uint64(length))
	t.Cleanup(func() { net.Close() })
	net.SetAll(lossynet.Link{Delay: 50 * time.Millisecond})
	addr := func(i int) string { return fmt.Sprintf("%v:9333", net.Host(i).Addr()) }
	var servers []*testServer
	for i := range 2 {
		servers = append(servers, start(t, new(fakechain.Chain), func(cfg *Config) {
			cfg.Listen, cfg.NetListen, cfg.Dial = []string{addr(i)}, net.Host(i).Listen, net.Host(i).Dial
			if i == 0 {
				cfg.AddNode = []string{addr(1)}
			}
		}, func(s *Server) { s.backoffMin = backoffMin }))
	}
	a, b := servers[0], servers[1]
	a.mine(1, 1)
	eventually(t, "one tip", sameTip(a, b))

	net.Down(cut)
	time.Sleep(length / 3)
	a.mine(1, 2)
	time.Sleep(length / 3)
	b.mine(2, 3)
	time.Sleep(length / 3)
	net.Heal()
	healed := time.Now()
	for !sameTip(a, b)() {
		if time.Since(healed) > within {
			t.Errorf("no common tip %v after a cut of %v", within, length)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(healed)
	time.Sleep(peer.SilenceTimeout + peer.PingInterval)
	if a.ConnectedCount() != 1 || b.ConnectedCount() != 1 {
		t.Errorf("after a cut of %v the nodes have %d and %d connections", length, a.ConnectedCount(), b.ConnectedCount())
	}
	return took.Round(100 * time.Millisecond)
}
