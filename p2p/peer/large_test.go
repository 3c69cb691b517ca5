package peer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

const largeSize = 300_000

// largeMessage is a transaction of so many bytes.
func largeMessage(n int) message.Message {
	return &message.ShareTxn{Raw: [][]byte{make([]byte, n)}}
}

// largeCrowd is a node's inbound peers, of a host each unless told otherwise.
type largeCrowd struct {
	*testing.T
	limit *Large
	hosts int
}

// join connects a peer and shakes hands.
func (c *largeCrowd) join(change func(*Config)) (rawConn, *end) {
	c.Helper()
	c.hosts++
	conn, e := rawPeer(c.T, func(cfg *Config) {
		cfg.Large, cfg.Host = c.limit, fmt.Sprint(c.hosts)
		if change != nil {
			change(cfg)
		}
	})
	conn.send(testVersion(9))
	conn.send(&message.VerAck{})
	synctest.Wait()
	return conn, e
}

// held and waiting count the places.
func (c *largeCrowd) held() int {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	return len(c.limit.held)
}

func (c *largeCrowd) waiting() int {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	return len(c.limit.waiting)
}

// gotLarge reports whether a peer's large message is here.
func gotLarge(e *end) bool {
	in, _ := e.BytesPerMessage()
	return in[message.CmdShareTxn] > 0
}

// leave ends the connections and checks that nothing stays behind.
func (c *largeCrowd) leave(ends ...*end) {
	c.Helper()
	for _, e := range ends {
		e.Disconnect(ReasonRequested, nil)
		<-e.done
	}
	if n := c.held() + c.waiting(); n != 0 {
		c.Errorf("%d places are held or waited for at the end", n)
	}
}

func bothTransports(t *testing.T, test func(*testing.T)) {
	for _, v2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v2 %v", v2), func(t *testing.T) {
			overV2 = v2
			defer func() { overV2 = false }()
			synctest.Test(t, test)
		})
	}
}

// TestLarge: only so many large messages are taken in at a time, half of them of
// inbound peers, and a place is free again when its message has been handled or its
// connection ended.
func TestLarge(t *testing.T) {
	bothTransports(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		handled := make(chan struct{})
		hold := func(cfg *Config) { cfg.Handle = func(*Peer, message.Message) { <-handled } }
		var ends []*end
		arrived := func() (n int) {
			for _, e := range ends {
				in, _ := e.BytesPerMessage()
				n += min(1, int(in[message.CmdShareTxn]))
			}
			return n
		}
		for i := range 12 {
			conn, e := c.join(hold)
			if i >= 6 { // as if this node had dialed
				e.cfg.Inbound = false
			}
			ends = append(ends, e)
			go conn.send(largeMessage(largeSize))
			synctest.Wait()
			if want := min(i+1, 4) + max(0, min(i-5, 4)); arrived() != want {
				t.Fatalf("of %d large messages %d are here, want %d", i+1, arrived(), want)
			}
		}
		handled <- struct{}{} // any of them: another of an inbound or of an outbound peer follows
		synctest.Wait()
		if n := arrived(); n != 9 || c.held() != 8 {
			t.Errorf("after one was handled %d are here, %d places held", n, c.held())
		}
		close(handled)
		synctest.Wait()
		if n := arrived(); n != 12 || c.held() != 0 {
			t.Errorf("at the end %d are here, %d places held", n, c.held())
		}
		c.leave(ends...)
	})
}

// TestLargeClaims: peers that claim large messages and send nothing, or little, don't
// keep others from theirs.
func TestLargeClaims(t *testing.T) {
	bothTransports(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		var ends []*end
		for i := range 8 {
			conn, e := c.join(nil)
			ends = append(ends, e)
			frame := conn.encode(largeMessage(900_000))
			_, _ = conn.Write(frame[:100+i*1000])
		}
		conn, e := c.join(nil)
		begun := time.Now()
		conn.send(largeMessage(largeSize))
		synctest.Wait()
		if !gotLarge(e) {
			t.Error("an honest peer's large message is not read")
		}
		since(t, begun, 0)
		c.leave(append(ends, e)...)
	})
}

// TestLargeTrickle: who has a place and doesn't go on at the rate demanded loses it with
// his connection, and who waited is read. Who goes on may take his time.
func TestLargeTrickle(t *testing.T) {
	bothTransports(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		trickle := func(conn rawConn, size, step int) {
			frame := conn.encode(largeMessage(size))
			_, _ = conn.Write(frame[:largeStart+readBuffer])
			for frame = frame[largeStart+readBuffer:]; len(frame) > 0; frame = frame[min(step, len(frame)):] {
				time.Sleep(time.Second)
				if _, err := conn.Write(frame[:min(step, len(frame))]); err != nil {
					return
				}
			}
		}
		begun := time.Now()
		var ends []*end
		for range maxLargeInbound {
			conn, e := c.join(nil)
			ends = append(ends, e)
			go trickle(conn, 900_000, 5_000) // 6,554 would do
		}
		synctest.Wait()
		conn, e := c.join(nil)
		go conn.send(largeMessage(largeSize))
		synctest.Wait()
		if gotLarge(e) || c.held() != maxLargeInbound || c.waiting() != 1 {
			t.Errorf("%d places are held, %d waited for", c.held(), c.waiting())
		}
		for _, e := range ends {
			e.wantReason(t, ReasonIdle)
		}
		since(t, begun, largePatience)
		synctest.Wait()
		if !gotLarge(e) {
			t.Error("the message that waited is not read")
		}
		slow, s := c.join(nil)
		begun = time.Now()
		trickle(slow, 900_000, 8_000)
		synctest.Wait()
		if !gotLarge(s) || time.Since(begun) < 100*time.Second {
			t.Errorf("a slow peer's large message is not read: %v after %v", s.err, time.Since(begun))
		}
		c.leave(e, s)
	})
}

