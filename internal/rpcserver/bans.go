package rpcserver

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// BanBackend keeps peers out.
type BanBackend interface {
	// Ban bans an address or network until a time; zero: for the usual time. Peers
	// that it is about are disconnected. Errors: *Error with CodeAlreadyBanned or
	// CodeSubnet, or made with InvalidParameter.
	Ban(ctx context.Context, address string, until time.Time) error
	// Unban removes what there is about exactly this address or network, an *Error
	// with CodeSubnet if there is nothing.
	Unban(ctx context.Context, address string) error
	// Bans returns all bans and discouraged addresses.
	Bans(ctx context.Context) ([]BanInfo, error)
	// ClearBans removes them.
	ClearBans(ctx context.Context) error
	// Disconnect ends the connection with the peer that PeerInfo shows at an
	// address, or if that is empty with this id. An *Error with CodeNotConnected
	// if there is none.
	Disconnect(ctx context.Context, addr string, id uint64) error
}

// BanInfo is one row of listbanned.
type BanInfo struct {
	Address       string `json:"address"`       // IP address, network, or Tor or I2P address
	Automatic     bool   `json:"automatic"`     // discouraged, as a peer broke a rule; else banned by setban
	BanCreated    int64  `json:"bancreated"`    // when it began
	BannedUntil   int64  `json:"banneduntil"`   // when it ends
	BanDuration   int64  `json:"banduration"`   // from beginning to end, seconds
	TimeRemaining int64  `json:"timeremaining"` // until it ends, seconds
	Reason        string `json:"reason"`        // the rule that was broken, and how
}

// maxUnix is the end of the year 9999.
const maxUnix = 253_402_300_799

// maxID is the greatest integer that every JSON library keeps exactly.
const maxID = 1 << 53

func banMethods() []method {
	return []method{{
		name: "setban", area: areaPeers,
		summary: "Bans an IP address or network, and disconnects its peers, or lifts a ban.",
		params: []param{
			{name: "address", help: "IP address, network such as 192.0.2.0/24, or Tor or I2P address; without a port"},
			{name: "command", help: "add or remove"},
			{name: "seconds", kind: kindInteger, optional: true, max: maxUnix,
				help: "how long the ban lasts; without it, or 0, --banduration, or 24 hours if that is 0"},
			{name: "absolute", kind: kindBool, optional: true, help: "true: seconds is the Unix time at which it ends"},
		},
		result: "null",
		handle: setBan,
	}, {
		name: "listbanned", area: areaPeers,
		summary: "Returns all bans, and the addresses that are discouraged as their nodes broke a rule.",
		result:  "array of objects",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return list(b.Bans(ctx))
		},
	}, {
		name: "clearbanned", area: areaPeers,
		summary: "Removes all bans and discouraged addresses.",
		result:  "null",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return nil, b.ClearBans(ctx)
		},
	}, {
		name: "disconnectnode", area: areaPeers,
		summary: "Ends the connection with a peer, by its address or its id.",
		params: []param{
			{name: "address", optional: true, help: "host:port as in getpeerinfo, or an id; empty to give the id next"},
			{name: "nodeid", kind: kindInteger, optional: true, min: 1, max: maxID, help: "id as in getpeerinfo"},
		},
		result: "null",
		handle: disconnectNode,
	}}
}

func setBan(ctx context.Context, b Backend, args arguments) (any, error) {
	address, seconds, absolute := strings.TrimSpace(args.text(0)), int64(args.integer(2)), args.bool(3)
	switch args.text(1) {
	case "remove":
		if seconds != 0 || absolute {
			return nil, InvalidParameter("setban: remove takes no time")
		}
		return nil, b.Unban(ctx, address)
	case "add":
	default:
		return nil, InvalidParameter("setban: the command is add or remove, not %s", quoteShort(args.text(1)))
	}
	var until time.Time
	switch {
	case absolute:
		until = time.Unix(seconds, 0)
	case seconds > 0:
		until = time.Unix(time.Now().Unix()+seconds, 0)
	}
	return nil, b.Ban(ctx, address, until)
}

func disconnectNode(ctx context.Context, b Backend, args arguments) (any, error) {
	addr, id := strings.TrimSpace(args.text(0)), uint64(args.integer(1))
	switch {
	case addr != "" && id != 0:
		return nil, InvalidParameter("disconnectnode: give the address or the id, not both")
	case addr == "" && id == 0:
		return nil, InvalidParameter("disconnectnode: give the address or the id of a peer, as in getpeerinfo")
	case addr != "":
		if n, err := strconv.ParseUint(addr, 10, 53); err == nil { // no address is a mere number
			addr, id = "", n
		}
	}
	return nil, b.Disconnect(ctx, addr, id)
}
