package nodes

import (
	"time"

	"github.com/p2poold/p2poold/mining/bitcoind"
)

// Status is the state of one node, for people.
type Status struct {
	Addr    string // host:port
	Health  bitcoind.Health
	Height  uint32        // of its best block; 0 while unknown
	Behind  bool          // its best block is lower than another's, for longer than usual
	Latency time.Duration // of its last answer to a small question; 0 while unknown
	Vetoed  bool          // its best block is invalid, says a node that is preferred to it
	Current bool          // templates are taken from it
}

// Nodes returns the state of each node, in the order of the configuration.
func (p *Pool) Nodes() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	list := make([]Status, len(p.members))
	for i := range p.members {
		m := &p.members[i]
		s := Status{Addr: p.clients[i].Addr(), Health: m.health, Latency: p.clients[i].Latency(), Current: i == p.current}
		if m.template != nil {
			s.Height = m.template.Height - 1
		}
		s.Vetoed = m.vetoed
		s.Behind = m.health.OK && !m.behind.IsZero() && now.Sub(m.behind) >= behindGrace
		list[i] = s
	}
	return list
}
