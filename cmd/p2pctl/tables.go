package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/p2poold/p2poold/internal/human"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// tables has the methods whose answers are written in a form of their own. now is
// the time to count ages from.
var tables = map[string]func(w io.Writer, result json.RawMessage, now time.Time) error{
	"getinfo":            writer(infoTable),
	"getpeerinfo":        writer(peerTable),
	"getnetworkinfo":     writer(networkTable),
	"listbanned":         writer(banTable),
	"getminers":          writer(minerTable),
	"getmineraddresses":  writer(minerAddressTable),
	"getworkers":         writer(minerTable),
	"getpayouts":         writer(payoutTable),
	"getpayoutaddresses": writer(payoutAddressTable),
	"getblocksfound":     writer(blockTable),
	"getblocks":          writer(blockTable),
	"getshares":          writer(shareTable),
}

// writer decodes the answer for a table function and aligns its columns, which
// are separated by tabs.
func writer[T any](table func(w io.Writer, v T, now time.Time)) func(io.Writer, json.RawMessage, time.Time) error {
	return func(w io.Writer, result json.RawMessage, now time.Time) error {
		var v T
		if err := json.Unmarshal(result, &v); err != nil {
			return fmt.Errorf("the answer has an unexpected form (%w); use --json", err)
		}
		tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		table(tw, v, now)
		return tw.Flush()
	}
}

// row writes one line of a table. Texts may come from strangers: names of
// miners, user agents. They lose everything that could move the cursor or begin
// another column.
func row(w io.Writer, cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			io.WriteString(w, "\t")
		}
		io.WriteString(w, cleaned(fmt.Sprint(cell)))
	}
	io.WriteString(w, "\n")
}

// cleaned is rpcserver.Printable, but keeps our own ellipsis.
func cleaned(text string) string {
	parts := strings.Split(text, "…")
	for i := range parts {
		parts[i] = rpcserver.Printable(parts[i])
	}
	return strings.Join(parts, "…")
}

func infoTable(w io.Writer, v rpcserver.Info, now time.Time) {
	row(w, "Version", v.Version)
	row(w, "Network, pool", v.Network+", "+v.Pool)
	row(w, "Running for", human.Span(time.Duration(v.Uptime)*time.Second))
	termRows(w, &v)
	if v.Starting {
		row(w, "Tip", "not loaded yet")
	} else {
		row(w, "Tip", cmp.Or(v.Tip, "none yet"))
		row(w, "Share height", fmt.Sprint(v.Height)+syncState(&v))
		row(w, "Share difficulty", human.Difficulty(v.ShareDifficulty))
	}
	row(w, "Peers", fmt.Sprintf("%d (%d inbound, %d outbound)", v.Peers, v.PeersInbound, v.PeersOutbound))
	row(w, "Miners", fmt.Sprintf("%s on %s", human.Plural(v.Workers, "worker"), human.Plural(v.StratumConnections, "connection")))
	row(w, "Hash rate", fmt.Sprintf("%s here, %s in the pool", human.HashRate(v.HashRate), poolRate(&v)))
	row(w, "Bitcoin node", bitcoindState(&v.Bitcoind, now))
	bitcoinNodes(w, v.Bitcoind.Nodes)
	if v.Healthy {
		row(w, "Health", "good")
		return
	}
	for i, reason := range v.Health {
		title := ""
		if i == 0 {
			title = "Health"
		}
		row(w, title, reason)
	}
}

// syncState is how far the sync has come, to be put behind the height; nothing if the
// node is not syncing.
func syncState(v *rpcserver.Info) string {
	if !v.Syncing {
		return ""
	}
	text := fmt.Sprintf(", syncing: %d %% (%d of %d shares", int(v.Sync.Percent), v.Sync.Shares, v.Sync.Total)
	if v.Sync.Estimate {
		text += ", an estimate"
	}
	text += ")"
	if v.Sync.Rate > 0 {
		text += fmt.Sprintf(", %.0f/s", v.Sync.Rate)
	}
	if v.Sync.TimeLeft > 0 {
		text += fmt.Sprintf(", %s left", human.Span(time.Duration(v.Sync.TimeLeft)*time.Second))
	}
	return text
}

// poolRate is the pool's hash rate, which a node that starts does not know.
func poolRate(v *rpcserver.Info) string {
	if v.Starting {
		return "unknown"
	}
	return human.HashRate(v.PoolHashRate)
}

// bitcoindState is the state of the Bitcoin node in one line.
func bitcoindState(b *rpcserver.BitcoindInfo, now time.Time) string {
	switch {
	case b.InitialDownload:
		return "still syncing: " + b.Error
	case !b.Connected:
		return "not connected: " + cmp.Or(b.Error, "no answer yet")
	}
	return fmt.Sprintf("at height %d, newest template %s old", b.BitcoinHeight, human.Ago(b.LastTemplate, now))
}

// bitcoinNodes lists the Bitcoin nodes if there are several.
func bitcoinNodes(w io.Writer, nodes []rpcserver.BitcoinNode) {
	if len(nodes) < 2 {
		return
	}
	for _, n := range nodes {
		state := n.Reason
		switch {
		case n.Current && n.Healthy:
			state = "mined on"
		case n.Healthy:
			state = "ready"
		}
		row(w, "", fmt.Sprintf("%s, height %d: %s", n.Addr, n.Height, state))
	}
}

