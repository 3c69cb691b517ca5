package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
)

// backend answers the RPC server's questions from the parts of the node. While
// the node starts, only those of NodeBackend, PeerBackend and Miners have
// answers: nobody else may touch the sharechain while it is loaded.
type backend struct{ n *node }

// ready returns an error while the node starts.
func (b backend) ready() error {
	if p := b.n.pending.Load(); p != nil {
		return fmt.Errorf("%w: %s", rpcserver.ErrNotReady, p.reason)
	}
	return nil
}

// poolHashrateShares is the number of shares the pool's hashrate is estimated
// from: 360 are an hour on mainnet, and give ±5 %.
const poolHashrateShares = 360

// Info implements rpcserver.NodeBackend.
func (b backend) Info(context.Context) (*rpcserver.Info, error) {
	n := b.n
	info := &rpcserver.Info{
		Version: version(), ProtocolVersion: message.ProtocolVersion,
		Network: n.cfg.params.Network.String(), Pool: n.cfg.params.Pool,
		ChainID: fmt.Sprintf("%x", n.cfg.params.ChainID[:]),
		Uptime:  int64(time.Since(n.started) / time.Second), DonationAddress: n.cfg.General.Donee,
		StratumConnections: n.stratum.Connections(), HashRate: n.stratum.Hashrate(),
		Starting: b.ready() != nil,
	}
	info.Addresses = b.ownAddresses()
	if len(info.Addresses) > 0 {
		info.Address = info.Addresses[0]
	}
	info.Fee, info.Donation, _ = n.payees.Terms()
	if !info.Starting {
		tip := n.chain.Tip()
		if !tip.Empty {
			info.Tip = tip.ID.String()
		}
		info.Height, info.ShareDifficulty = tip.Height, target.Difficulty(&tip.NextTarget)
		progress := n.peers.Progress()
		info.Syncing, info.Sync = progress.Syncing, syncInfo(&progress)
		info.PoolHashRate = n.chain.Hashrate(poolHashrateShares)
	}
	for _, w := range n.stratum.Workers() {
		if w.Connections > 0 {
			info.Workers++
		}
	}
	for _, p := range n.peers.Peers() {
		info.Peers++
		if p.Inbound {
			info.PeersInbound++
		} else {
			info.PeersOutbound++
		}
	}
	info.Health = b.health(info)
	info.Healthy = len(info.Health) == 0
	info.Bitcoind = b.bitcoind() // after health, which must not be good before it is connected
	return info, nil
}

// health lists what keeps the node from working well, most urgent first.
func (b backend) health(info *rpcserver.Info) []string {
	if p := b.n.pending.Load(); p != nil {
		return []string{p.reason}
	}
	reasons := []string{}
	if h := b.n.bitcoin.Health(); !h.OK {
		reasons = append(reasons, h.Reason)
	}
	reasons = append(reasons, b.withheld()...)
	reasons = append(reasons, b.spareTrouble(b.n.bitcoin.Health())...)
	if reason := b.n.solutions.Health(); reason != "" {
		reasons = append(reasons, reason)
	}
	if info.Peers == 0 && b.n.cfg.params.Public() && !slices.Contains(reasons, "miners get no work: "+reasonNoPeers) {
		reasons = append(reasons, "no connection to other nodes of the pool: check --addnode and the firewall")
	}
	return reasons
}

// withheld lists why miners get no work, and what else the supervisor found.
func (b backend) withheld() []string {
	var list []string
	found := b.n.checkup.Load()
	if found == nil {
		found = new(checkup)
	}
	for _, reason := range found.holds {
		list = append(list, "miners get no work: "+reason)
	}
	if reason := b.n.generator.Reason(); reason != "" && !slices.Contains(found.holds, reason) {
		list = append(list, "miners get no work: "+reason)
	}
	return append(list, found.warnings...)
}

// bitcoind describes the Bitcoin node.
func (b backend) bitcoind() rpcserver.BitcoindInfo {
	if p := b.n.pending.Load(); p != nil {
		return rpcserver.BitcoindInfo{InitialDownload: p.syncing, Error: p.bitcoin, Nodes: b.bitcoinNodes()}
	}
	h := b.n.bitcoin.Health()
	info := rpcserver.BitcoindInfo{Connected: h.OK, InitialDownload: h.Kind == bitcoind.ErrSyncing, Error: h.Reason, Nodes: b.bitcoinNodes()}
	if t := b.n.generator.Template(); t != nil {
		info.BitcoinHeight = t.Height - 1
		info.BestBlock = t.PrevBlock.String()
		info.LastTemplate = t.Received.Unix()
	}
	return info
}

// Uptime implements rpcserver.NodeBackend.
func (b backend) Uptime(context.Context) (time.Duration, error) { return time.Since(b.n.started), nil }

// SetLogLevels implements rpcserver.NodeBackend.
func (b backend) SetLogLevels(_ context.Context, spec string) (map[string]string, error) {
	levels, err := b.n.logs.setLevels(spec)
	if err != nil {
		return nil, rpcserver.InvalidParameter("%v", err)
	}
	return levels, nil
}

// Stop implements rpcserver.NodeBackend.
func (b backend) Stop(context.Context) error {
	b.n.logs.logger(subsysMain).Info("Stopping, as asked over RPC")
	b.n.stop()
	return nil
}

// Restart implements rpcserver.NodeBackend.
func (b backend) Restart(ctx context.Context) error { return b.n.restart(ctx) }

// Reload implements rpcserver.NodeBackend.
func (b backend) Reload(context.Context) (*rpcserver.Reload, error) { return b.n.reload() }

// Peers implements rpcserver.PeerBackend.
func (b backend) Peers(context.Context) ([]rpcserver.PeerInfo, error) {
	list := []rpcserver.PeerInfo{}
	for _, p := range b.n.peers.Peers() {
		list = append(list, peerInfo(&p))
	}
	return list, nil
}

func peerInfo(p *p2p.PeerInfo) rpcserver.PeerInfo {
	transport := "v1"
	if p.SessionID != nil {
		transport = "v2"
	}
	info := rpcserver.PeerInfo{
		ID: p.ID, Addr: p.Addr, Network: networkName(p.Network), Inbound: p.Inbound, ConnectionType: string(p.Kind), Transport: transport, SessionID: hex.EncodeToString(p.SessionID), UserAgent: p.UserAgent,
		ProtocolVersion: p.Protocol, Services: fmt.Sprintf("%016x", uint64(p.Services)), RelayMode: int(p.Mode),
		Connected: p.Connected.Unix(), LastSend: unix(p.LastSend), LastRecv: unix(p.LastRecv),
		BytesSent: p.BytesOut, BytesRecv: p.BytesIn, Ping: p.Ping.Seconds(), TimeOffset: p.ClockOffset,
		BytesSentPerMsg: p.BytesOutPer, BytesRecvPerMsg: p.BytesInPer,
		VerifyTime: p.Verifying.Seconds(), ServeTime: p.Serving.Seconds(), Throttled: p.Throttled.Seconds(),
		Height: p.Height, Whitelisted: p.Whitelisted, Discouraged: p.Discouraged, Score: p.Misbehaviour,
	}
	if p.Best != (shareID{}) {
		info.BestShare = p.Best.String()
	}
	return info
}

// AddNode implements rpcserver.PeerBackend.
func (b backend) AddNode(_ context.Context, addr string) error {
	if err := b.n.peers.AddNode(addr); err != nil {
		return rpcserver.InvalidParameter("%v", err)
	}
	return nil
}

// unix returns a time in Unix seconds, 0 for none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