// TestLargeHost: connections of one host have one place together.
func TestLargeHost(t *testing.T) {
	bothTransports(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		var ends []*end
		for range 3 {
			conn, e := c.join(func(cfg *Config) { cfg.Host = "one" })
			ends = append(ends, e)
			frame := conn.encode(largeMessage(900_000))
			go conn.Write(frame[:largeStart+2*readBuffer])
		}
		synctest.Wait()
		if c.held() != 1 || c.waiting() != 2 {
			t.Errorf("%d places are held, %d waited for", c.held(), c.waiting())
		}
		c.leave(ends...)
	})
}

// TestLargeDecoys: a peer that sends one large decoy after the other has a place for as
// long as each takes to arrive. In between it may take its time, without one.
func TestLargeDecoys(t *testing.T) {
	overV2 = true
	defer func() { overV2 = false }()
	synctest.Test(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		conn, e := c.join(nil)
		for range 3 {
			decoy, err := conn.transport.(*v2Transport).seal(nil, make([]byte, largeSize), nil, ignoreBit)
			if err != nil {
				t.Fatal(err)
			}
			half := len(decoy) / 2
			if _, err := conn.Write(decoy[:half]); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if c.held() != 1 {
				t.Errorf("%d places are held amid a decoy", c.held())
			}
			if _, err := conn.Write(decoy[half:]); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if c.held() != 0 {
				t.Errorf("%d places are held after a decoy", c.held())
			}
			time.Sleep(2 * largePatience)
		}
		conn.send(&message.SetMode{})
		synctest.Wait()
		if len(e.received) != 1 {
			t.Errorf("%d messages received", len(e.received))
		}
		c.leave(e)
	})
}

// keepingBudget has its peer wait as slowBudget does, but with all that it has: as if
// nobody thought of its place.
type keepingBudget struct{ slowBudget }

func (b *keepingBudget) Received(m message.Message, size int) (time.Duration, bool) {
	wait, ok := b.slowBudget.Received(m, size)
	time.Sleep(wait)
	return 0, ok
}

// TestLargeThrottled: peers that are held back for a large message have neither place nor
// message meanwhile, so that others' are read at once, and what they send when the wait is
// over is handled. If they kept their places nobody else's would be read for so long.
func TestLargeThrottled(t *testing.T) {
	const wait = time.Hour
	throttled := func(t *testing.T, b func() Budget) (c *largeCrowd, honest *end, foes []*end) {
		c = &largeCrowd{T: t, limit: NewLarge()}
		for range 2 * maxLargeInbound {
			conn, e := c.join(func(cfg *Config) { cfg.Budget = b() })
			foes = append(foes, e)
			go func() {
				conn.send(largeMessage(largeSize))
				conn.send(&message.SetMode{})
			}()
		}
		synctest.Wait()
		conn, honest := c.join(nil)
		go conn.send(largeMessage(largeSize))
		synctest.Wait()
		return c, honest, foes
	}
	bothTransports(t, func(t *testing.T) {
		c, honest, foes := throttled(t, func() Budget { return &slowBudget{wait: wait} })
		if n := c.held() + c.waiting(); n != 0 || !gotLarge(honest) || len(honest.received) != 1 {
			t.Errorf("%d places are held or waited for, an honest peer's large message is read: %v", n, gotLarge(honest))
		}
		time.Sleep(2 * wait)
		synctest.Wait()
		for i, e := range foes {
			if len(e.received) != 1 || e.received[0].Command() != message.CmdSetMode {
				t.Errorf("peer %d, which was held back: %d messages are handled", i, len(e.received))
			}
		}
		c.leave(append(foes, honest)...)
	})
	bothTransports(t, func(t *testing.T) {
		c, honest, foes := throttled(t, func() Budget { return &keepingBudget{slowBudget{wait: wait}} })
		time.Sleep(wait - time.Second)
		if n := c.held(); n != maxLargeInbound || gotLarge(honest) {
			t.Errorf("without the rule %d places are held, an honest peer's large message is read: %v", n, gotLarge(honest))
		}
		c.leave(append(foes, honest)...)
	})
}

// TestLargeAnswers: only so many large answers wait for peers that don't read them.
func TestLargeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &largeCrowd{T: t, limit: NewLarge()}
		var ends []*end
		for i := range maxLargeInbound + 2 {
			conn, e := deafPeer(t, func(p *Peer, _ message.Message) {
				for p.SendWait(largeMessage(largeSize)) {
				}
			})
			e.cfg.LargeOut, e.cfg.Host = c.limit, fmt.Sprint(i)
			ends = append(ends, e)
			conn.send(&message.SetMode{})
		}
		synctest.Wait()
		queued := 0
		for _, e := range ends {
			queued += e.queue.answers
		}
		if c.held() != maxLargeInbound || queued < maxLargeInbound*largeSize || queued > maxLargeInbound*(largeSize+1000) {
			t.Errorf("%d places are held, %d bytes are queued", c.held(), queued)
		}
		c.leave(ends...)
	})
	synctest.Test(t, func(t *testing.T) { // who reads gets them all
		c := &largeCrowd{T: t, limit: NewLarge()}
		sent := 0
		conn, e := c.join(func(cfg *Config) {
			cfg.LargeOut = c.limit
			cfg.Handle = func(p *Peer, _ message.Message) {
				for range 5 {
					if p.SendWait(largeMessage(largeSize)) {
						sent++
					}
				}
			}
		})
		conn.send(&message.SetMode{})
		synctest.Wait()
		if sent != 5 || c.held() != 0 {
			t.Errorf("%d answers were sent, %d places held", sent, c.held())
		}
		c.leave(e)
	})
}
