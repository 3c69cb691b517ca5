package netsync

import (
	"errors"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// errLoaded is why peers go that would leave us alone for minutes otherwise.
var errLoaded = errors.New("the sharechain is loaded, and the peer was told that there is none")

// receiveEarly takes a message while the chain is being loaded. There is nothing to answer
// requests from, and nobody should wait for that. Who has something new is asked for it
// later.
func (m *Manager) receiveEarly(p *peerState, msg message.Message) {
	switch msg := msg.(type) {
	case *message.Inv, *message.Shares:
		p.more = true
	case *message.GetShares:
		p.denied = true
		m.send(p, &message.NotFound{IDs: msg.IDs})
	case *message.GetLocator:
		p.denied = true
		m.send(p, &message.Inv{})
	case *message.SetMode:
		p.mode = msg.Mode
	}
}

// Loaded ends the wait for the chain: peers are told of its tip, which our version messages
// didn't name, and the sync begins. Peers that have asked for shares meanwhile have to
// connect again: as they got none, they would ask others for a while.
func (m *Manager) Loaded(now time.Time) []Action {
	m.begin(now)
	if m.loading {
		m.loading = false
		for _, p := range m.order {
			if p.denied {
				m.drop(p, false, errLoaded)
			}
		}
		m.announceTip(m.order)
		m.startSession()
		m.proceed()
	}
	return m.end()
}
