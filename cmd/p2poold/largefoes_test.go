package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestLargeFoes: strangers that claim large messages and send little of them, or a
// piece and then nothing, don't keep a whole node from reading an honest one.
func TestLargeFoes(t *testing.T) {
	noLeaks(t)
	s := newSiege(t)
	s.ally(t)
	honest := s.frames(&message.ShareTxn{Raw: [][]byte{make([]byte, 300_000)}})
	for _, part := range []int{10, 60_000} {
		a := attack{name: fmt.Sprint(part, " bytes"), foes: 8, partial: true, arm: func(s *siege) func(*foe) {
			return func(f *foe) {
				l, err := f.meet()
				if err != nil {
					return
				}
				l.drain()
				l.Write(s.rawFrame(message.CmdShareTxn, 1_000_000, make([]byte, part)))
				<-f.ctx.Done()
			}
		}, check: func(t *testing.T, s *siege) {
			p, err := s.newProber()
			if err != nil {
				t.Fatal(err)
			}
			defer p.conn.Close()
			p.conn.SetDeadline(time.Now().Add(patience))
			if _, err = p.conn.Write(honest); err != nil {
				t.Fatal(err)
			}
			trip, err := p.ping()
			if err != nil {
				t.Errorf("a ping behind a large message is not answered: %v", err)
			}
			t.Logf("a ping behind a large message is answered after %v", trip)
		}}
		t.Run(a.name, func(t *testing.T) { s.withstand(t, a) })
	}
}
