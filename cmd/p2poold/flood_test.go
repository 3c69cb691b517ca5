package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
)

// lost makes n shares like a node's next one, with proof of work and a coinbase that
// pays as it should, on parents that nobody has.
func (j *joinNet) lost(n *joinNode, count int) (raw [][]byte) {
	j.Helper()
	tip := n.chain.Tip()
	s := j.build(n.chain, tip, true)
	result, err := n.chain.Payouts(tip.ID, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		j.Fatal(err)
	}
	for i := range count {
		s.Data.Previous = chainhash.HashH(binary.LittleEndian.AppendUint64(nil, j.made<<32|uint64(i)))
		s.SetCoinbase(&j.params.ChainID, result.Finder, result.Payouts)
		for id := s.ID(); !target.HashMeets(&id, &tip.NextTarget); id = s.ID() {
			s.Header.Nonce++
		}
		raw = append(raw, s.Encode())
	}
	return raw
}

// flood connects to a node and sends it the shares over and over, reading whatever it
// answers, until the connection ends.
func (j *joinNet) flood(wg *sync.WaitGroup, addr string, raw [][]byte) net.Conn {
	j.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		j.Fatal(err)
	}
	r := message.NewReader(conn, j.params.Magic)
	var frames []byte
	add := func(m message.Message) {
		if frames, err = message.AppendFrame(frames, j.params.Magic, m); err != nil {
			j.Fatal(err)
		}
	}
	add(&message.Version{Protocol: message.ProtocolVersion, Nonce: uint64(len(raw)), ChainID: j.params.ChainID, Mode: message.LowLatency})
	add(&message.VerAck{})
	if _, err := conn.Write(frames); err != nil {
		j.Fatal(err)
	}
	for range 2 {
		if _, err := r.Next(); err != nil {
			j.Fatal(err)
		}
	}
	frames = frames[:0]
	for part := range slices.Chunk(raw, 100) {
		add(&message.Shares{Raw: part})
	}
	wg.Go(func() {
		for {
			if _, err := conn.Write(frames); err != nil {
				return
			}
		}
	})
	wg.Go(func() {
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
	return conn
}

// TestHonestBesideFloods: while fifty peers flood a node with shares that look like the
// real thing, but for parents that nobody has, an honest peer's new share is judged
// nearly as fast as ever, and soon the floods come in at their budget. Peers that the
// operator vouches for have none.
func TestHonestBesideFloods(t *testing.T) {
	const floods, rounds = 50, 12
	for _, limited := range []bool{true, false} {
		j := newJoinNet(t, 1_000)
		first := j.start(t.TempDir())
		first.mine(200)
		j.single = true // of two siblings, the nodes may take different ones for their tip
		node := j.startWith(t.TempDir(), func(_ *joinNode, cfg *p2p.Config) {
			cfg.AddNode = []string{first.addr()}
			if !limited {
				cfg.Bans.Whitelist = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		j.agree(first, node)
		delays := func() (list []time.Duration) {
			for range rounds {
				begun := time.Now()
				first.mine(1)
				node.sync(first.chain.Tip().ID)
				list = append(list, time.Since(begun))
			}
			slices.Sort(list)
			return list
		}
		calm := delays()
		var wg sync.WaitGroup
		var conns []net.Conn
		for range floods {
			conns = append(conns, j.flood(&wg, node.addr(), j.lost(first, 200)))
		}
		j.until("the flood is there", patience, func() bool { return node.peers.Stats().Undecided > 500*floods })
		busy := delays()
		held := func() (n int) {
			for _, p := range node.peers.Peers() {
				if p.UserAgent == "" && p.Throttled > 0 {
					n++
				}
			}
			return n
		}
		if limited {
			limit := patience
			if raceDetector { // half a second of judging for each, one after the other
				limit *= raceSlowdown
			}
			j.until("all floods are held back", limit, func() bool { return held() == floods })
		} else if n := held(); n > 0 {
			t.Errorf("%d peers without budgets are held back", n)
		}
		begun, before := time.Now(), node.peers.Stats().Undecided
		time.Sleep(time.Second)
		rate := float64(node.peers.Stats().Undecided-before) / time.Since(begun).Seconds()
		t.Logf("budgets %v: an honest share takes %v, beside %d floods %v, at worst %v; they bring %.0f shares a second after the first %d",
			limited, calm[rounds/2], floods, busy[rounds/2], busy[rounds-1], rate, before)
		if n := node.peers.ConnectedCount(); n != floods+1 {
			t.Errorf("%d peers are left of %d", n, floods+1)
		}
		// 64 KiB are 75 such shares.
		if limited && (busy[rounds/2] > 200*time.Millisecond || rate > 2*75*floods) {
			t.Errorf("an honest share takes %v beside floods of %.0f shares a second", busy, rate)
		}
		for _, c := range conns {
			c.Close()
		}
		wg.Wait()
		node.stop()
		first.stop()
	}
}
