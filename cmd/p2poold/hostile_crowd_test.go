package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p"
)

const (
	// crowd is the number of connections that one attacker opens.
	crowd = 500
	// crowdPause is the time between two attempts at the same one.
	crowdPause = 250 * time.Millisecond
)

// hostNone stands for all hosts.
var hostNone netip.Addr

// crowdAttacks take slots.
var crowdAttacks = []attack{
	{name: "500 connections of one group", foes: 1, arm: crowder(func(f *foe, i int) netip.Addr {
		return sibling(f.host, i%250)
	}), check: func(t *testing.T, s *siege) {
		group := disguised(hostAt(s.groups-1, 1)).String()
		group = group[:strings.LastIndex(group[:strings.LastIndex(group, ".")], ".")+1]
		n := 0
		for _, p := range s.victim.peers.Peers() {
			if strings.HasPrefix(p.Addr, group) {
				n++
			}
		}
		if most := p2p.DefaultMaxInbound / 8; n > most || n == 0 {
			t.Errorf("%d connections of one group, allowed are %d", n, most)
		}
	}},
	{name: "500 connections of 500 groups", foes: 1, arm: func(s *siege) func(*foe) {
		first := s.groups
		s.groups += crowd
		return crowder(func(_ *foe, i int) netip.Addr { return hostAt(first+i, 1) })(s)
	}, check: func(t *testing.T, s *siege) {
		const leaving = 8 // have been told to go, at most
		if n := len(s.victim.peers.Peers()); n > p2p.DefaultMaxInbound+leaving {
			t.Errorf("%d inbound connections", n)
		}
	}},
}

// crowder keeps crowd connections open, each from the address that from names.
func crowder(from func(f *foe, i int) netip.Addr) func(*siege) func(*foe) {
	return func(*siege) func(*foe) {
		return func(f *foe) {
			for i := range crowd {
				f.wg.Go(func() {
					f.every(crowdPause, func() error {
						l, err := f.dialAs(from(f, i))
						if err == nil {
							err = l.introduce()
						}
						if err != nil {
							return err
						}
						f.tally.messages.Add(1)
						return l.listen(nothing)
					})
				})
			}
		}
	}
}
