package bitcoind

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining/bitcoinp2p"
	"github.com/p2poold/p2poold/mining/zmq"
)

const (
	// askBurst and askEvery bound the questions to the node that one source can cause by
	// news that turn out to be none: ten at once, then two a second. Each costs the node
	// less than a millisecond.
	askBurst = 10
	askEvery = 500 * time.Millisecond

	// warnEvery is the least time between two warnings of one endpoint, as it may fail
	// as often as it is tried.
	warnEvery = 10 * time.Minute

	// maxNotifications bounds the addresses taken from getzmqnotifications. Bitcoin
	// Core has five topics, and can have several addresses for each.
	maxNotifications = 8
)

// feed is one source's way to ask the node: the newest news waits, older is forgotten.
type feed struct {
	source  Source
	trusted bool // it is known to be our node
	told    bool // by the operator or the node, so that the log tells if it isn't there
	client  *Client
	box     chan sighting // of one
}

// put takes news. It doesn't block.
func (f *feed) put(s sighting) {
	s.at, s.trusted = time.Now(), f.trusted
	if !f.client.sight(s) {
		return
	}
	for {
		select {
		case f.box <- s:
			return
		default:
		}
		select {
		case <-f.box:
		default:
		}
	}
}

// run asks the node about what put left.
func (f *feed) run(ctx context.Context) {
	budget, counted := float64(askBurst), time.Now()
	for {
		now := time.Now()
		budget = min(askBurst, budget+float64(now.Sub(counted))/float64(askEvery))
		counted = now
		if budget < 1 {
			if !sleep(ctx, askEvery) {
				return
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case s := <-f.box:
			if !f.client.ask(ctx, &s) {
				budget--
			}
		}
	}
}

// keep listens with one source until ctx ends, through all that may break.
func (c *Client) keep(ctx context.Context, f *feed, addr string, listen func(ctx context.Context, f *feed, up func()) error) {
	f.client, f.box = c, make(chan sighting, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.run(ctx) })

	backoff := c.timing.backoffMin
	var warned time.Time
	for {
		start, connected := time.Now(), false
		err := listen(ctx, f, func() {
			connected = true
			c.tips.up(f.source, 1)
			c.log.Debugf("Listening to the Bitcoin node by %v at %s", f.source, addr)
		})
		if connected {
			c.tips.up(f.source, -1)
		}
		if ctx.Err() != nil {
			return
		}
		if connected && time.Since(start) > c.timing.listenMax {
			backoff = c.timing.backoffMin // it was no endpoint that only seems to work
		}
		if f.told && time.Since(warned) >= warnEvery {
			c.log.Warnf("No news of blocks by %v from %s, trying again: %v", f.source, addr, clip(err.Error()))
			warned = time.Now()
		} else {
			c.log.Debugf("No news of blocks by %v from %s: %v", f.source, addr, err)
		}
		if !sleep(ctx, backoff) {
			return
		}
		backoff = min(2*backoff, c.timing.listenMax)
	}
}

// listen runs all sources that the configuration or the node names, until ctx ends.
func (c *Client) listen(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	addrs, ours := c.cfg.ZMQ, !c.cfg.Shared
	if len(addrs) == 0 {
		addrs, ours = c.notifications(ctx), true // by the node's own word
	}
	for _, addr := range addrs {
		wg.Go(func() { c.keep(ctx, &feed{source: SourceZMQ, trusted: ours, told: true}, addr, c.listenZMQ(addr)) })
	}
	if addr, told := c.peerAddr(); addr != "" {
		wg.Go(func() {
			c.keep(ctx, &feed{source: SourceP2P, trusted: told && !c.cfg.Shared, told: told}, addr, c.listenP2P(addr))
		})
	}
	if c.isBtcd(ctx) {
		wg.Go(func() {
			c.keep(ctx, &feed{source: SourceWebsocket, trusted: true, told: true}, c.end.addr, c.listenWebsocket)
		})
	}
}

