package p2p

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/budget"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// stranded makes n shares whose parents nobody has: nothing is wrong with them, and
// they can't be judged.
func stranded(n, salt int) (raw [][]byte) {
	for i := range n {
		var parent chainhash.Hash
		binary.LittleEndian.PutUint64(parent[:], uint64(salt)<<32|uint64(i+1))
		raw = append(raw, fakechain.New(parent, 5, uint32(salt)).Encode())
	}
	return raw
}

// inOneGroup makes this machine count as an address group.
func inOneGroup(s *Server) { s.budgets.exempt = func(net.Addr) bool { return false } }

// vouchedFor takes the limits off.
func vouchedFor(cfg *Config) {
	cfg.Bans.Whitelist = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// TestPushedBeyondBudget: of many shares that a peer pushes at once, those beyond the
// budget of its group are not judged but asked for, and judged when they come.
func TestPushedBeyondBudget(t *testing.T) {
	const sent = 60
	list, raw := line(sent)
	a := start(t, new(fakechain.Chain), nil, inOneGroup)
	m := meet(t, a)
	m.send(&message.Shares{Raw: raw})
	var asked []chainhash.Hash
	for len(asked) < sent-10 {
		msg, err := m.r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if get, ok := msg.(*message.GetShares); ok {
			asked = append(asked, get.IDs...)
		}
	}
	eventually(t, "the first ten are judged", func() bool { return a.chain.Len() == 10 })
	if a.chain.Accepts() != 10 || asked[0] != list[10].ID() || len(asked) != sent-10 {
		t.Errorf("%d judged, %d asked for", a.chain.Accepts(), len(asked))
	}
	m.send(&message.Shares{Raw: raw})                                         // known or asked for, all of them
	eventually(t, "the rest", func() bool { return a.Stats().Valid == sent }) // counted after they are accepted
	if st := a.Stats(); a.chain.Len() != sent || st.Invalid != 0 || a.ConnectedCount() != 1 {
		t.Errorf("%+v", st)
	}
}

// TestSyncInGroup: neither the budgets of a peer nor those of its group slow down a
// sync in which all shares were asked for.
func TestSyncInGroup(t *testing.T) {
	full := new(fakechain.Chain)
	full.Extend(5_000, 1)
	a := start(t, full, nil, inOneGroup)
	b := start(t, new(fakechain.Chain), dialing(a), inOneGroup)
	eventually(t, "synced", sameTip(a, b))
	for _, s := range []*testServer{a, b} {
		if p := s.Peers()[0]; p.Throttled != 0 || s.budgets.groups.Len() > 1 {
			t.Errorf("throttled for %v", p.Throttled)
		}
	}
	in, out := a.Peers()[0], b.Peers()[0]
	if in.Serving == 0 || out.Verifying == 0 || in.BytesOutPer[message.CmdShares] < 3_000_000 ||
		in.BytesInPer[message.CmdGetShares] < 5_000*32 || out.BytesInPer[message.CmdShares] < in.BytesOutPer[message.CmdShares] {
		t.Errorf("a sees %+v\nb sees %+v", in, out)
	}
}

// TestBackPressure: a peer that floods with what nobody asked for is not read any
// more, whatever it sends, and others are served meanwhile.
func TestBackPressure(t *testing.T) {
	for name, msg := range map[string]message.Message{
		"inv":    &message.Inv{IDs: make([]chainhash.Hash, message.MaxInv)},
		"shares": &message.Shares{Raw: stranded(250, 1)},
		"ping":   &message.Ping{Nonce: 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, new(fakechain.Chain), nil)
			honest := start(t, new(fakechain.Chain), dialing(a))
			m := meet(t, a)
			eventually(t, "connected", func() bool { return a.ConnectedCount() == 2 })
			go func() { // or else the pongs would be what holds it up
				for {
					if _, err := m.r.Next(); err != nil {
						return
					}
				}
			}()
			frame, err := message.AppendFrame(nil, a.cfg.Params.Magic, msg)
			if err != nil {
				t.Fatal(err)
			}
			frame = slices.Repeat(frame, max(1, 64<<10/len(frame)))
			flooding := func() PeerInfo {
				list := a.Peers()
				return list[slices.IndexFunc(list, func(p PeerInfo) bool { return p.UserAgent == "" })]
			}
			rest := frame // of which a part may have been written
			eventually(t, "the flood is held back", func() bool {
				m.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				n, err := m.Write(rest)
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				if rest = rest[n:]; len(rest) == 0 {
					rest = frame
				}
				return err != nil && flooding().Throttled > 0
			})
			honest.mine(3, 2)
			eventually(t, "the honest peer is heard", sameTip(a, honest))
			bad := flooding()
			if bad.BytesIn > 6<<20 {
				t.Errorf("%d bytes taken, held back for %v", bad.BytesIn, bad.Throttled)
			}
			t.Logf("%s: %d bytes taken before it was held back", name, bad.BytesIn)
		})
	}
}

