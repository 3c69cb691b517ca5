package main

import (
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// patientFloods are those of floodAttacks whose attackers are told to wait for a second
// or so at most, so that the end of the victim's patience is soon noticed.
var patientFloods = []string{"ping flood", "pong flood", "inv flood", "addr flood", "cmpctshare of unknown shares"}

// TestHostilePatience: attackers that break no rule are not only held back but thrown
// out in the end, and not blamed. The five and the two minutes are some seconds here.
func TestHostilePatience(t *testing.T) {
	noLeaks(t)
	s := newSiege(t, func(_ *siege, cfg *p2p.Config) {
		cfg.Patience = 200 * time.Millisecond
		cfg.StallTimeout = time.Second
	})
	s.ally(t)
	for _, a := range floodAttacks {
		if slices.Contains(patientFloods, a.name) {
			a.end = peer.ReasonTooMuch
			t.Run(a.name, func(t *testing.T) { s.withstand(t, a) })
		}
	}
	stall := attack{name: "names what it does not send", end: peer.ReasonStalled, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			l.drain()
			for {
				if err := l.send(&message.Inv{IDs: randomIDs(f.rng, 1)}); err != nil {
					return err
				}
				if err := f.pause(50 * time.Millisecond); err != nil {
					return err
				}
			}
		})
	}}
	t.Run(stall.name, func(t *testing.T) { s.withstand(t, stall) })
}
