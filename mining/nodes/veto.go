package nodes

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining/bitcoind"
)

// vetoTimeout bounds the question to a preferred node about a block that it lacks.
const vetoTimeout = 2 * time.Second

// askVeto asks the nodes that are preferred to the one that is mined on, and that have a
// lower tip, what they think of its block. A node that calls it invalid knows a rule that
// the other doesn't, as after a soft fork that only one has been upgraded for; the order
// of the nodes says whom to believe. That node is left then until it is no longer ahead.
func (p *Pool) askVeto(ctx context.Context) {
	leader, block, judges := p.disputed()
	for _, judge := range judges {
		askCtx, cancel := context.WithTimeout(ctx, vetoTimeout)
		info, err := judge.Header(askCtx, block)
		cancel()
		if err != nil || !info.Invalid {
			continue
		}
		p.log.Errorf("The Bitcoin node at %s calls block %v invalid, on which the one at %s builds; that is not mined on",
			judge.Addr(), block, p.clients[leader].Addr())
		p.update(nil, func(time.Time) int {
			if t := p.members[leader].template; t != nil && t.PrevBlock == block {
				p.members[leader].vetoed = true
			}
			return leader
		})
		return
	}
}

// disputed returns the node that is mined on, its best block, and the healthy nodes that
// are preferred to it and don't have that.
func (p *Pool) disputed() (leader int, block chainhash.Hash, judges []*bitcoind.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	leader = p.current
	m := &p.members[leader]
	top, ready := m.height(now)
	if !ready {
		return leader, block, nil
	}
	for i := range leader {
		if height, _ := p.members[i].height(now); height > 0 && height < top {
			judges = append(judges, p.clients[i])
		}
	}
	return leader, m.template.PrevBlock, judges
}

// topHeight returns the greatest height of the nodes' next blocks, and lifts the veto
// against those that are not above it. Those under a veto count only where nobody else is
// well.
func topHeight(members []member, now time.Time) (top uint32) {
	for i := range members {
		if height, _ := members[i].height(now); !members[i].vetoed {
			top = max(top, height)
		}
	}
	for i := range members {
		m := &members[i]
		height, _ := m.height(now)
		if m.vetoed && (top == 0 || height <= top) {
			m.vetoed = false
		}
	}
	if top > 0 {
		return top
	}
	for i := range members {
		height, _ := members[i].height(now)
		top = max(top, height)
	}
	return top
}

// unknownRule returns the health of a node whose templates have a mandatory rule that we
// don't know, if there is one. One is enough to stop work, preferred or not: where nodes
// differ, the others have not been upgraded yet, and blocks by their rules may be invalid.
func unknownRule(members []member) (bitcoind.Health, bool) {
	for i := range members {
		if h := members[i].health; h.Kind == bitcoind.ErrUnknownRule {
			return h, true
		}
	}
	return bitcoind.Health{}, false
}
