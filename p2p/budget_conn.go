package p2p

import (
	"net"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/budget"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// budgets is what the peers share of this node's time.
type budgets struct {
	groups *budget.Groups // of pushed shares
	hosts  *budget.Hosts  // what the connections of a host share
	// verify lets one reader at a time go to the chain, which would only make the
	// others wait for its lock, in whatever order. What is mined here waits for one
	// chunk of one peer at most.
	verify *budget.Turns
	// serve leaves half of the cores to everything else while requests are answered.
	serve           *budget.Turns
	large, largeOut *peer.Large
	// exempt reports whether an address says nothing about who is there.
	exempt func(net.Addr) bool
}

func (s *Server) newBudgets() budgets {
	hosts := budget.NewHosts(s.cfg.Params.ShareInterval)
	if d := s.cfg.Patience; d > 0 {
		hosts.SetPatience(d)
	}
	return budgets{
		groups: budget.NewGroups(s.cfg.Params.ShareInterval),
		hosts:  hosts,
		verify: budget.NewTurns(1),
		serve:  budget.NewTurns(max(1, runtime.GOMAXPROCS(0)/2)),
		large:  peer.NewLarge(), largeOut: peer.NewLarge(),
		exempt: s.ungrouped,
	}
}

// ungrouped reports whether the limits on address groups don't hold for an address:
// for this machine's and hidden services', where one stands for many nodes, and for
// those that the operator vouches for.
func (s *Server) ungrouped(addr net.Addr) bool {
	_, local := addrHost(addr)
	return local || hiddenCaller(addr) || s.whitelisted(addr)
}

// meter is the budget of one connection. It implements peer.Budget.
type meter struct {
	*budget.Budget
	groups *budget.Groups
	group  netaddr.Group
	exempt bool // from the limits of its group, and with a budget of its own

	// asked is how many shares of the message in hand were asked for. It belongs to
	// the reader goroutine.
	asked int
}

func (s *Server) newMeter(addr net.Addr) *meter {
	a, _ := addrOfPeer(addr.String()) // else the zero address, which is a group too
	host, _ := addrHost(addr)
	m := &meter{groups: s.budgets.groups, group: a.Group(), exempt: s.budgets.exempt(addr)}
	switch {
	case s.whitelisted(addr):
		m.Budget = budget.Unlimited()
	case m.exempt:
		m.Budget = budget.New(s.cfg.Params.ShareInterval)
	default:
		m.Budget = s.budgets.hosts.New(time.Now(), host)
	}
	return m
}

// forget ends the budget of a connection. What is left is remembered for its host, unless
// the address says nothing about who was there.
func (s *Server) forget(m *meter) {
	if !m.exempt {
		s.budgets.hosts.End(time.Now(), m.Budget)
	}
}

// meterOf returns the budget of a peer.
func meterOf(p *peer.Peer) *meter { return p.Budget().(*meter) }

// Sent implements peer.Budget.
func (m *meter) Sent(msg message.Message) { m.Budget.Sent(time.Now(), msg) }

// Received implements peer.Budget.
func (m *meter) Received(msg message.Message, size int) (time.Duration, bool) {
	v := m.Budget.Received(time.Now(), msg, size)
	m.asked = v.Asked
	return v.Wait, !v.TooMuch
}

// sift parts what is to be judged of the shares that came from what is only taken
// for an announcement: those that were pushed beyond the budget of the address group,
// and those that were cheap to make. If nobody else brings them they are asked for in
// their turn. Either result may be nil; other messages pass.
//
// The budget is for what was dear to make, so that a neighbour can't use it up for
// nothing. What the chain has is no burden, whoever pushes it. A share that is wanted
// is welcome from anybody: who named it first need not be who brings it. What breaks a
// rule by itself is judged, and its sender gone.
//
// The count of what was asked for is quickly had, but a share that was pushed may have
// used it up: wants tells for sure.
func (m *meter) sift(now time.Time, c Chain, wants func(chainhash.Hash) bool, msg message.Message) (judge, announced message.Message) {
	shares, ok := msg.(*message.Shares)
	if !ok || m.exempt || len(shares.Raw) <= m.asked {
		return msg, nil
	}
	pass, rest := shares.Raw[:m.asked:m.asked], new(message.Inv)
	for _, raw := range shares.Raw[m.asked:] {
		id := chainhash.DoubleHashH(raw[:wire.MaxBlockHeaderPayload])
		if c.Have(id) || wants(id) || m.allow(now, c, raw) {
			pass = append(pass, raw)
		} else {
			rest.IDs = append(rest.IDs, id)
		}
	}
	if len(pass) > 0 {
		judge = &message.Shares{Raw: pass}
	}
	if len(rest.IDs) > 0 {
		announced = rest
	}
	return judge, announced
}

// allow reports whether a share that nobody asked for is to be judged.
func (m *meter) allow(now time.Time, c Chain, raw []byte) bool {
	sh, err := share.Decode(raw)
	if err != nil {
		return true
	}
	dear, err := c.Weigh(sh)
	return err != nil || dear && m.groups.Allow(now, m.group)
}

// wants reports whether a peer was asked for a share that it has not delivered, or
// the share is to be fetched from somebody else.
func (s *Server) wants(from netsync.PeerID, id chainhash.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manager.Wants(id) || s.manager.Owes(from, id)
}

// verdicts has the chain judge shares of a peer when it is the peer's turn. It returns
// nil if the peer went before.
func (s *Server) verdicts(p *peer.Peer, chunk []*share.Share, root chainhash.Hash) []error {
	m := meterOf(p)
	if !s.budgets.verify.Take(p.Done(), m.VerifyRank(time.Now())) {
		return nil
	}
	defer s.budgets.verify.Give()
	start := time.Now()
	errs := s.cfg.Chain.AcceptAll(chunk, root)
	valid := 0
	for _, err := range errs {
		if err == nil {
			valid++
		}
	}
	now := time.Now()
	m.Verified(now, now.Sub(start), len(chunk), valid)
	return errs
}

// serve answers a request when it is the peer's turn. While the peer has to read
// what was sent already, others are served.
func (s *Server) serve(p *peer.Peer, request message.Message) {
	m, turns := meterOf(p), s.budgets.serve
	take := func() bool { return turns.Take(p.Done(), m.ServeRank(time.Now())) }
	serving := take()
	if !serving {
		return
	}
	var worked time.Duration
	start := time.Now()
	netsync.Answer(s.cfg.Chain, request, func(msg message.Message) bool {
		worked += time.Since(start)
		turns.Give()
		sent := p.SendWait(msg) && p.AwaitRoom()
		serving = take()
		start = time.Now()
		return sent && serving
	})
	if serving {
		turns.Give()
	}
	now := time.Now()
	m.Served(now, worked+now.Sub(start))
}
