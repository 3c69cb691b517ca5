package rpcserver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Bounds of what one request may ask for. A share's summary is about 500 bytes
// of JSON, with three uncles 2 kB, so that an answer stays around 2 MB. A payee
// takes up to 760 bytes, as every class is explained.
const (
	MaxShares      = 1000
	defaultShares  = 20
	MaxBlocks      = 1000
	defaultBlocks  = 20
	MaxPayouts     = 10_000
	defaultPayouts = 1000

	// maxOutputs is the largest output class (protocol.md, section 6).
	maxOutputs = 1152

	// maxSkip is more than a window has payees: 120,960 shares and the uncles
	// of each.
	maxSkip = 1_000_000
)

// Headings of help, in the order in which they are shown.
const (
	areaNode   = "Node"
	areaChain  = "Sharechain"
	areaPayout = "Payouts"
	areaPeers  = "Peers"
	areaMining = "Mining"
)

// methods is the method table, by area and then by importance. It is filled in
// init because the handler of help reads it.
var methods []method

func init() {
	methods = slices.Concat(nodeMethods(), chainMethods(), payoutMethods(), payeeMethods(), peerMethods(), networkMethods(), relayMethods(), banMethods(), miningMethods(), stratumMethods(), mergedMethods())
}

// findMethod looks a method up by its name or alias.
func findMethod(name string) *method {
	i := slices.IndexFunc(methods, func(m method) bool {
		return m.name == name || m.alias != "" && m.alias == name
	})
	if i < 0 {
		return nil
	}
	return &methods[i]
}

// MethodNames returns the names of all methods, aliases not included, sorted.
func MethodNames() []string {
	names := make([]string, 0, len(methods))
	for _, m := range methods {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

func nodeMethods() []method {
	return []method{{
		name: "getinfo", area: areaNode,
		summary: "Returns the node's state at a glance: tip, peers, miners, hash rates, Bitcoin node, health.",
		result:  "object",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return b.Info(ctx)
		},
	}, {
		name: "uptime", area: areaNode,
		summary: "Returns how long the node has been running.",
		result:  "seconds",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			d, err := b.Uptime(ctx)
			return int64(d.Seconds()), err
		},
	}, {
		name: "debuglevel", area: areaNode,
		summary: "Changes the log levels of the running node, or only shows them.",
		params: []param{{name: "spec", optional: true,
			help: `what --debuglevel takes, for example "info,PEER=debug"; without it nothing changes`}},
		result: "object: subsystem → level, after the change",
		handle: func(ctx context.Context, b Backend, args arguments) (any, error) {
			return b.SetLogLevels(ctx, args.text(0))
		},
	}, {
		name: "stop", area: areaNode,
		summary: "Stops the node in an orderly way.",
		result:  "text",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return "p2poold is stopping", b.Stop(ctx)
		},
	}, {
		name: "restart", area: areaNode,
		summary: "Stops the node in an orderly way and starts the program that is installed now, with the ports open meanwhile.",
		result:  "text",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			if err := b.Restart(ctx); err != nil {
				return nil, err
			}
			return "p2poold is restarting", nil
		},
	}, {
		name: "reload", area: areaNode,
		summary: "Reads the conf file again and takes over what a running node can.",
		result:  "object",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return b.Reload(ctx)
		},
	}, {
		name: "help", area: areaNode,
		summary: "Lists all methods, or explains one.",
		params:  []param{{name: "method", optional: true, help: "the method to explain"}},
		result:  "text",
		handle: func(_ context.Context, _ Backend, args arguments) (any, error) {
			return Help(args.text(0))
		},
	}}
}

func chainMethods() []method {
	return []method{{
		name: "getsharechaininfo", area: areaChain,
		summary: "Returns the state of the sharechain: tip, work, difficulty, payout window, what is stored.",
		result:  "object",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return b.ChainInfo(ctx)
		},
	}, {
		name: "gettip", area: areaChain,
		summary: "Returns the newest share of the main chain, decoded.",
		result:  "object, as from getshare",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			s, err := b.TipShare(ctx)
			return shareAnswer(s, 1), err
		},
	}, {
		name: "getbestsharehash", area: areaChain,
		summary: "Returns the hash of the newest share of the main chain.",
		result:  "hash",
		handle:  bestShareHash,
	}, {
		name: "getsharehash", area: areaChain,
		summary: "Returns the hash of the main chain's share at a height.",
		params:  []param{{name: "height", kind: kindInteger, max: maxHeight, help: "sharechain height"}},
		result:  "hash",
		handle: func(ctx context.Context, b Backend, args arguments) (any, error) {
			id, err := b.ShareIDAt(ctx, args.height(0))
			return id.String(), err
		},
	}, {
		name: "getshare", area: areaChain,
		summary: "Returns a share.",
		params: []param{
			{name: "hash", help: "the share's hash, 64 hex digits"},
			{name: "verbosity", kind: kindInteger, optional: true, fallback: 1, max: 2,
				help: "0: its encoding in hex, 1 (default): every field decoded, 2: both"},
		},
		result: "object, or hex text with verbosity 0",
		handle: getShare,
	}, {
		name: "getshares", area: areaChain,
		summary: "Returns the latest shares of the main chain, newest first, each with its uncles.",
		params: []param{{name: "count", kind: kindInteger, optional: true, fallback: defaultShares, min: 1, max: MaxShares,
			help: fmt.Sprintf("how many, default %d, at most %d", defaultShares, MaxShares)}},
		result: "array of objects",
		handle: func(ctx context.Context, b Backend, args arguments) (any, error) {
			return list(b.RecentShares(ctx, args.integer(0)))
		},
	}}
}

