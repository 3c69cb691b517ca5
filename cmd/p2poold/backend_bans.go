package main

import (
	"context"
	"errors"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/banman"
)

// Ban implements rpcserver.BanBackend.
func (b backend) Ban(_ context.Context, address string, until time.Time) error {
	return banError(b.n.peers.Ban(address, until))
}

// Unban implements rpcserver.BanBackend.
func (b backend) Unban(_ context.Context, address string) error {
	return banError(b.n.peers.Unban(address))
}

// banError gives errors of the peer network the codes that Bitcoin Core has for
// them.
func banError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, banman.ErrSubject), errors.Is(err, banman.ErrNotBanned):
		return &rpcserver.Error{Code: rpcserver.CodeSubnet, Message: err.Error()}
	case errors.Is(err, banman.ErrBanned):
		return &rpcserver.Error{Code: rpcserver.CodeAlreadyBanned, Message: err.Error()}
	case errors.Is(err, p2p.ErrNotConnected):
		return &rpcserver.Error{Code: rpcserver.CodeNotConnected, Message: err.Error() + "; getpeerinfo lists them all"}
	case errors.Is(err, banman.ErrPast), errors.Is(err, banman.ErrFull), errors.Is(err, p2p.ErrWhitelisted):
		return rpcserver.InvalidParameter("%v", err)
	}
	return err // it cannot be saved
}

// Bans implements rpcserver.BanBackend.
func (b backend) Bans(context.Context) ([]rpcserver.BanInfo, error) {
	now := time.Now().Unix()
	list := []rpcserver.BanInfo{}
	for _, e := range b.n.peers.Banned() {
		list = append(list, rpcserver.BanInfo{
			Address: e.Subject.String(), Automatic: e.Automatic, BanCreated: e.Created.Unix(), BannedUntil: e.Until.Unix(),
			BanDuration: e.Until.Unix() - e.Created.Unix(), TimeRemaining: max(0, e.Until.Unix()-now), Reason: e.Reason,
		})
	}
	return list, nil
}

// ClearBans implements rpcserver.BanBackend.
func (b backend) ClearBans(context.Context) error { return b.n.peers.ClearBans() }

// Disconnect implements rpcserver.BanBackend.
func (b backend) Disconnect(_ context.Context, addr string, id uint64) error {
	if addr != "" {
		return banError(b.n.peers.DisconnectAddr(addr))
	}
	return banError(b.n.peers.DisconnectID(id))
}