func peerTable(w io.Writer, peers []rpcserver.PeerInfo, now time.Time) {
	if len(peers) == 0 {
		row(w, "no peers")
		return
	}
	row(w, "ID", "ADDRESS", "DIRECTION", "TRANSPORT", "CONNECTED", "PING", "HEIGHT", "SENT", "RECEIVED", "SCORE", "USER AGENT")
	for _, p := range peers {
		direction := "out"
		if p.Inbound {
			direction = "in"
		}
		ping := "-"
		if p.Ping > 0 {
			ping = fmt.Sprintf("%.0f ms", p.Ping*1000)
		}
		row(w, p.ID, p.Addr, direction, p.Transport, human.Ago(p.Connected, now), ping, p.Height,
			human.WithPrefix(float64(p.BytesSent))+"B", human.WithPrefix(float64(p.BytesRecv))+"B", p.Score, p.UserAgent)
	}
}

func minerTable(w io.Writer, miners []rpcserver.MinerInfo, now time.Time) {
	if len(miners) == 0 {
		row(w, "no miners")
		return
	}
	row(w, "WORKER", "ADDRESS", "HASH RATE", "1 DAY", "DIFFICULTY", "BEST", "ACCEPTED", "REJECTED", "STALE", "LATENCY", "SHARES", "LAST", "CONNECTED", "USER AGENT")
	for _, m := range miners {
		row(w, cmp.Or(m.Worker, "-"), m.Address, human.HashRate(m.HashRate), human.HashRate(m.HashRateDay), human.Difficulty(m.Difficulty), human.Difficulty(m.BestDifficulty),
			m.Accepted, m.Rejected, stale(m.Stale, m.DeadOnArrival), latency(&m), m.Shares, human.Ago(m.LastSubmit, now), connected(&m, now), m.UserAgent)
	}
}

func minerAddressTable(w io.Writer, list []rpcserver.MinerAddress, now time.Time) {
	if len(list) == 0 {
		row(w, "no miners")
		return
	}
	row(w, "ADDRESS", "WORKERS", "CONNECTIONS", "1 MINUTE", "5 MINUTES", "1 HOUR", "1 DAY", "7 DAYS", "BEST", "ACCEPTED", "REJECTED", "STALE", "SHARES", "LAST")
	for _, a := range list {
		row(w, a.Address, a.Workers, a.Connections, human.HashRate(a.HashRateMinute), human.HashRate(a.HashRate), human.HashRate(a.HashRateHour), human.HashRate(a.HashRateDay),
			human.HashRate(a.HashRateWeek), human.Difficulty(a.BestDifficulty), a.Accepted, a.Rejected, stale(a.Stale, a.DeadOnArrival), a.Shares, human.Ago(a.LastSubmit, now))
	}
}

// stale shows a number of stale solutions and what part of the good work they are.
func stale(n uint64, part float64) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.2g %%)", n, 100*part)
}

// latency shows how long a device takes to turn to a new block, once an hour's blocks
// tell.
func latency(m *rpcserver.MinerInfo) string {
	const enough = 6
	if m.LatencyBlocks < enough {
		return "-"
	}
	return fmt.Sprintf("%.1f s", m.Latency)
}

// connected tells how long a worker has been connected, and on how many
// connections if there are several.
func connected(m *rpcserver.MinerInfo, now time.Time) string {
	switch m.Connections {
	case 0:
		return "no"
	case 1:
		return human.Ago(m.Connected, now)
	}
	return fmt.Sprintf("%s (%d times)", human.Ago(m.Connected, now), m.Connections)
}

func blockTable(w io.Writer, blocks []rpcserver.FoundBlock, now time.Time) {
	if len(blocks) == 0 {
		row(w, "no Bitcoin blocks found yet")
		return
	}
	row(w, "HEIGHT", "HASH", "AGE", "STATUS", "CONFIRMATIONS", "COINBASE (BTC)", "SHARE", "FINDER", "")
	for _, b := range blocks {
		here := ""
		if b.Own {
			here = "found here"
		}
		row(w, b.Height, b.Hash, human.Ago(b.Time, now), b.Status, b.Confirmations, human.Bitcoins(b.Value), b.ShareHeight, b.Address, here)
	}
}

func shareTable(w io.Writer, shares []rpcserver.ShareSummary, now time.Time) {
	if len(shares) == 0 {
		row(w, "no shares yet")
		return
	}
	row(w, "HEIGHT", "HASH", "AGE", "DIFFICULTY", "CLASS", "UNCLES", "ADDRESS", "TAG", "")
	line := func(height string, s *rpcserver.ShareSummary, uncles string) {
		block := ""
		if s.Bitcoin {
			block = fmt.Sprintf("Bitcoin block %d", s.BitcoinHeight)
		}
		row(w, height, human.ShortHash(s.Hash), human.Ago(s.Time, now), human.Difficulty(s.ShareDifficulty), s.Class, uncles, s.Address, s.Tag, block)
	}
	for i := range shares {
		s := &shares[i]
		line(fmt.Sprint(s.Height), s, fmt.Sprint(len(s.Uncles)))
		for j := range s.Uncles {
			line(fmt.Sprintf("  uncle %d", s.Uncles[j].Height), &s.Uncles[j], "")
		}
	}
}
