package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/payee"
)

// TestTerms: what a node takes of its miners' work is what their jobs pay, and what RPC
// and the miners are told.
func TestTerms(t *testing.T) {
	withHome(t)
	const own, his, third = "0014751e76e8199196d454941c45d1b3a323f1433bd6", "0014aa", "0014bb"
	script := func(head string) string { return head + strings.Repeat("0", 44-len(head)) }
	for _, test := range []struct {
		args         []string
		named, plain string // what jobs pay miners with an address and without
		notice       string
	}{
		{nil, script(his), own, ""},
		{[]string{"--fee=100"}, own, own, "this node keeps a fee of 100 % of your work, by lot"},
		{[]string{"--donation=100"}, script(third), script(third), "this node donates 100 % of your work, by lot"},
	} {
		fake, dir := newFake(t), t.TempDir()
		cfg := mustLoad(t, arguments(dir, fake)...)
		address := func(text string) string {
			raw, err := hex.DecodeString(script(text))
			if err != nil {
				t.Fatal(err)
			}
			return rpcserver.Address(raw, cfg.params.Bitcoin)
		}
		p, _ := startNode(t, dir, fake, append(test.args, "--donationaddress="+address(third))...)
		awaitInfo(t, p, "the node works", healthy)
		for user, want := range map[string]string{address(his) + ".rig": test.named, "rig": test.plain} {
			w := watch(t, p, user)
			coinbase := fmt.Sprint(w.await("mining.notify")[2])
			for _, s := range []string{own, script(his), script(third)} {
				if strings.Contains(coinbase, s) != (s == want) {
					t.Errorf("%q, user %s: the coinbase %s pays %s, want %s", test.args, user, coinbase, s, want)
				}
			}
			if user != "rig" && test.notice != "" {
				watch(t, p, user).await("client.show_message", test.notice)
			}
		}
		info := call[rpcserver.Info](t, p, "getinfo")
		if info.Fee != cfgFee(test.args, "--fee=") || info.Donation != cfgFee(test.args, "--donation=") || info.DonationAddress != address(third) || info.Address != regP2WPKH || len(info.Addresses) != 1 {
			t.Errorf("%+v", info)
		}
		for _, m := range call[[]rpcserver.MinerInfo](t, p, "getminers") {
			named := m.Address == address(his)
			if !named && m.Address != regP2WPKH || m.Donation != info.Donation || named && m.Fee != info.Fee || !named && m.Fee != 0 {
				t.Errorf("%+v", m)
			}
		}
		p.stop(t)
	}
}

// cfgFee returns 100 if one of the arguments begins so.
func cfgFee(args []string, prefix string) float64 {
	for _, arg := range args {
		if strings.HasPrefix(arg, prefix) {
			return 100
		}
	}
	return 0
}

// TestDescriptorRotates: a Bitcoin block that pays a descriptor's address is noticed, and
// the address changes when it is time, also after a restart.
func TestDescriptorRotates(t *testing.T) {
	withHome(t)
	fake, dir := newFake(t), t.TempDir()
	args := []string{"--address=", "--address=wpkh(" + testTpub + "/0/*)"}
	p, n := startNode(t, dir, fake, args...)
	awaitInfo(t, p, "the node works", healthy)
	list := call[[]rpcserver.PayoutAddress](t, p, "getpayoutaddresses")
	if len(list) != 1 || !list[0].Current || !list[0].Derived || list[0].Index != 0 || list[0].Paid {
		t.Fatalf("%+v", list)
	}
	first := list[0].Address
	n.logs.flush()
	if info := call[rpcserver.Info](t, p, "getinfo"); info.Address != first || strings.Contains(p.stdout.String(), testTpub[10:50]) {
		t.Errorf("%+v", info)
	}

	job, err := n.generator.Work().Job(n.payees.Current()[0], share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget)); err != nil || !out.Block || !out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if list = call[[]rpcserver.PayoutAddress](t, p, "getpayoutaddresses"); list[0].Paid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the payment is not noticed: %+v", list)
		}
	}
	n.payees.Advance(n.chain.Tip().Height + payee.MinShares)
	list = call[[]rpcserver.PayoutAddress](t, p, "getpayoutaddresses")
	if len(list) != 2 || list[0].Index != 1 || list[0].Paid || list[1].Address != first || list[1].Current || list[0].Address == first {
		t.Errorf("%+v", list)
	}
	second := list[0].Address
	p.stop(t)

	p, _ = startNode(t, dir, fake, args...)
	if list = call[[]rpcserver.PayoutAddress](t, p, "getpayoutaddresses"); len(list) != 2 || list[0].Address != second {
		t.Errorf("after a restart: %+v", list)
	}
	p.stop(t)
}
