package nodes

import (
	"fmt"
	"strings"
	"time"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

const (
	// behindGrace is how long a node may have a lower tip than another before that is
	// held against it: a block crosses the network in two seconds or so, and a slow
	// machine checks it for as long again.
	behindGrace = 5 * time.Second

	// oweTime is how long a node may owe the template on a block that it has announced.
	oweTime = 10 * time.Second

	// backAfter is how long a node that was unwell must have been well before it is
	// preferred again.
	backAfter = 30 * time.Second
)

// member is what is known of a node.
type member struct {
	health   bitcoind.Health
	template *mining.Template // the newest; nil while there is none
	checked  bool             // Check found it usable

	// tip is a block that the node has announced, and whose template it owes since
	// announced. The next template, on whatever block, ends that.
	tip       bitcoind.Tip
	announced time.Time // zero for none

	vetoed bool      // its best block is invalid, says a preferred node
	used   bool      // it could be mined on at some time
	behind time.Time // since when its tip is lower than another's; zero if it is not
	unwell bool      // unhealthy or behind for too long
	well   time.Time // since when it is no longer unwell; zero if it never was
}

// height returns the height of the next block as the node sees it, 0 while it can't be
// mined on. ready tells that its template is for that.
func (m *member) height(now time.Time) (height uint32, ready bool) {
	if !m.health.OK || m.template == nil {
		return 0, false
	}
	if !m.announced.IsZero() && now.Sub(m.announced) < oweTime && m.tip.Height >= m.template.Height {
		return m.tip.Height + 1, false
	}
	return m.template.Height, true
}

// review brings behind, unwell and well up to date. top is the greatest height of all.
func (m *member) review(top uint32, now time.Time) {
	height, _ := m.height(now)
	switch {
	case height >= top:
		m.behind = time.Time{}
	case m.behind.IsZero():
		m.behind = now
	}
	m.used = m.used || height > 0
	late := !m.behind.IsZero() && now.Sub(m.behind) >= behindGrace
	switch {
	case height == 0, late, m.vetoed:
		m.unwell = m.unwell || m.used // what hasn't been of use yet has not failed
	case m.unwell:
		m.unwell, m.well = false, now
	}
}

// trusted tells whether the node may take over from one that works.
func (m *member) trusted(now time.Time) bool {
	return !m.unwell && (m.well.IsZero() || now.Sub(m.well) >= backAfter)
}

// choose returns the node to mine on: of those with the highest tip the first that is
// trusted; if none is, the present one or else the first. While no node can be mined on,
// or only a block is known and no template yet, it stays with the present one; ready is
// false then.
func choose(members []member, current int, now time.Time) (node int, ready bool) {
	top := topHeight(members, now)
	first := -1
	for i := range members {
		m := &members[i]
		m.review(top, now)
		height, owns := m.height(now)
		if !owns || height != top {
			continue
		}
		if m.trusted(now) {
			return i, true
		}
		if first < 0 || i == current {
			first = i
		}
	}
	if first < 0 {
		return current, false
	}
	return first, true
}

// update changes what is known of the nodes and tells of what follows. tip is the news of
// a block, if that is what the change is.
func (p *Pool) update(tip *bitcoind.Tip, change func(now time.Time) (node int)) {
	p.deliverMu.Lock()
	defer p.deliverMu.Unlock()

	p.mu.Lock()
	now := p.now()
	from := change(now)
	var ready bool
	p.current, ready = choose(p.members, p.current, now)
	template := p.members[p.current].template
	health, changed := p.summary(now)
	if changed {
		p.health = health
	}
	if !ready || template == p.delivered || p.health.Kind == bitcoind.ErrUnknownRule {
		template = nil
	} else {
		p.delivered, p.on = template, block{template.PrevBlock, template.Height - 1}
	}
	if tip != nil && (p.health.Kind == bitcoind.ErrUnknownRule || !p.leads(from, tip, now)) {
		tip = nil
	}
	note := p.note(now)
	p.mu.Unlock()

	if note != "" {
		p.log.Infof("%s", note)
	}
	// Health first: a template ends what bad health began.
	if changed {
		p.cfg.OnHealth(health)
	}
	if tip != nil {
		p.cfg.OnTip(*tip)
	}
	if template != nil {
		p.cfg.OnTemplate(template)
	}
}

// leads reports whether news of a block lead on from what is mined on, and notes it: it
// is higher, or the present node has changed its mind. The lock must be held.
func (p *Pool) leads(from int, tip *bitcoind.Tip, now time.Time) bool {
	if _, ready := p.members[from].height(now); ready || !p.members[from].health.OK || tip.Hash == p.on.hash {
		return false
	}
	if tip.Height <= p.on.height && from != p.current {
		return false
	}
	p.on = block{tip.Hash, tip.Height}
	return true
}

// summary returns the health of all nodes together, and whether that has changed. The
// lock must be held.
func (p *Pool) summary(now time.Time) (bitcoind.Health, bool) {
	if h, ok := unknownRule(p.members); ok {
		return h, p.health.Kind != h.Kind
	}
	h := p.members[p.current].health
	if !h.OK && len(p.members) > 1 {
		reasons := make([]string, len(p.members))
		for i := range p.members {
			m := &p.members[i].health
			if m.OK {
				// Healthy, but without a template yet: it comes within moments.
				return p.health, false
			}
			reasons[i] = m.Reason
		}
		h = bitcoind.Health{Kind: p.members[0].health.Kind, Since: now,
			Reason: fmt.Sprintf("none of the %d Bitcoin nodes is usable: %s", len(p.members), strings.Join(reasons, "; "))}
		return h, p.health.OK || p.health.Reason != h.Reason
	}
	return h, p.health.OK != h.OK || p.health.Kind != h.Kind
}

// note words a change of the node that is mined on, unless it is one of moments, as at
// every block that another node has first; "" for none. The lock must be held.
func (p *Pool) note(now time.Time) string {
	if p.current == p.noted {
		return ""
	}
	m := &p.members[p.noted]
	to, from := p.clients[p.current].Addr(), p.clients[p.noted].Addr()
	var text string
	switch {
	case !m.health.OK:
		text = fmt.Sprintf("Mining on the Bitcoin node at %s: the one at %s is not usable", to, from)
	case m.behind.IsZero():
		text = fmt.Sprintf("Mining on the Bitcoin node at %s again", to)
	case now.Sub(m.behind) < behindGrace:
		return ""
	default:
		text = fmt.Sprintf("Mining on the Bitcoin node at %s: it has block %d, the one at %s not", to, p.on.height, from)
	}
	p.noted = p.current
	return text
}
