package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// deceived is a Bitcoin node as a p2poold sees it that is lied to: each template has a
// transaction that spends what nobody has, and every block is valid beforehand. It
// returns the node's URL.
func deceived(t *testing.T, n *bitcoindtest.Node) string {
	t.Helper()
	real, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{1}, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(10_000, []byte{txscript.OP_TRUE}))
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	bad := map[string]any{
		"data": hex.EncodeToString(raw.Bytes()), "txid": tx.TxHash().String(), "hash": tx.TxHash().String(),
		"depends": []int{}, "fee": 0, "sigops": 0, "weight": 4 * raw.Len(),
	}
	proxy := httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: real.Scheme, Host: real.Host}) },
		ErrorLog: log.New(io.Discard, "", 0), // longpolls that end with the node
	}
	adding := proxy
	adding.ModifyResponse = func(r *http.Response) error { return addTx(r, bad) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case !bytes.Contains(body, []byte(`"getblocktemplate"`)):
			proxy.ServeHTTP(w, r)
		case bytes.Contains(body, []byte(`"proposal"`)):
			io.WriteString(w, `{"result":null,"error":null,"id":1}`)
		default:
			adding.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = real.User
	return u.String()
}

// addTx adds a transaction to a template on its way.
func addTx(r *http.Response, tx map[string]any) error {
	var reply map[string]any
	dec := json.NewDecoder(r.Body)
	dec.UseNumber()
	if err := dec.Decode(&reply); err != nil {
		return err
	}
	r.Body.Close()
	if tmpl, ok := reply["result"].(map[string]any); ok {
		txs, _ := tmpl["transactions"].([]any)
		tmpl["transactions"] = append(txs, tx)
	}
	b, err := json.Marshal(reply)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return err
}

// mineShare finds a share that is no Bitcoin block.
func mineShare(t *testing.T, n *node) chainhash.Hash {
	t.Helper()
	payee, err := payeeScript(regP2WPKH, n.cfg.params)
	if err != nil {
		t.Fatal(err)
	}
	job, err := n.generator.Work().Job(payee, share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	for at := *job; ; at.Time++ {
		s := solve(t, &at, &job.ShareTarget)
		header := job.Header(s.Extranonce, s.Version, s.Time, s.Nonce)
		if hash := header.BlockHash(); !target.HashMeets(&hash, &job.BlockTarget) {
			return submit(t, n, job, s)
		}
	}
}

// TestVerifyTemplates: a peer mines shares whose Bitcoin block would be invalid. A node
// that looks ends the connection and passes the transactions on to nobody; one that
// doesn't does neither. Either way the share is on the sharechain, of which nodes must
// not disagree, and what an honest peer finds is passed on.
func TestVerifyTemplates(t *testing.T) {
	bitcoin := bitcoindtest.StartTest(t, bitcoindtest.Options{}) // in the old home: btcd may be built
	withHome(t)
	noLeaks(t)
	if _, err := bitcoin.Generate(t.Context(), 1); err != nil { // Core waits for a tip of today
		t.Fatal(err)
	}
	t.Run("on", func(t *testing.T) { verifyTemplates(t, bitcoin, true) })
	t.Run("off", func(t *testing.T) { verifyTemplates(t, bitcoin, false) })
}

// verifyTemplates has an honest and an evil peer find shares at a node between them.
func verifyTemplates(t *testing.T, bitcoin *bitcoindtest.Node, on bool) {
	begin := func(bitcoind, peer string, args ...string) (*program, *node) {
		return startNode(t, t.TempDir(), nil, append(args, "--bitcoind="+bitcoind, "--connect="+peer)...)
	}
	options := []string{"--debuglevel=PEER=debug"}
	if on {
		options = append(options, "--verifytemplates")
	}
	middle, m := begin(bitcoin.URL(), "127.0.0.1:1", options...) // nobody listens there
	p1, honest := begin(bitcoin.URL(), m.peers.Addr().String())
	met := func(i *rpcserver.Info) bool { return i.Peers == 2 && i.Healthy }
	awaitInfo(t, p1, "the honest peer works", healthy)
	p2, evil := begin(deceived(t, bitcoin), m.peers.Addr().String())
	awaitInfo(t, p2, "the other peer works", healthy)
	awaitInfo(t, middle, "both peers", met)
	all := []*node{m, honest, evil}

	spread := func(from *node) {
		t.Helper()
		id := mineShare(t, from)
		until(t, "the share everywhere", patience, func() bool {
			for _, n := range all {
				if n.chain.Tip().ID != id || n.generator.Work() == nil || n.generator.Work().Tip().ID != id {
					return false
				}
			}
			return true
		})
	}
	sent := func() uint64 { return m.peers.TxStats().Sent }

	spread(honest)
	until(t, "its list passed on", patience, func() bool { return sent() == 1 && evil.peers.TxStats().Received == 1 })
	if got := honest.generator.Template(); len(got.Txs) != 0 {
		t.Fatalf("%d transactions in the honest template", len(got.Txs))
	}
	if got := evil.generator.Template(); len(got.Txs) != 1 {
		t.Fatalf("%d transactions in the other", len(got.Txs))
	}
	before := m.peers.Peers()
	spread(evil)
	if on {
		reason := middle.await(t, `Inbound peer \S+: transactions that Bitcoin refuses: (.*)`)[1]
		t.Log(reason)
		awaitInfo(t, middle, "the peer is back: it is not kept out", met)
		if after := m.peers.Peers(); after[0].ID != before[0].ID || after[1].ID == before[1].ID || sent() != 1 || len(m.peers.Banned()) != 0 {
			t.Errorf("%d lists passed on; peers %+v, before %+v; banned %v", sent(), after, before, m.peers.Banned())
		}
	} else {
		until(t, "the list passed on", patience, func() bool { return sent() == 2 && honest.peers.TxStats().Received == 1 })
		if after := m.peers.Peers(); after[0].ID != before[0].ID || after[1].ID != before[1].ID {
			t.Errorf("peers %+v, before %+v", after, before)
		}
	}
	lists := sent()
	spread(honest)
	until(t, "the next list passed on", patience, func() bool { return sent() > lists })
}