// listenZMQ listens to Bitcoin Core's publisher.
func (c *Client) listenZMQ(addr string) func(context.Context, *feed, func()) error {
	return func(ctx context.Context, f *feed, up func()) error {
		return zmq.Listen(ctx, addr, up, func(e zmq.Event) {
			if e.Left {
				c.wakeIfTip(e)
				return
			}
			f.put(sighting{source: f.source, hash: e.Hash, header: e.Header})
		})
	}
}

// wakeIfTip looks at the node at once when the tip has left its best chain.
func (c *Client) wakeIfTip(e zmq.Event) {
	if tip, _, known := c.tips.present(); known && tip == e.Hash {
		c.wakePoll()
	}
}

// listenP2P listens to the node as one of its peers.
func (c *Client) listenP2P(addr string) func(context.Context, *feed, func()) error {
	return func(ctx context.Context, f *feed, up func()) error {
		return bitcoinp2p.Listen(ctx, bitcoinp2p.Config{
			Addr: addr, Magic: c.cfg.Params.Net, UserAgent: "/p2poold/", Compact: c.cfg.Speculate, Up: up,
			Tip: func() chainhash.Hash { tip, _, _ := c.tips.present(); return tip },
			On: func(e bitcoinp2p.Event) {
				src := f.source
				if e.Compact {
					src = SourceCompact
				}
				f.put(sighting{source: src, hash: e.Hash, header: e.Header})
			},
		})
	}
}

// peerAddr returns the node's peer network port, "" for none, and whether the operator
// has named it. Unnamed it is the usual one on the node's own machine; whoever answers
// there may be another node, and is asked about.
func (c *Client) peerAddr() (addr string, told bool) {
	switch {
	case c.cfg.BitcoinP2P != "":
		return c.cfg.BitcoinP2P, true
	case !c.cfg.FindBitcoinP2P:
		return "", false
	}
	host, _, err := net.SplitHostPort(c.end.addr)
	if err != nil {
		return "", false
	}
	return net.JoinHostPort(host, c.cfg.Params.DefaultPort), false
}

// notification is one entry of getzmqnotifications.
type notification struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// notifications asks Bitcoin Core where it publishes blocks. Other nodes, and one built
// without ZMQ, don't know the question.
func (c *Client) notifications(ctx context.Context) []string {
	raw, err := c.callWithin(ctx, c.lanes.signal, c.timing.ask, "getzmqnotifications")
	if err != nil {
		return nil
	}
	var list []notification
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil
	}
	host, _, err := net.SplitHostPort(c.end.addr)
	if err != nil {
		return nil
	}
	var addrs []string
	seen := make(map[string]bool)
	for _, n := range list {
		addr, ok := reachable(n.Address, host)
		switch n.Type {
		case "pubhashblock", "pubrawblock", "pubsequence":
		default:
			continue
		}
		if ok && !seen[addr] && len(addrs) < maxNotifications {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// reachable translates an address that the node on host publishes at into one to
// connect to; ok is false if that can't be known to be the node.
func reachable(publisher, host string) (addr string, ok bool) {
	rest, ok := strings.CutPrefix(publisher, "tcp://")
	if !ok {
		return "", false
	}
	at, port, err := net.SplitHostPort(rest)
	if err != nil {
		return "", false
	}
	ip, err := netip.ParseAddr(at)
	switch {
	case at == "*", err == nil && ip.IsUnspecified():
		at = host
	case at == host, err == nil && ip.IsLoopback() && isLocal(host):
	default:
		return "", false
	}
	addr = "tcp://" + net.JoinHostPort(at, port)
	return addr, zmq.CheckAddr(addr) == nil
}

// isLocal tells whether a host is this machine.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// isBtcd asks for the version in btcd's way, which Bitcoin Core doesn't know.
func (c *Client) isBtcd(ctx context.Context) bool {
	raw, err := c.callWithin(ctx, c.lanes.signal, c.timing.ask, "version")
	if err != nil {
		return false
	}
	var versions map[string]json.RawMessage
	return json.Unmarshal(raw, &versions) == nil && versions["btcdjsonrpcapi"] != nil
}
