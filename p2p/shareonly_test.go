package p2p

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// TestShareOnly: on a share-only connection shares go both ways and addresses none:
// the other side does not learn where the dialer listens, is not asked for addresses,
// and tells none by itself. Both become anchors, it first.
func TestShareOnly(t *testing.T) {
	noLeaks(t)
	others := []*testServer{start(t, new(fakechain.Chain), nil, hasty), start(t, new(fakechain.Chain), nil, hasty)}
	a := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.Discovery.Outbound, cfg.Discovery.ShareOnly = 1, 1 }, hasty)
	learn(t, a, others...)
	eventually(t, "two connections", func() bool { return a.ConnectedCount() == 2 })
	shareOnly, full := others[0], others[1]
	a.mu.Lock()
	for addr, f := range a.finder.found {
		for id, p := range a.peers {
			if p == f.peer && a.finder.gossip.peers[id] == nil && addr == addrOf(t, full) {
				shareOnly, full = full, shareOnly
			}
		}
	}
	if n := len(a.finder.gossip.peers); n != 1 {
		t.Errorf("%d peers to gossip with", n)
	}
	a.mu.Unlock()
	kinds := make(map[string]ConnectionKind)
	for _, p := range a.Peers() {
		kinds[p.Addr] = p.Kind
	}
	if kinds[shareOnly.Addr().String()] != KindShareOnly || kinds[full.Addr().String()] != KindFull || full.Peers()[0].Kind != KindInbound {
		t.Errorf("kinds of connections: %v, and to the full one %v", kinds, full.Peers()[0].Kind)
	}

	eventually(t, "the full one knows the dialer", func() bool { return full.finder.book.Contains(addrOf(t, a)) })
	shareOnly.mine(2, 1)
	full.mine(3, 2)
	eventually(t, "shares go round", sameTip(a, shareOnly, full))
	// The other side has news to tell, and an address to pass on.
	shareOnly.mu.Lock()
	g := shareOnly.finder.gossip
	if len(g.order) != 1 {
		t.Fatalf("%d peers", len(g.order))
	}
	p, now := g.peers[g.order[0]], time.Now()
	const src = 1000
	g.join(now, src, true, p.kind, netaddr.Addr{}, 0)
	g.relay(now, src, netaddr.Record{Addr: addrOf(t, full).WithPort(8), Seen: uint32(now.Unix())}, true)
	g.leave(src)
	if p.speaks || len(p.waiting) > 0 {
		t.Error("it spoke of addresses, or is to be told some")
	}
	var told []*message.Addr
	for range 12 {
		told = append(told, &message.Addr{List: []netaddr.Record{{Addr: addrOf(t, full).WithPort(7), Seen: uint32(time.Now().Unix())}}})
	}
	for _, p := range shareOnly.peers {
		for _, m := range told {
			p.Send(m)
		}
	}
	shareOnly.mu.Unlock()
	shareOnly.mine(1, 3) // arrives behind them
	eventually(t, "shares go round", sameTip(a, shareOnly, full))
	if a.finder.book.Contains(addrOf(t, full).WithPort(7)) || shareOnly.finder.book.Contains(addrOf(t, a)) {
		t.Error("an address went over a share-only connection")
	}
	a.nextDial(t.Context(), time.Now())
	if got := a.finder.book.Anchors(); len(got) != 2 || got[0] != addrOf(t, shareOnly) {
		t.Errorf("anchors %v, the share-only one is %v", got, addrOf(t, shareOnly))
	}
	if connmgr.DefaultFull+connmgr.DefaultShareOnly+1+DefaultMaxInbound != 125 {
		t.Error("not Bitcoin Core's number of connections")
	}
	for _, s := range append(others, a) {
		s.stop()
	}
}
