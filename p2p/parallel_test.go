package p2p

import (
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/peer"
)

// fullNodes starts n nodes with the same chain of so many shares.
func fullNodes(t *testing.T, n, shares int) (list []*testServer) {
	for range n {
		chain := new(fakechain.Chain)
		chain.Extend(shares, 1)
		list = append(list, start(t, chain, nil))
	}
	return list
}

// TestParallelSync: a newcomer fetches the chain from all its peers, though one of
// them goes amid the sync.
func TestParallelSync(t *testing.T) {
	noLeaks(t)
	const shares = 8_000
	for _, leaves := range []bool{false, true} {
		full := fullNodes(t, 4, shares)
		chain, ready := new(fakechain.Chain), make(chan struct{})
		chain.OnAccept = func(*share.Share) { <-ready }
		fresh := start(t, chain, dialing(full...))
		eventually(t, "all are connected", func() bool { return fresh.ConnectedCount() == len(full) })
		close(ready)
		got := make(map[string]uint64) // bytes, by peer
		eventually(t, "sync", func() bool {
			for _, p := range fresh.Peers() {
				got[p.Addr] = max(got[p.Addr], p.BytesIn)
			}
			if leaves && chain.Len() > shares/4 {
				leaves = false
				fresh.mu.Lock()
				fresh.peers[1].Disconnect(peer.ReasonConnection, nil)
				fresh.mu.Unlock()
			}
			return sameTip(full[0], fresh)()
		})
		if st := fresh.Stats(); chain.Len() != shares || st.Invalid+st.Stalls != 0 || chain.Longest() > verifyChunk {
			t.Errorf("%d shares, at most %d at a time, %+v", chain.Len(), chain.Longest(), st)
		}
		helped := 0
		for _, n := range got {
			if n > 1<<19 {
				helped++
			}
		}
		t.Logf("%d peers sent %v bytes", helped, got)
		if helped < 2 {
			t.Errorf("only %d peers were asked", helped)
		}
		for _, s := range append(full, fresh) {
			s.stop()
		}
	}
}
