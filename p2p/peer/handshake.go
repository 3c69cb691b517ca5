package peer

import (
	"errors"
	"fmt"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// MinProtocol is the oldest peer protocol this node speaks.
	MinProtocol = 1
	// maxEarlyUnknown is the number of unknown messages passed over before the
	// handshake is complete: room for announcements of later features, as
	// Bitcoin makes between version and verack.
	maxEarlyUnknown = 16
	// handshakePayload caps every payload before the handshake: that of version.
	handshakePayload = 4096
)

// handshake introduces both sides to each other. It reports success; otherwise
// the connection has been given its reason to end.
func (p *Peer) handshake() bool {
	// A failure to set a deadline shows in the following read or write.
	_ = p.cfg.Conn.SetDeadline(time.Now().Add(HandshakeTimeout))
	if err := p.chooseTransport(); err != nil {
		p.cancel(readError(err, ReasonHandshake))
		return false
	}
	p.count.introduced.Store(time.Now().UnixNano())
	p.transport.setLimit(handshakePayload)
	if err := p.introduce(); err != nil {
		p.cancel(err)
		return false
	}
	p.transport.setLimit(message.MaxPayload)
	_ = p.cfg.Conn.SetDeadline(time.Time{})
	return true
}

// introduce exchanges version and verack in the order doc.go shows.
func (p *Peer) introduce() error {
	own := p.cfg.Version()
	if !p.cfg.Inbound {
		if err := p.sendNow(own); err != nil {
			return err
		}
	}
	early := 0
	theirs, err := expect[*message.Version](p, &early)
	if err != nil {
		return err
	}
	if err := p.checkVersion(theirs); err != nil {
		if p.cfg.Inbound && err.Reason == ReasonSelf {
			_ = p.sendNow(own) // so that the dialer, which is us, learns it too
		}
		return err
	}
	p.version.Store(theirs)
	if p.cfg.Inbound {
		if err := p.sendNow(own); err != nil {
			return err
		}
		if _, err := expect[*message.VerAck](p, &early); err != nil {
			return err
		}
		return p.sendNow(&message.VerAck{})
	}
	if err := p.sendNow(&message.VerAck{}); err != nil {
		return err
	}
	_, err = expect[*message.VerAck](p, &early)
	return err
}

// expect reads the next message, passing over a few unknown ones, and fails
// unless it is an M. The error, if any, is an *Error.
func expect[M message.Message](p *Peer, early *int) (M, error) {
	var want M
	for {
		m, err := p.next(ReasonHandshake)
		if err != nil {
			return want, err
		}
		switch m := m.(type) {
		case M:
			return m, nil
		case *message.Unknown:
			if *early++; *early <= maxEarlyUnknown {
				continue
			}
		}
		return want, &Error{ReasonHandshake, fmt.Errorf("expected %s, got %s", want.Command(), m.Command())}
	}
}

// checkVersion decides whether to talk to the peer.
func (p *Peer) checkVersion(v *message.Version) *Error {
	switch {
	case v.ChainID != p.cfg.ChainID:
		return &Error{ReasonWrongNetwork, fmt.Errorf("peer is on sharechain %v, this node on %v", v.ChainID, p.cfg.ChainID)}
	case v.Protocol < MinProtocol:
		return &Error{ReasonHandshake, fmt.Errorf("peer speaks protocol %d, the oldest usable is %d", v.Protocol, MinProtocol)}
	case p.cfg.OwnNonce != nil && p.cfg.OwnNonce(v.Nonce):
		return &Error{ReasonSelf, errors.New("the peer is this node itself")}
	}
	return nil
}

// sendNow writes a message past the queue, before the writer runs. The error,
// if any, is an *Error.
func (p *Peer) sendNow(m message.Message) error {
	frame, err := p.transport.append(nil, m)
	if err != nil {
		return &Error{ReasonHandshake, err}
	}
	if err := p.writeFrames(frame); err != nil {
		return readError(err, ReasonHandshake)
	}
	p.countOut(m)
	return nil
}
