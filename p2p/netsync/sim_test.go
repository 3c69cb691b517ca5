package netsync

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// sim is a network of Managers in one process on virtual time: one seeded queue
// of events, so that a run can be repeated exactly.
type sim struct {
	t      *testing.T
	now    time.Time
	events eventQueue
	seq    int
	rng    *rand.Rand
	delay  time.Duration // of every message
	nodes  []*simNode

	// lose, if set, decides which messages are lost.
	lose func(from, to *simNode, m message.Message) bool
}

// simNode is one node: a Manager, its chain, and what a driver does.
type simNode struct {
	*sim
	name  string
	chain *fakechain.Chain
	m     *Manager
	links map[PeerID]*simLink
	last  PeerID
	sent  map[string]int // messages by command

	// rate, if set, is how many bytes a second the node sends to all others together;
	// free is when what it has sent so far will be through.
	rate int
	free time.Time
	// answer, if set, replaces the Manager: a hostile node.
	answer func(from PeerID, m message.Message)
	// announceAll announces every accepted share, as the real node's hook does.
	announceAll bool
	// judge, if set, replaces the chain's verdicts.
	judge func(*share.Share) error
	// roots holds the shares that were offered to the chain as roots, by sender.
	roots []offeredRoot
}

// offeredRoot is a share that was offered as a root.
type offeredRoot struct {
	from PeerID
	id   chainhash.Hash
}

// simLink is one side's view of a connection.
type simLink struct {
	to   *simNode
	peer PeerID // our id at the other side
	up   bool
}

func newSim(t *testing.T) *sim {
	const seed = 1
	return &sim{
		t: t, now: time.Unix(1_700_000_000, 0), delay: 50 * time.Millisecond,
		rng: rand.New(rand.NewPCG(seed, seed)),
	}
}

func (s *sim) node(name string, mode message.RelayMode) *simNode {
	n := &simNode{sim: s, name: name, chain: new(fakechain.Chain), links: make(map[PeerID]*simLink), sent: make(map[string]int)}
	n.m = New(Config{Chain: n.chain, Mode: mode})
	n.chain.OnConnect = func(id chainhash.Hash) { n.announce(id) }
	s.nodes = append(s.nodes, n)
	s.after(time.Second, n.tick)
	return n
}

func (n *simNode) tick() {
	if n.answer == nil {
		n.do(n.m.Tick(n.now))
		checkLimits(n.t, n.m)
	}
	n.after(TickInterval, n.tick)
}

// connect has a dial b and returns the id that b has at a.
func (s *sim) connect(a, b *simNode) PeerID {
	a.last++
	b.last++
	ida, idb := a.last, b.last
	a.links[ida] = &simLink{to: b, peer: idb, up: true}
	b.links[idb] = &simLink{to: a, peer: ida, up: true}
	va, vb := a.version(), b.version()
	s.after(s.delay, func() { a.connected(ida, false, vb, va.Best) })
	s.after(s.delay, func() { b.connected(idb, true, va, vb.Best) })
	return ida
}

func (n *simNode) connected(id PeerID, inbound bool, v *message.Version, told chainhash.Hash) {
	if n.answer == nil && n.links[id].up {
		n.do(n.m.Connected(n.now, id, inbound, v, told))
	}
}

func (n *simNode) version() *message.Version {
	id, height, work := n.chain.Tip()
	if n.answer != nil { // hostile nodes promise the world
		work = uint256.Uint256{}
		work.Not()
		height = 1_000_000
	}
	return &message.Version{Protocol: 1, Best: id, Height: height, Work: work, Mode: n.m.mode}
}

// cut ends a connection on both sides.
func (n *simNode) cut(id PeerID) {
	l := n.links[id]
	if !l.up {
		return
	}
	l.up, l.to.links[l.peer].up = false, false
	n.after(0, func() { n.do(n.m.Disconnected(n.now, id)) })
	n.after(0, func() { l.to.do(l.to.m.Disconnected(n.now, l.peer)) })
}

