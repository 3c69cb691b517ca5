package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
)

// mine finds shares that pay an address, each on top of the one before, and
// returns their IDs; those that are Bitcoin blocks too go to the Bitcoin node.
func mine(t *testing.T, n *node, address string, count int) []chainhash.Hash {
	t.Helper()
	payee, err := payeeScript(address, n.cfg.params)
	if err != nil {
		t.Fatal(err)
	}
	var ids []chainhash.Hash
	for range count {
		job, err := n.generator.Work().Job(payee, share.Class12)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, submit(t, n, job, solve(t, job, &job.ShareTarget)))
	}
	return ids
}

// submit hands in what is a share, and returns its ID when there is work on top of it.
func submit(t *testing.T, n *node, job *mining.Job, s mining.Solution) chainhash.Hash {
	t.Helper()
	changed, cancel := n.generator.Subscribe()
	defer cancel()
	out, err := n.generator.Submit(t.Context(), job, s)
	if err != nil {
		t.Fatal(err)
	}
	if !out.Share {
		t.Fatalf("not a share: %+v", out)
	}
	for w := n.generator.Work(); w == nil || w.Tip().ID != out.Hash; w = n.generator.Work() {
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("no work on top of the new share")
		}
	}
	return out.Hash
}

// solve finds a solution that meets a target. It hashes bytes, as headers are slow
// under the race detector.
func solve(t *testing.T, job *mining.Job, goal *uint256.Uint256) mining.Solution {
	t.Helper()
	s := mining.Solution{Version: job.Version, Time: job.Time, Worker: "test"}
	header := job.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
	var buf bytes.Buffer
	if err := header.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	raw := buf.Bytes()
	nonce := raw[len(raw)-4:]
	for {
		if hash := chainhash.DoubleHashH(raw); target.HashMeets(&hash, goal) {
			return s
		}
		s.Nonce++
		binary.LittleEndian.PutUint32(nonce, s.Nonce)
	}
}

// TestChainCommands compares what the commands about shares say with the shares
// that were mined.
func TestChainCommands(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t), "--tag=test pool")
	awaitInfo(t, p, "the node works", healthy)
	callError(t, p, rpcserver.CodeNotFound, "the sharechain is empty", "gettip")
	if info := call[rpcserver.ChainInfo](t, p, "getsharechaininfo"); info.Tip != "" || info.Shares != 0 || info.MedianTime != 0 {
		t.Errorf("empty chain: %+v", info)
	}
	ids := mine(t, n, regP2WPKH, 4)
	tip := ids[3].String()

	info := call[rpcserver.ChainInfo](t, p, "getsharechaininfo")
	if info.Tip != tip || info.Height != 3 || info.Shares != 4 || info.Window.Shares != 4 || info.Window.Payees != 1 || info.Window.EndHeight != 3 ||
		info.Uncles+info.SideShares+info.Orphans != 0 || info.Syncing || info.ChainID == "" || info.ShareInterval <= 0 || info.ShareDifficulty <= 0 {
		t.Errorf("getsharechaininfo: %+v", info)
	}
	if got := call[rpcserver.Info](t, p, "getinfo"); got.Tip != tip || got.Height != 3 || got.ShareDifficulty != info.ShareDifficulty || got.ChainID != info.ChainID {
		t.Errorf("getinfo: %+v", got)
	}
	if got := call[string](t, p, "getbestsharehash"); got != tip {
		t.Errorf("getbestsharehash: %s, want %s", got, tip)
	}
	for height, id := range ids {
		if got := call[string](t, p, "getsharehash", height); got != id.String() {
			t.Errorf("getsharehash %d: %s, want %v", height, got, id)
		}
	}
	callError(t, p, rpcserver.CodeNotFound, "no share at height 4", "getsharehash", 4)
	callError(t, p, rpcserver.CodeNotFound, "not found", "getshare", strings.Repeat("0", 64))

	s := call[rpcserver.Share](t, p, "getshare", tip, 2)
	if s.Hash != tip || s.Status != "main" || s.Confirmations != 1 || s.Work != info.Work || s.Size*2 != len(s.Hex) ||
		s.Data.PreviousShare != ids[2].String() || s.Data.Address != regP2WPKH || s.Data.Height != 3 || s.Data.Tag != fmt.Sprintf("%x", "test pool") {
		t.Errorf("getshare: %+v", s)
	}
	if old := call[rpcserver.Share](t, p, "getshare", ids[0].String()); old.Confirmations != 4 || old.Hex != "" || old.Work >= s.Work {
		t.Errorf("getshare of the first: %+v", old)
	}
	if got := call[rpcserver.Share](t, p, "gettip"); got.Hash != tip {
		t.Errorf("gettip: %+v", got)
	}
	rows := call[[]rpcserver.ShareSummary](t, p, "getshares", 3)
	if len(rows) != 3 || rows[0].Hash != tip || rows[2].Hash != ids[1].String() || rows[0].Tag != "test pool" || rows[0].Address != regP2WPKH {
		t.Errorf("getshares: %+v", rows)
	}
	p.stop(t)
}