func payoutMethods() []method {
	return []method{{
		name: "getpayouts", area: areaPayout,
		summary: "Returns what payees are owed, their chances in each class, and what the next block would pay.",
		params: []param{
			{name: "class", kind: kindInteger, optional: true, max: maxOutputs,
				help: "output class that the block is shown for: 12, 36, 144, 288 or 1152 outputs; without it, or 0, the node's usual one"},
			{name: "address", optional: true, help: "show this payee only"},
			{name: "count", kind: kindInteger, optional: true, fallback: defaultPayouts, min: 1, max: MaxPayouts,
				help: fmt.Sprintf("how many payees, default %d, at most %d", defaultPayouts, MaxPayouts)},
			{name: "skip", kind: kindInteger, optional: true, max: maxSkip,
				help: "how many to leave out before the first, default 0; not with address"},
		},
		result: "object; amounts in satoshi",
		handle: getPayouts,
	}, {
		name: "getblocksfound", alias: "getblocks", area: areaPayout,
		summary: "Returns the Bitcoin blocks found by the pool, newest first.",
		params: []param{{name: "count", kind: kindInteger, optional: true, fallback: defaultBlocks, min: 1, max: MaxBlocks,
			help: fmt.Sprintf("how many, default %d, at most %d", defaultBlocks, MaxBlocks)}},
		result: "array of objects",
		handle: func(ctx context.Context, b Backend, args arguments) (any, error) {
			return list(b.FoundBlocks(ctx, args.integer(0)))
		},
	}}
}

func peerMethods() []method {
	return []method{{
		name: "getpeerinfo", area: areaPeers,
		summary: "Returns the connected peers.",
		result:  "array of objects",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return list(b.Peers(ctx))
		},
	}, {
		name: "addnode", area: areaPeers,
		summary: "Connects to another node and stays connected until the node stops.",
		params:  []param{{name: "addr", help: "host or host:port"}},
		result:  "null; whether the connection comes up shows in getpeerinfo",
		handle: func(ctx context.Context, b Backend, args arguments) (any, error) {
			if strings.TrimSpace(args.text(0)) == "" {
				return nil, InvalidParameter("addnode: the address is empty; give host or host:port")
			}
			return nil, b.AddNode(ctx, args.text(0))
		},
	}}
}

func miningMethods() []method {
	return []method{{
		name: "getminers", alias: "getworkers", area: areaMining,
		summary: "Returns the miners of this node, one entry per worker; those that left have 0 connections.",
		result:  "array of objects",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return list(b.Miners(ctx))
		},
	}, {
		name: "getmineraddresses", area: areaMining,
		summary: "Returns the miners of this node by the address that they are paid to, the one with the highest hash rate first.",
		result:  "array of objects",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return list(b.MinerAddresses(ctx))
		},
	}, {
		name: "gettemplate", area: areaMining,
		summary: "Returns a summary of the block template that is being mined.",
		result:  "object",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return b.Template(ctx)
		},
	}}
}

// getPayouts checks what does not depend on the network. An address does.
func getPayouts(ctx context.Context, b Backend, args arguments) (any, error) {
	q := PayoutQuery{Outputs: args.integer(0), Address: args.text(1), Count: args.integer(2), Skip: args.integer(3)}
	if _, err := share.ParseClass(strconv.Itoa(q.Outputs)); err != nil && q.Outputs != 0 {
		return nil, InvalidParameter("getpayouts: %v", err)
	}
	if q.Address != "" && q.Skip != 0 {
		return nil, InvalidParameter("getpayouts: skip goes through the list of all payees; leave it out or the address")
	}
	return b.Payouts(ctx, q)
}

func bestShareHash(ctx context.Context, b Backend, _ arguments) (any, error) {
	s, err := b.TipShare(ctx)
	if err != nil {
		return nil, err
	}
	return s.Hash, nil
}

func getShare(ctx context.Context, b Backend, args arguments) (any, error) {
	text := args.text(0)
	if len(text) != 2*chainhash.HashSize {
		return nil, InvalidParameter("getshare: hash must have %d hex digits, this has %d characters", 2*chainhash.HashSize, len(text))
	}
	id, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return nil, InvalidParameter("getshare: hash: %v", err)
	}
	s, err := b.Share(ctx, *id)
	return shareAnswer(s, args.integer(1)), err
}

// shareAnswer forms a share for a verbosity: 0 its encoding, 1 decoded, 2 both.
// The Backend's value is not changed, it may be shared.
func shareAnswer(s *Share, verbosity int) any {
	switch {
	case s == nil:
		return nil
	case verbosity == 0:
		return s.Hex
	case verbosity == 1:
		decoded := *s
		decoded.Hex = ""
		return &decoded
	}
	return s
}

// list makes sure that an empty list is answered as [] and not as null.
func list[T any](rows []T, err error) (any, error) {
	if rows == nil {
		rows = []T{}
	}
	return rows, err
}

// Help explains one method, or for an empty name lists all of them by area. The
// error is an *Error about an unknown method.
func Help(name string) (string, error) {
	if name != "" {
		m := findMethod(name)
		if m == nil {
			return "", unknownMethod(name)
		}
		return m.help(), nil
	}
	var b strings.Builder
	area := ""
	for i := range methods {
		m := &methods[i]
		if m.area != area {
			if area != "" {
				b.WriteString("\n")
			}
			area = m.area
			fmt.Fprintf(&b, "%s\n", area)
		}
		fmt.Fprintf(&b, "  %-28s %s\n", m.usage(), m.summary)
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

func unknownMethod(name string) *Error {
	return &Error{CodeMethodNotFound, fmt.Sprintf("there is no method %s; help lists all methods", quoteShort(name))}
}