// do is the driver.
func (n *simNode) do(actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case *Send:
			n.send(a.To, a.Message)
		case *Disconnect:
			n.cut(a.Peer)
		case *Verify:
			n.verify(a)
		case *Publish:
			n.announce(a.ID)
		case *Serve:
			Answer(n.chain, a.Request, func(m message.Message) bool {
				n.send(a.To, m)
				return true
			})
		}
	}
}

// verify has shares judged in chunks, as package p2p does.
func (n *simNode) verify(v *Verify) {
	if v.Root != (chainhash.Hash{}) {
		n.roots = append(n.roots, offeredRoot{v.From, v.Root})
	}
	for chunk := range slices.Chunk(v.Shares, 64) {
		if !n.links[v.From].up {
			n.do(n.m.Unverified(n.now, chunk))
			continue
		}
		errs := n.judgeAll(chunk, v.Root)
		for i, s := range chunk {
			if errs[i] == nil && n.announceAll {
				n.announce(s.ID())
			}
			n.do(n.m.Verdict(n.now, v.From, s, errs[i]))
		}
	}
}

func (n *simNode) judgeAll(list []*share.Share, root chainhash.Hash) (errs []error) {
	if n.judge == nil {
		return n.chain.AcceptAll(list, root)
	}
	for _, s := range list {
		errs = append(errs, n.judge(s))
	}
	return errs
}

// send delivers a message after the delay, through its encoding.
func (n *simNode) send(id PeerID, m message.Message) {
	n.sent[m.Command()]++
	if m.Size() > m.MaxPayload() {
		n.t.Fatalf("%s sends a %s of %d bytes", n.name, m.Command(), m.Size())
	}
	payload := m.AppendPayload(nil)
	got, err := message.Decode(m.Command(), payload)
	if err != nil {
		n.t.Fatalf("%s sends what nobody accepts: %v", n.name, err)
	}
	l := n.links[id]
	if n.lose != nil && n.lose(n, l.to, m) {
		return
	}
	delay := n.delay
	if n.rate > 0 {
		const header = 24
		n.free = later(n.free, n.now).Add(time.Duration(m.Size()+header) * time.Second / time.Duration(n.rate))
		delay += n.free.Sub(n.now)
	}
	n.after(delay, func() {
		switch {
		case !l.up:
		case l.to.answer != nil:
			l.to.answer(l.peer, got)
		default:
			l.to.do(l.to.m.Receive(n.now, l.peer, got))
		}
	})
}

func (n *simNode) announce(id chainhash.Hash) {
	if raw, err := n.chain.Share(id); err == nil && n.answer == nil {
		n.do(n.m.Announce(n.now, id, raw))
	}
}

// mine extends the node's chain by n shares and announces them.
func (n *simNode) mine(count int) {
	for _, id := range n.chain.Extend(count, n.rng.Uint32()) {
		n.announce(id)
	}
}

// run lets virtual time pass.
func (s *sim) run(d time.Duration) {
	end := s.now.Add(d)
	for len(s.events) > 0 && !s.events[0].at.After(end) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.f()
	}
	s.now = end
}

// runUntil lets time pass until the condition holds and returns how long that
// took; it fails after limit.
func (s *sim) runUntil(limit time.Duration, what string, done func() bool) time.Duration {
	s.t.Helper()
	start := s.now
	for !done() {
		if s.now.Sub(start) > limit {
			s.t.Fatalf("not within %v: %s; %s", limit, what, s.tips())
		}
		s.run(100 * time.Millisecond)
	}
	return s.now.Sub(start)
}

func (s *sim) oneTip() bool {
	first, _, _ := s.nodes[0].chain.Tip()
	for _, n := range s.nodes[1:] {
		if id, _, _ := n.chain.Tip(); n.answer == nil && id != first {
			return false
		}
	}
	return true
}

func (s *sim) tips() (out string) {
	for _, n := range s.nodes {
		id, height, _ := n.chain.Tip()
		out += fmt.Sprintf("%s %d %v, ", n.name, height, id.String()[:8])
	}
	return out
}

func (s *sim) after(d time.Duration, f func()) {
	s.seq++
	heap.Push(&s.events, event{s.now.Add(d), s.seq, f})
}

type event struct {
	at  time.Time
	seq int
	f   func()
}

type eventQueue []event

func (q eventQueue) Len() int      { return len(q) }
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