// TestUncles mines two shares on the same parent: the second becomes the uncle
// of the share after.
func TestUncles(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	mine(t, n, regP2WPKH, 1)
	old := n.generator.Work()
	job, err := old.Job(n.cfg.own[0].Script, share.Class36)
	if err != nil {
		t.Fatal(err)
	}
	mine(t, n, regP2WPKH, 1)
	side, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.ShareTarget))
	if err != nil || !side.Share {
		t.Fatalf("%+v, %v", side, err)
	}
	if s := call[rpcserver.Share](t, p, "getshare", side.Hash.String()); s.Status != "side" || s.Confirmations != 0 {
		t.Errorf("before: %+v", s)
	}
	awaitUncle(t, n)
	mine(t, n, regP2WPKH, 1)
	if s := call[rpcserver.Share](t, p, "getshare", side.Hash.String()); s.Status != "uncle" || s.Confirmations != 0 || s.Data.Class != 36 {
		t.Errorf("after: %+v", s)
	}
	rows := call[[]rpcserver.ShareSummary](t, p, "getshares")
	if len(rows) != 3 || len(rows[0].Uncles) != 1 || rows[0].Uncles[0].Hash != side.Hash.String() || len(rows[1].Uncles) != 0 {
		t.Errorf("getshares: %+v", rows)
	}
	if info := call[rpcserver.ChainInfo](t, p, "getsharechaininfo"); info.Shares != 3 || info.Uncles != 1 || info.SideShares != 0 {
		t.Errorf("getsharechaininfo: %+v", info)
	}
	p.stop(t)
}

// awaitUncle waits for work that refers to an uncle.
func awaitUncle(t *testing.T, n *node) {
	t.Helper()
	until(t, "work with an uncle", patience, func() bool {
		w := n.generator.Work()
		return w != nil && len(w.Tip().Uncles) > 0
	})
}

// TestPayoutCommands checks that getpayouts adds up to the coinbase.
func TestPayoutCommands(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	if got := call[rpcserver.Payouts](t, p, "getpayouts"); got.Tip != "" || len(got.Payouts) != 0 || got.FinderFee != got.CoinbaseValue {
		t.Errorf("empty chain: %+v", got)
	}
	mine(t, n, regP2WPKH, 2)
	mine(t, n, testP2PKH, 1)
	for _, class := range []int{12, 144} {
		got := call[rpcserver.Payouts](t, p, "getpayouts", class)
		var owed, paid int64
		var addresses []string
		for _, row := range got.Payouts {
			owed, paid = owed+row.Owed, paid+row.Amount
			addresses = append(addresses, row.Address)
		}
		slices.Sort(addresses)
		if got.Class != class || got.Height != 3 || paid+got.FinderFee != got.CoinbaseValue || owed <= 0 ||
			!slices.Equal(addresses, []string{regP2WPKH, testP2PKH}) || got.Payouts[0].Owed < got.Payouts[1].Owed {
			t.Errorf("class %d: %+v", class, got)
		}
	}
	callError(t, p, rpcserver.CodeInvalidParams, "13", "getpayouts", 13)
	tpl := call[rpcserver.TemplateInfo](t, p, "gettemplate")
	if !tpl.Jobs || tpl.Reason != "" || tpl.BitcoinHeight < 4 || tpl.CoinbaseValue <= 0 || tpl.Received == 0 {
		t.Errorf("gettemplate: %+v", tpl)
	}
	p.stop(t)
}

