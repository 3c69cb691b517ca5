package peer

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// deafPeer runs an inbound peer whose other side shakes hands and then reads
// nothing more.
func deafPeer(t *testing.T, handle func(*Peer, message.Message)) (rawConn, *end) {
	a, b := net.Pipe()
	e := new(end)
	cfg := e.testConfig(b, true, 2)
	if handle != nil {
		cfg.Handle = handle
	}
	e.run(t.Context(), cfg)
	conn := newRawConn(t, a)
	conn.send(testVersion(9))
	if _, err := conn.next(); err != nil {
		t.Fatal(err)
	}
	conn.send(&message.VerAck{})
	if _, err := conn.next(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return conn, e
}

// bigMessage is a message of about n bytes.
func bigMessage(n int) message.Message {
	return &message.Inv{IDs: make([]chainhash.Hash, n/chainhash.HashSize)}
}

func TestSendOverflowBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, e := deafPeer(t, nil)
		m := bigMessage(32 << 10)
		sent := 0
		for e.ctx.Err() == nil {
			e.Send(m)
			sent += m.Size()
		}
		e.wantReason(t, ReasonSlow)
		if limit := maxQueueNews; sent < limit || sent > limit+4*m.Size() {
			t.Errorf("gave up after %d bytes, the limit is %d", sent, limit)
		}
		since(t, start, 0) // at once, not after a timeout
	})
}

func TestSendOverflowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, e := deafPeer(t, nil)
		for range MaxQueueMessages + 1 {
			e.Send(&message.Ping{})
		}
		e.wantReason(t, ReasonSlow)
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		conn, e := deafPeer(t, nil)
		e.Send(bigMessage(1000))
		time.Sleep(WriteTimeout / 2)
		conn.send(&message.Pong{}) // deaf, not dead
		e.wantReason(t, ReasonSlow)
		since(t, start, WriteTimeout) // before IdleTimeout
	})
}

// TestBackPressure: a peer that asks and doesn't read the answers is not read
// from, costs no more than the limit, and goes when the write times out.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := bigMessage(60 << 10)
		answered := 0
		conn, e := deafPeer(t, func(p *Peer, _ message.Message) {
			for p.SendWait(answer) {
				answered += answer.Size()
			}
		})
		conn.send(&message.SetMode{})
		synctest.Wait()
		if answered < MaxQueueBytes || answered > MaxQueueBytes+2*answer.Size() {
			t.Errorf("%d bytes of answers queued, the limit is %d", answered, MaxQueueBytes)
		}
		e.wantReason(t, ReasonSlow)
	})
}

// TestBackPressureEases: when the other side reads, the answers go on.
func TestBackPressureEases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answers = 50
		sent := 0
		conn, e := rawPeer(t, func(cfg *Config) {
			cfg.Conn = slowConn{cfg.Conn, time.Second}
			cfg.Handle = func(p *Peer, _ message.Message) {
				for range answers {
					if p.SendWait(bigMessage(60 << 10)) {
						sent++
					}
				}
			}
		})
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		conn.send(&message.SetMode{})
		for range 4 {
			time.Sleep(time.Minute)
			conn.send(&message.Pong{})
		}
		synctest.Wait()
		if sent != answers || e.Stats().BytesOut < answers*60<<10 {
			t.Errorf("%d of %d answers sent, %d bytes", sent, answers, e.Stats().BytesOut)
		}
		conn.Close()
		e.wantReason(t, ReasonClosed)
	})
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, listener := connect(t, t.Context(), nil)
		dialer.Disconnect(ReasonRequested, nil)
		dialer.Disconnect(ReasonStalled, nil) // too late
		dialer.wantReason(t, ReasonRequested)
		listener.wantReason(t, ReasonClosed)
		if dialer.Send(&message.Ping{}); dialer.SendWait(&message.Ping{}) {
			t.Error("SendWait succeeds on a closed connection")
		}
	})
}
