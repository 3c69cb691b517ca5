package peer

import (
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// next reads one message and counts it. The error, if any, is an *Error.
func (p *Peer) next(timeout Reason) (message.Message, error) {
	m, err := p.transport.next()
	if err != nil {
		return nil, readError(err, timeout)
	}
	p.count.messagesIn.Add(1)
	if _, unknown := m.(*message.Unknown); unknown {
		p.count.unknown.Add(1)
	}
	return m, nil
}

// read handles messages until the connection ends.
func (p *Peer) read() {
	for p.ctx.Err() == nil {
		// The deadline is for the whole message: bytes that trickle don't keep a
		// connection alive.
		_ = p.cfg.Conn.SetReadDeadline(time.Now().Add(IdleTimeout))
		m, err := p.next(ReasonIdle)
		if err != nil {
			p.cancel(err)
			return
		}
		switch m := m.(type) {
		case *message.Unknown:
			p.cfg.Log.Tracef("Passed over unknown %q from %s", m.Name, p.addr)
		case *message.Version, *message.VerAck:
			p.Disconnect(ReasonProtocol, share.RuleError{
				Kind: ErrRepeated, Description: m.Command() + " after the handshake"})
			return
		case *message.Ping:
			// As an answer it waits for room: pings can't fill the queue.
			p.SendWait(&message.Pong{Nonce: m.Nonce})
		case *message.Pong:
			p.handlePong(m)
		default:
			p.cfg.Handle(p, m)
		}
	}
}

// ErrRepeated is the kind of a handshake message after the handshake.
const ErrRepeated share.ErrorKind = "ErrRepeated"

// write sends the queue, and a ping now and then, until the connection ends.
func (p *Peer) write() {
	ticker := time.NewTicker(PingInterval)
	defer ticker.Stop()
	p.sendPing()
	var frames []byte
	for p.ctx.Err() == nil {
		batch := p.queue.pop()
		if len(batch) == 0 {
			select {
			case <-p.queue.wake:
			case <-ticker.C:
				p.sendPing()
			case <-p.ctx.Done():
			}
			continue
		}
		frames = frames[:0]
		for _, m := range batch {
			var err error
			if frames, err = p.transport.append(frames, m); err != nil {
				p.Disconnect(ReasonConnection, err)
				return
			}
		}
		_ = p.cfg.Conn.SetWriteDeadline(time.Now().Add(WriteTimeout))
		if err := p.writeFrames(frames, len(batch)); err != nil {
			reason := ReasonConnection
			if errors.Is(err, os.ErrDeadlineExceeded) {
				reason = ReasonSlow
			}
			p.Disconnect(reason, err)
			return
		}
		p.queue.release(batch)
		select {
		case <-ticker.C: // a queue that never runs dry must not hold pings up
			p.sendPing()
		default:
		}
	}
}

// writeFrames writes n encoded messages and counts them.
func (p *Peer) writeFrames(frames []byte, n int) error {
	_, err := countingWriter{p.cfg.Conn, &p.count.bytesOut}.Write(frames)
	if err == nil {
		p.count.messagesOut.Add(uint64(n))
	}
	return err
}

// sendPing queues a ping unless the last one is unanswered: the peer is silent
// or busy then, and IdleTimeout decides.
func (p *Peer) sendPing() {
	p.pingMu.Lock()
	waiting := !p.pinged.IsZero()
	if !waiting {
		p.ping, p.pinged = rand.Uint64(), time.Now()
	}
	nonce := p.ping
	p.pingMu.Unlock()
	if !waiting {
		p.Send(&message.Ping{Nonce: nonce})
	}
}

// handlePong notes the round trip. A pong that nobody asked for is ignored, as
// in Bitcoin Core.
func (p *Peer) handlePong(m *message.Pong) {
	p.pingMu.Lock()
	defer p.pingMu.Unlock()
	if p.pinged.IsZero() || m.Nonce != p.ping {
		return
	}
	p.count.ping.Store(int64(time.Since(p.pinged)))
	p.pinged = time.Time{}
}
