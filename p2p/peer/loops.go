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
	p.count.inPer.add(m, p.wireSize(m))
	if _, unknown := m.(*message.Unknown); unknown {
		p.count.unknown.Add(1)
	}
	return m, nil
}

// read handles messages until the connection ends.
func (p *Peer) read() {
	defer p.settle()
	for p.ctx.Err() == nil {
		p.settle()
		if !p.holdBack(p.owed) {
			return
		}
		p.owed = 0
		// The deadline is for the whole message: bytes that trickle don't keep a
		// connection alive.
		p.patience.until = time.Now().Add(IdleTimeout)
		m, err := p.next(ReasonIdle)
		if err != nil {
			p.cancel(err)
			return
		}
		m, ok := p.charge(m)
		if !ok {
			return
		}
		switch m := m.(type) {
		case nil:
			p.cfg.Log.Tracef("Passed over a large message beyond the budget of %s", p.addr)
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
		var err error
		if frames, err = p.encode(frames, batch); err != nil {
			p.Disconnect(ReasonConnection, err)
			return
		}
		_ = p.cfg.Conn.SetWriteDeadline(time.Now().Add(WriteTimeout))
		if err := p.writeFrames(frames); err != nil {
			reason := ReasonConnection
			if errors.Is(err, os.ErrDeadlineExceeded) {
				reason = ReasonSlow
			}
			p.Disconnect(reason, err)
			return
		}
		frames = kept(frames)
		if place := p.queue.release(batch); place != nil {
			p.cfg.LargeOut.give(place)
		}
		select {
		case <-ticker.C: // a queue that never runs dry must not hold pings up
			p.sendPing()
		default:
		}
	}
}

// encode puts a batch's frames into b, from its beginning, and counts them. The
// messages themselves are let go: while a peer doesn't read, one copy is enough.
func (p *Peer) encode(b []byte, batch []queued) ([]byte, error) {
	b = b[:0]
	for i := range batch {
		m := batch[i].Message
		var err error
		if b, err = p.transport.append(b, m); err != nil {
			return nil, err
		}
		p.countOut(m)
		batch[i].Message = nil
	}
	return b, nil
}

// writeFrames writes encoded messages.
func (p *Peer) writeFrames(frames []byte) error {
	_, err := countingWriter{p.cfg.Conn, &p.count.bytesOut}.Write(frames)
	return err
}

func (p *Peer) countOut(m message.Message) {
	p.count.messagesOut.Add(1)
	p.count.outPer.add(m, p.wireSize(m))
}

// sendPing queues a ping. While the last one is unanswered it is the same again, as a
// sign of life.
func (p *Peer) sendPing() {
	p.pingMu.Lock()
	if p.pinged.IsZero() {
		p.ping, p.pinged = rand.Uint64(), time.Now()
	}
	nonce := p.ping
	p.pingMu.Unlock()
	p.Send(&message.Ping{Nonce: nonce})
}

// handlePong notes the round trip. A pong that nobody asked for is ignored, as
// in Bitcoin Core.
func (p *Peer) handlePong(m *message.Pong) {
	p.pingMu.Lock()
	defer p.pingMu.Unlock()
	if p.pinged.IsZero() || m.Nonce != p.ping {
		return
	}
	trip := max(1, int64(time.Since(p.pinged))) // 0 would mean unknown
	p.count.ping.Store(trip)
	if least := p.count.minPing.Load(); least == 0 || trip < least {
		p.count.minPing.Store(trip)
	}
	p.pinged = time.Time{}
}
