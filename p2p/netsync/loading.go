package netsync

import (
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// receiveEarly takes a message while the chain is being loaded. There is nothing to answer
// requests from, and nobody should wait for that. Who has something new is asked for it
// later.
func (m *Manager) receiveEarly(p *peerState, msg message.Message) {
	switch msg := msg.(type) {
	case *message.Inv, *message.Shares:
		p.more = true
	case *message.GetShares:
		m.send(p, &message.NotFound{IDs: msg.IDs})
	case *message.GetLocator:
		m.send(p, &message.Inv{})
	case *message.SetMode:
		p.mode = msg.Mode
	}
}

// Loaded ends the wait for the chain: peers are told of its tip, which our version messages
// didn't name, and the sync begins.
func (m *Manager) Loaded(now time.Time) []Action {
	m.begin(now)
	if m.loading {
		m.loading = false
		m.announceTip(m.order)
		m.startSession()
		m.proceed()
	}
	return m.end()
}