// TestPeerCommands connects two nodes.
func TestPeerCommands(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	pa, a := startNode(t, t.TempDir(), fake)
	awaitInfo(t, pa, "the node works", healthy)
	tip := mine(t, a, regP2WPKH, 2)[1].String()
	pb, _ := startNode(t, t.TempDir(), fake)
	callError(t, pb, rpcserver.CodeInvalidParams, "is not a peer address", "addnode", "a b")
	call[any](t, pb, "addnode", a.peers.Addr().String())
	awaitInfo(t, pb, "the second node has the shares of the first", func(i *rpcserver.Info) bool { return i.Tip == tip && i.Healthy })

	began := time.Now().Unix() - 60
	for _, side := range []struct {
		p       *program
		inbound bool
		best    string
		height  uint32
	}{{pa, true, "", 0}, {pb, false, tip, 1}} {
		peers := call[[]rpcserver.PeerInfo](t, side.p, "getpeerinfo")
		if len(peers) != 1 {
			t.Fatalf("peers %+v", peers)
		}
		peer := peers[0]
		if peer.Inbound != side.inbound || peer.BestShare != side.best || peer.Height != side.height || peer.Transport != "v2" || len(peer.SessionID) != 64 || peer.RelayMode != 1 ||
			peer.Services != "0000000000000800" || peer.UserAgent != userAgent() || peer.Connected < began ||
			peer.LastSend < peer.Connected || peer.LastRecv < peer.Connected || peer.BytesSent == 0 || peer.BytesRecv == 0 || peer.BytesSentPerMsg["version"] == 0 || peer.BytesRecvPerMsg["verack"] == 0 || peer.Throttled != 0 ||
			peer.TimeOffset < -1 || peer.TimeOffset > 1 || peer.Score != 0 {
			t.Errorf("%+v", peer)
		}
		info := call[rpcserver.Info](t, side.p, "getinfo")
		if info.Peers != 1 || (info.PeersInbound == 1) != side.inbound || (info.PeersOutbound == 1) == side.inbound {
			t.Errorf("%+v", info)
		}
	}
	pb.stop(t)
	pa.stop(t)
}

// TestMinerCommands connects a miner and lets it go.
func TestMinerCommands(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	conn, err := net.Dial("tcp", n.stratum.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, `{"id":1,"method":"mining.subscribe","params":["rig/1.0"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["%s.attic","x"]}`+"\n", regP2WPKH)
	for in := bufio.NewScanner(conn); in.Scan() && !strings.Contains(in.Text(), `"id":2`); {
	}
	miners := call[[]rpcserver.MinerInfo](t, p, "getminers")
	if len(miners) != 1 {
		t.Fatalf("miners %+v", miners)
	}
	m := miners[0]
	if m.Worker != "attic" || m.Address != regP2WPKH || m.UserAgent != "rig/1.0" || m.Connections != 1 || m.Connected == 0 ||
		m.LastSubmit != 0 || m.Accepted+m.Rejected+m.Stale+m.Shares != 0 || m.Class == 0 {
		t.Errorf("%+v", m)
	}
	if info := call[rpcserver.Info](t, p, "getinfo"); info.Workers != 1 || info.StratumConnections != 1 {
		t.Errorf("%+v", info)
	}
	conn.Close()
	awaitInfo(t, p, "the miner has left", func(i *rpcserver.Info) bool { return i.Workers == 0 && i.StratumConnections == 0 })
	if miners := call[[]rpcserver.MinerInfo](t, p, "getminers"); len(miners) != 1 || miners[0].Connections != 0 || miners[0].Connected != 0 {
		t.Errorf("%+v", miners)
	}
	p.stop(t)
}
