package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/internal/web"
	"github.com/p2poold/p2poold/stratum"
)

// fetch asks the miners' port for JSON.
func fetch[T any](t *testing.T, url string) (v T) {
	t.Helper()
	code, body := browse(t, url)
	if err := json.Unmarshal([]byte(body), &v); err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %v\n%s", url, code, err, body)
	}
	return v
}

// TestDashboard: what the web pages and their API say on the miners' port is what RPC
// says, and nobody's miners are shown without their address.
func TestDashboard(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t), "--fee=1.5")
	url := "http://" + n.stratum.Addrs()[0].String()
	awaitInfo(t, p, "the node works", healthy)
	mine(t, n, regP2WPKH, 3)
	mine(t, n, testP2PKH, 1)
	job, err := n.generator.Work().Job(payTo(t, n), share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget))
	if err != nil || !out.Block {
		t.Fatalf("%+v, %v", out, err)
	}
	awaitInfo(t, p, "there is work on the block", func(i *rpcserver.Info) bool {
		w := n.generator.Work()
		return i.Healthy && w != nil && w.Tip().ID == out.Hash && w.Template().Height == job.BitcoinHeight+1
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	loginAs(t, conn, "<i>rig", regP2WPKH+".<b>attic")

	info, status := call[rpcserver.Info](t, p, "getinfo"), fetch[web.Status](t, url+"/api/status")
	payouts := call[rpcserver.Payouts](t, p, "getpayouts")
	if !status.Working || status.Fee != 1.5 || status.Difficulty != info.ShareDifficulty || status.LastShare == 0 || status.BlockTime <= 0 ||
		!status.Next.Known || status.Next.Value != payouts.CoinbaseValue || status.Next.Height < 4 || status.Next.Payees != 2 || status.Next.Shares < 4 {
		t.Errorf("%+v", status)
	}
	blocks, found := fetch[[]web.Block](t, url+"/api/blocks"), call[[]rpcserver.FoundBlock](t, p, "getblocksfound")
	if len(blocks) != len(found) || len(blocks) == 0 || blocks[0].Hash != found[0].Hash || blocks[0].Value != found[0].Value || blocks[0].Status == "" {
		t.Errorf("%+v\n%+v", blocks, found)
	}

	// The address in upper case, as QR codes have it, is the same.
	for _, address := range []string{regP2WPKH, strings.ToUpper(regP2WPKH)} {
		m := fetch[web.Miner](t, url+"/api/miner/"+address)
		if m.Address != regP2WPKH || m.WorkerCount != 1 || len(m.Workers) != 1 || m.Workers[0].Name != "?b?attic" || m.Workers[0].UserAgent != "?i?rig" ||
			m.Connections != 1 || !m.Payout.Known || m.Payout.Place != 1 || m.Payout.Shares < 3 || m.Payout.Part <= 0.5 || len(m.Payout.Classes) != 5 {
			t.Errorf("%+v", m)
		}
	}
	other := fetch[web.Miner](t, url+"/api/miner/"+testP2PKH)
	if other.WorkerCount != 0 || other.Payout.Place != 2 || other.Payout.Shares != 1 || other.Payout.Owed != owedTo(payouts, testP2PKH) {
		t.Errorf("%+v", other)
	}
	if code, page := browse(t, url+"/miner?address="+regP2WPKH+".attic"); code != http.StatusOK || !strings.Contains(page, "?b?attic") || !strings.Contains(page, "fee of 1.5 %") {
		t.Errorf("from the form: %d %s", code, page)
	}
	if code, _ := browse(t, url+"/api/miner/1BoatSLRHtKNngkdXEeobR76b53LETtpyT"); code != http.StatusBadRequest {
		t.Errorf("an address of mainnet: %d", code)
	}
	for _, path := range []string{"/", "/api/status", "/api/blocks", "/miner/" + testP2PKH} {
		if _, page := browse(t, url+path); strings.Contains(page, "attic") || strings.Contains(page, regP2WPKH) || path != "/miner/"+testP2PKH && strings.Contains(page, testP2PKH) {
			t.Errorf("%s tells of others:\n%s", path, page)
		}
	}
	p.stop(t)
}

// owedTo is what getpayouts says of an address.
func owedTo(p rpcserver.Payouts, address string) int64 {
	i := slices.IndexFunc(p.Payouts, func(row rpcserver.Payout) bool { return row.Address == address })
	if i < 0 {
		return -1
	}
	return p.Payouts[i].Owed
}

// TestDashboardWorkers: the workers of an address are added up, those that do most are
// listed, and those without an address are the node's own.
func TestDashboardWorkers(t *testing.T) {
	cfg := mustLoad(t, "--network=regtest", "--datadir="+t.TempDir())
	script, err := payeeScript(regP2WPKH, cfg.params)
	if err != nil {
		t.Fatal(err)
	}
	v := &minersView{params: cfg.params, byPayee: make(map[string][]int), payouts: new(payoutView)}
	for i := range 6 {
		w := stratum.WorkerInfo{
			Worker: fmt.Sprint(i), Payee: script, Connections: i % 2, Accepted: 1, Shares: 2, Stale: 3, Duplicate: 4, LowDifficulty: 5, Invalid: 6,
			BestDifficulty: float64(10 - i), LastSubmit: time.Unix(int64(i), 0),
		}
		w.Hashrate[stratum.Over5m] = float64(i / 4)
		v.workers = append(v.workers, w)
		v.byPayee[string(script)] = append(v.byPayee[string(script)], i)
	}
	m, err := v.Miner(regP2WPKH, 5)
	if err != nil {
		t.Fatal(err)
	}
	if m.WorkerCount != 6 || m.Connections != 3 || m.Accepted != 6 || m.Shares != 12 || m.Stale != 18 || m.Rejected != 90 || m.BestDifficulty != 10 ||
		m.LastSubmit != 5 || m.HashRate != 2 || m.Payout.Known || m.Payout.Classes == nil {
		t.Errorf("%+v", m)
	}
	var names []string
	for _, w := range m.Workers {
		names = append(names, w.Name)
	}
	if !slices.Equal(names, []string{"5", "1", "3", "4", "0"}) {
		t.Errorf("workers in the order %v", names)
	}
	if m, err := v.Miner(testP2PKH, 5); err != nil || m.WorkerCount != 0 || m.Workers == nil {
		t.Errorf("nobody's address: %+v, %v", m, err)
	}
	for _, text := range []string{"", "x", "bc1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpyfl4f3", regP2WPKH[1:]} {
		if _, err := v.Miner(text, 5); err != web.ErrNoAddress {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDashboardPayouts: payouts are reckoned anew when what they depend on has changed,
// and not at every look.
func TestDashboardPayouts(t *testing.T) {
	withHome(t)
	p, n := startNode(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	d := &dashboard{n: n}
	first := d.payoutView()
	if !first.next.Known || first.next.Payees != 0 || first != d.payoutView() {
		t.Errorf("before the first share: %+v", first)
	}
	mine(t, n, testP2PKH, 2)
	if v := d.payoutView(); v != first {
		t.Error("reckoned for each share")
	}
	d.payouts.made = d.payouts.made.Add(-payoutsFreshFor)
	if v := d.payoutView(); v == first || v.next.Payees != 1 || v.next.Shares != 2 {
		t.Errorf("of two shares: %+v", v.next)
	}

	// Who names no address mines for the node's own.
	conn, err := net.Dial("tcp", n.stratum.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	loginAs(t, conn, "rig", "shed")
	miners, err := d.Miners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m, err := miners.Miner(regP2WPKH, 5); err != nil || m.WorkerCount != 1 || m.Workers[0].Name != "shed" {
		t.Errorf("%+v, %v", m, err)
	}
	p.stop(t)
}
