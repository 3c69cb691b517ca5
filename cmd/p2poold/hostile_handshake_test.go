package main

import (
	"crypto/rand"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
	"github.com/p2poold/p2poold/p2p/peer/peertest"
)

// handshakeAttacks misbehave before a connection is one, or below the messages.
var handshakeAttacks = []attack{
	{name: "garbage", end: peer.ReasonEncryption, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			b := make([]byte, 8<<10)
			rand.Read(b)
			_, err := l.Write(b)
			return err
		})
	}},
	{name: "garbage after a v1 prefix", end: peer.ReasonProtocol, rule: message.ErrPayloadSize, arm: func(s *siege) func(*foe) {
		prefix := s.frames(&message.Version{})[:16]
		return onceMore(func(f *foe, l *line) error {
			b := make([]byte, 8<<10)
			rand.Read(b)
			b[3] |= 0x80 // of the length
			_, err := l.Write(append(prefix[:16:16], b...))
			return err
		})
	}},
	{name: "wrong magic", end: peer.ReasonWrongNetwork, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			frame := f.frames(f.version())
			frame[0] ^= 1
			_, err := l.Write(frame)
			return err
		})
	}},
	{name: "another sharechain", end: peer.ReasonWrongNetwork, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			v := f.version()
			v.ChainID[5] ^= 1
			return l.send(v)
		})
	}},
	{name: "slowloris", foes: 40, arm: slowloris, check: fewPending},
	{name: "v2 keys, then silence", arm: func(*siege) func(*foe) {
		return func(f *foe) {
			f.again(func() error {
				l, err := f.dial()
				if err != nil {
					return err
				}
				defer l.Close()
				key := make([]byte, 64)
				rand.Read(key)
				l.Write(key)
				f.tally.messages.Add(1)
				_ = l.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				_, err = io.Copy(io.Discard, l)
				return err
			})
		}
	}},
	{name: "long version", end: peer.ReasonProtocol, rule: message.ErrPayloadSize, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			_, err := l.Write(f.rawFrame(message.CmdVersion, 1<<20, nil))
			return err
		})
	}},
	{name: "unknown commands before verack", end: peer.ReasonHandshake, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			b := f.frames(f.version())
			for range 100 {
				b = append(b, f.rawFrame("wtxidrelay", 0, nil)...)
			}
			_, err := l.Write(b)
			return err
		})
	}},
	{name: "huge length", end: peer.ReasonProtocol, rule: message.ErrPayloadSize, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			_, err := l.Write(f.rawFrame(message.CmdInv, 0xffffffff, nil))
			return err
		})
	}},
	{name: "length without bytes", foes: 60, arm: func(*siege) func(*foe) {
		return func(f *foe) {
			l, err := f.meet()
			if err != nil {
				return
			}
			l.drain()
			l.Write(f.rawFrame([]string{message.CmdShares, "unheardof"}[f.n%2], message.MaxSharesPayload, make([]byte, 1000)))
			f.tally.messages.Add(1)
			<-f.ctx.Done()
		}
	}},
	{name: "16 MiB v2 packet", end: peer.ReasonEncryption, arm: func(*siege) func(*foe) {
		return onceV2(func(f *foe, c *peertest.Conn) error { return c.Claim(peertest.MaxContents) })
	}},
	{name: "long v2 packet in the handshake", end: peer.ReasonEncryption, arm: func(*siege) func(*foe) {
		return onceMore(func(f *foe, l *line) error {
			c, err := peertest.Dial(l, f.params.Magic)
			if err == nil {
				err = c.SendContents(make([]byte, 8<<10), false)
			}
			return err
		})
	}},
	{name: "decoys without end", foes: 2, end: peer.ReasonProtocol, rule: peer.ErrDecoys, arm: func(*siege) func(*foe) {
		return onceV2(func(f *foe, c *peertest.Conn) error {
			decoy := make([]byte, 16<<10)
			for range 2 * message.MaxPayload / len(decoy) {
				if err := c.SendContents(decoy, true); err != nil {
					return err
				}
				f.tally.messages.Add(1)
			}
			return nil
		})
	}},
	// At once 1 MiB of the budget, 1 MiB more before that is noticed, and what v2 costs.
	{name: "decoys between messages", foes: 4, taken: 3 * mib, arm: func(*siege) func(*foe) {
		return onceV2(func(f *foe, c *peertest.Conn) error {
			decoy := make([]byte, 16<<10)
			for {
				for range message.MaxPayload/len(decoy) - 1 {
					if err := c.SendContents(decoy, true); err != nil {
						return err
					}
				}
				if err := c.Send(&message.Inv{}); err != nil {
					return err
				}
				f.tally.messages.Add(1)
			}
		})
	}},
	{name: "verack twice", end: peer.ReasonProtocol, rule: peer.ErrRepeated, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error { return l.send(&message.VerAck{}) })
	}},
	{name: "malformed command", end: peer.ReasonProtocol, rule: message.ErrCommand, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			_, err := l.Write(f.rawFrame("INV\x00x", 0, nil))
			return err
		})
	}},
	{name: "wrong checksum", end: peer.ReasonProtocol, arm: func(*siege) func(*foe) {
		return onceMet(func(f *foe, l *line) error {
			_, err := l.Write(f.rawFrame(message.CmdPing, 8, make([]byte, 8)))
			return err
		})
	}},
}