// flooder sends shares that can't be judged until its connection ends.
func flooder(t *testing.T, s *testServer, wg *sync.WaitGroup, salt int) net.Conn {
	m := meet(t, s)
	frame, err := message.AppendFrame(nil, s.cfg.Params.Magic, &message.Shares{Raw: stranded(100, salt)})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		for {
			if _, err := m.Write(frame); err != nil {
				return
			}
		}
	})
	wg.Go(func() {
		for {
			if _, err := m.r.Next(); err != nil {
				return
			}
		}
	})
	return m
}

// slowChain takes its time to judge, and judges one list after the other, as the real
// one does.
type slowChain struct {
	*fakechain.Chain
	cost time.Duration // of a share
	mu   sync.Mutex
}

func (c *slowChain) AcceptAll(list []*share.Share, root chainhash.Hash) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for begun := time.Now(); time.Since(begun) < time.Duration(len(list))*c.cost; {
	}
	return c.Chain.AcceptAll(list, root)
}

// TestFloodOfShares: while fifty peers flood with shares that can't be judged and cost
// time, an honest peer's new share is judged after a few of theirs at most. Without
// the budgets it waits for all of them.
func TestFloodOfShares(t *testing.T) {
	const floods, rounds, cost = 50, 9, 100 * time.Microsecond
	limited := floodDelay(t, floods, rounds, cost, nil)
	unlimited := floodDelay(t, floods, rounds, cost, vouchedFor, func(s *Server) { s.budgets.verify = budget.NewTurns(1000) })
	half := rounds / 2
	t.Logf("an honest share beside %d floods: with budgets %v, at worst %v; without %v, at worst %v",
		floods, limited[half], limited[rounds-1], unlimited[half], unlimited[rounds-1])
	if limited[half] > unlimited[half]/2 || limited[rounds-1] > 2*time.Second {
		t.Errorf("with budgets %v, without %v", limited, unlimited)
	}
}

// floodDelay returns the times from a share's announcement to its verdict in
// ascending order.
func floodDelay(t *testing.T, floods, rounds int, cost time.Duration, change func(*Config), tune ...func(*Server)) (delays []time.Duration) {
	chain := &slowChain{Chain: new(fakechain.Chain), cost: cost}
	a := start(t, chain.Chain, func(cfg *Config) {
		cfg.Chain = chain
		if change != nil {
			change(cfg)
		}
	}, tune...)
	honest := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range floods {
		defer flooder(t, a, &wg, i+1).Close()
	}
	eventually(t, "the flood has begun", func() bool { return a.Stats().Undecided > 500 })
	for range rounds {
		begun := time.Now()
		honest.mine(1, 7)
		eventually(t, "judged", sameTip(a, honest))
		delays = append(delays, time.Since(begun))
	}
	if n := a.ConnectedCount(); n != floods+1 {
		t.Errorf("%d peers are left of %d", n, floods+1)
	}
	slices.Sort(delays)
	return delays
}

// TestReceiveMemory: what all peers together can make a node hold that is not decoded
// yet: the longest message each, but for its last byte, and a large one.
func TestReceiveMemory(t *testing.T) {
	const peers = 125
	for _, large := range []bool{false, true} {
		a := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.MaxInbound = peers })
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		msg := message.Message(&message.Shares{Raw: slices.Repeat([][]byte{make([]byte, 1000)}, 239)})
		if large {
			msg = &message.ShareTxn{Raw: [][]byte{make([]byte, message.MaxTx)}}
		}
		frame, err := message.AppendFrame(nil, a.cfg.Params.Magic, msg)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range peers {
			m := meet(t, a)
			wg.Go(func() {
				m.SetWriteDeadline(time.Now().Add(time.Second))
				m.Write(frame[:len(frame)-1]) // more than there is room for times out
			})
		}
		wg.Wait()
		taken := func() (n uint64) {
			for _, p := range a.Peers() {
				n += p.BytesIn
			}
			return n
		}
		for last := uint64(0); last != taken(); time.Sleep(100 * time.Millisecond) {
			last = taken()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		t.Logf("%d peers, large messages %v: %d kB in the heap, %d kB taken from the sockets", peers, large, held/1000, taken()/1000)
		if held > 64<<20 {
			t.Errorf("%d MB", held>>20)
		}
		a.stop()
	}
}

// TestBudgetsMatch: the limits that the budgets are derived from are those of netsync.
func TestBudgetsMatch(t *testing.T) {
	b := budget.New(10 * time.Second)
	now := time.Now()
	ask := &message.GetShares{IDs: make([]chainhash.Hash, netsync.MaxBatch)}
	for range netsync.MaxRequests {
		b.Sent(now, ask)
	}
	shares := &message.Shares{Raw: make([][]byte, netsync.MaxBatch)}
	for i := range netsync.MaxRequests {
		if v := b.Received(now, shares, 1000*netsync.MaxBatch); v.Asked != netsync.MaxBatch || v.Wait != 0 {
			t.Errorf("answer %d: %+v", i, v)
		}
	}
	if peer.ReasonTooMuch.Violation() {
		t.Error("too much is no violation")
	}
}
