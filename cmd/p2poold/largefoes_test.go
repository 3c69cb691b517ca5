package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestLargeFoes: strangers that claim large messages and send little of them, or a
// piece and then nothing, or so many that they are held back, don't keep a whole node
// from reading an honest one.
func TestLargeFoes(t *testing.T) {
	noLeaks(t)
	s := newSiege(t)
	s.ally(t)
	for _, part := range []int{10, 60_000} {
		a := attack{name: fmt.Sprint(part, " bytes"), foes: 8, partial: true, arm: func(s *siege) func(*foe) {
			return onceMet(func(f *foe, l *line) error {
				l.drain()
				l.Write(s.rawFrame(message.CmdShareTxn, 1_000_000, make([]byte, part)))
				<-f.ctx.Done()
				return nil
			})
		}, check: readsLarge}
		t.Run(a.name, func(t *testing.T) { s.withstand(t, a) })
	}
	held := attack{name: "held back", foes: 8, arm: func(s *siege) func(*foe) {
		frame := s.frames(&message.ShareTxn{Raw: [][]byte{make([]byte, 900_000)}})
		return onceMet(func(_ *foe, l *line) error { return l.flood(frame, 1) })
	}, check: func(t *testing.T, s *siege) {
		s.until("all foes are held back", patience, func() bool {
			n := 0
			for _, p := range s.victim.peers.Peers() {
				if p.UserAgent == foeAgent && p.Throttled > 0 {
					n++
				}
			}
			return n == 8
		})
		readsLarge(t, s)
	}}
	t.Run(held.name, func(t *testing.T) { s.withstand(t, held) })
}

// readsLarge checks that the victim reads a large message of an honest stranger.
func readsLarge(t *testing.T, s *siege) {
	p, err := s.newProber()
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	p.conn.SetDeadline(time.Now().Add(patience))
	if _, err = p.conn.Write(s.frames(&message.ShareTxn{Raw: [][]byte{make([]byte, 300_000)}})); err != nil {
		t.Fatal(err)
	}
	trip, err := p.ping()
	if err != nil {
		t.Errorf("a ping behind a large message is not answered: %v", err)
	}
	t.Logf("a ping behind a large message is answered after %v", trip)
}