// onceMore opens connections, does something on each and waits for its end, until the
// attack ends.
func onceMore(do func(*foe, *line) error) func(*foe) {
	return untilEnd(func(f *foe) (*line, error) { return f.dial() }, do)
}

// onceMet is onceMore behind the handshake.
func onceMet(do func(*foe, *line) error) func(*foe) {
	return untilEnd(func(f *foe) (*line, error) { return f.meet() }, do)
}

func untilEnd(open func(*foe) (*line, error), do func(*foe, *line) error) func(*foe) {
	return func(f *foe) {
		f.again(func() error {
			l, err := open(f)
			if err != nil {
				return err
			}
			defer l.Close()
			if err := do(f, l); err != nil {
				return err
			}
			f.tally.messages.Add(1)
			_, err = io.Copy(io.Discard, l)
			return err
		})
	}
}

// onceV2 is onceMet over the v2 transport.
func onceV2(do func(*foe, *peertest.Conn) error) func(*foe) {
	return func(f *foe) {
		f.again(func() error {
			c, l, err := f.meetV2()
			if err != nil {
				return err
			}
			defer l.Close()
			if err := do(f, c); err != nil {
				return err
			}
			f.tally.messages.Add(1)
			_, err = io.Copy(io.Discard, l)
			return err
		})
	}
}

// slowloris begins handshakes and goes on with a byte now and then, ten at a time from
// each address group.
func slowloris(s *siege) func(*foe) {
	const each, pause = 10, 50 * time.Millisecond
	return func(f *foe) {
		for c := range each {
			f.wg.Go(func() {
				f.every(crowdPause, func() error {
					l, err := f.dialAs(sibling(f.host, c))
					if err != nil {
						return err
					}
					defer l.Close()
					frame := f.frames(f.version())
					for _, b := range frame[:len(frame)-1] {
						if _, err := l.Write([]byte{b}); err != nil {
							return err
						}
						f.tally.messages.Add(1)
						time.Sleep(pause)
					}
					return nil
				})
			})
		}
	}
}

// sibling returns another address of a host's group.
func sibling(host netip.Addr, c int) netip.Addr {
	b := host.As4()
	b[3] += byte(c)
	return netip.AddrFrom4(b)
}

// fewPending checks that a group has no more handshakes under way than it may.
func fewPending(t *testing.T, s *siege) {
	ends := s.journal.endings(hostNone)
	if ends["too many handshakes of its address group are under way"] == 0 {
		t.Errorf("more than %d handshakes of a group are under way: %v", p2p.MaxPendingPerGroup, ends)
	}
}
