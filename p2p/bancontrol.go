package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/p2poold/p2poold/p2p/banman"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// banSaveInterval is the time between writes of discouraged addresses, and between
// log lines about them: whoever breaks rules can neither keep the disk busy nor
// fill the log. Bans of the operator are written at once.
const banSaveInterval = time.Minute

// Errors about bans and connections, for those who ask for them.
var (
	ErrWhitelisted  = errors.New("it is whitelisted; remove it from --whitelist first")
	ErrNotConnected = errors.New("there is no such connection")
)

// within reports whether a peer's address belongs to a subject and is not
// whitelisted.
func (s *Server) within(subject banman.Subject, p *peer.Peer) bool {
	a, ok := addrOfPeer(p.Addr())
	return ok && subject.Contains(banman.Host(a)) && !s.cfg.Bans.vouched(a)
}

// disconnect ends the connections with all peers that match and returns how many.
func (s *Server) disconnect(why error, match func(netsync.PeerID, *peer.Peer) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for id, p := range s.peers {
		if match(id, p) {
			p.Disconnect(peer.ReasonRequested, why)
			n++
		}
	}
	return n
}

// Ban keeps an IP address, a network such as 192.0.2.0/24, or a Tor or I2P address
// out until a time; zero: for as long as peers that broke a rule are discouraged,
// or banman.DefaultDuration if they aren't. Peers that are connected go at once. The
// error wraps ErrWhitelisted, banman.ErrSubject, ErrBanned, ErrPast or ErrFull, and
// the list is unchanged then; any other error means that the ban holds but cannot
// be saved.
func (s *Server) Ban(text string, until time.Time) error {
	subject, err := banman.Parse(text)
	if err != nil {
		return err
	}
	for _, p := range s.cfg.Bans.Whitelist {
		if banman.Network(p).Contains(subject) {
			return fmt.Errorf("%v: %w", subject, ErrWhitelisted)
		}
	}
	if until.IsZero() {
		usual := s.cfg.Bans.Duration
		if usual == 0 {
			usual = banman.DefaultDuration
		}
		until = time.Now().Add(usual)
	}
	if err := s.door.list().Ban(subject, until, "banned by hand"); err != nil {
		return fmt.Errorf("%v: %w", subject, err)
	}
	n := s.disconnect(errors.New("banned by hand"), func(_ netsync.PeerID, p *peer.Peer) bool { return s.within(subject, p) })
	s.cfg.Log.Infof("%v is banned until %s; connections closed: %d", subject, until.UTC().Format(time.RFC3339), n)
	return s.saveBansNow()
}

// Unban removes a ban or a discouragement, or both, of exactly this address or
// network. The error wraps banman.ErrSubject or ErrNotBanned; any other means that
// the change cannot be saved.
func (s *Server) Unban(text string) error {
	subject, err := banman.Parse(text)
	if err != nil {
		return err
	}
	if err := s.door.list().Unban(subject); err != nil {
		return err
	}
	s.cfg.Log.Infof("%v is neither banned nor discouraged any more", subject)
	return s.saveBansNow()
}

// ClearBans removes all bans and discouragements. An error means that this cannot
// be saved.
func (s *Server) ClearBans() error {
	s.door.list().Clear()
	s.cfg.Log.Infof("Nobody is banned or discouraged any more")
	return s.saveBansNow()
}

// Banned returns all bans and discouragements, bans first.
func (s *Server) Banned() []banman.Entry { return s.door.list().List() }

// DisconnectAddr ends the connection with the peer that PeerInfo shows at an
// address, "host:port". The error is ErrNotConnected.
func (s *Server) DisconnectAddr(addr string) error {
	return s.disconnectOne(func(_ netsync.PeerID, p *peer.Peer) bool { return p.Addr() == addr })
}

// DisconnectID ends a connection by its PeerInfo.ID. The error is ErrNotConnected.
func (s *Server) DisconnectID(id uint64) error {
	return s.disconnectOne(func(other netsync.PeerID, _ *peer.Peer) bool { return uint64(other) == id })
}

func (s *Server) disconnectOne(match func(netsync.PeerID, *peer.Peer) bool) error {
	if s.disconnect(errors.New("disconnected by hand"), match) == 0 {
		return ErrNotConnected
	}
	return nil
}

// saveBansNow writes the list and says what it means if that fails.
func (s *Server) saveBansNow() error {
	if err := s.door.list().Save(); err != nil {
		return fmt.Errorf("the change holds until the node stops, as it cannot be saved: %w", err)
	}
	return nil
}

// keepBans tells of discouraged addresses and saves them now and then.
func (s *Server) keepBans(ctx context.Context) {
	for wait(ctx, banSaveInterval) {
		s.saveBans()
	}
}

// saveBans tells of what was discouraged since the last time, and saves it.
func (s *Server) saveBans() {
	s.door.mu.Lock()
	n, e := s.door.fresh, s.door.latest
	s.door.fresh = 0
	s.door.mu.Unlock()
	if n > 0 {
		s.cfg.Log.Infof("Peers that broke a rule and are discouraged now: %d, lately %v until %s: %s",
			n, e.Subject, e.Until.UTC().Format(time.RFC3339), e.Reason)
	}
	if err := s.door.list().Save(); err != nil {
		s.cfg.Log.Warnf("The list of bans cannot be saved: %v", err)
	}
}
