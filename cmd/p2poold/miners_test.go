package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/internal/web"
	"github.com/p2poold/p2poold/stratum/tlscert"
)

// browse asks the miners' port as a browser does, which has no certificate to check.
func browse(t *testing.T, url string) (code int, body string) {
	t.Helper()
	client := http.Client{
		Timeout:   patience,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// login logs a miner in and returns the answer.
func login(t *testing.T, conn net.Conn) string { return loginAs(t, conn, "", regP2WPKH) }

// loginAs is login with a user agent and a user name, neither of which may have quotes.
func loginAs(t *testing.T, conn net.Conn, userAgent, user string) string {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, `{"id":1,"method":"mining.subscribe","params":["%s"]}`+"\n"+`{"id":2,"method":"mining.authorize","params":["%s","x"]}`+"\n", userAgent, user)
	for in := bufio.NewScanner(conn); in.Scan(); {
		if strings.Contains(in.Text(), `"id":2`) {
			return in.Text()
		}
	}
	return ""
}

// TestMinersPort: browsers, health checks, and miners with and without TLS on one port,
// from the first moment on; strangers are told no more than miners.
func TestMinersPort(t *testing.T) {
	withHome(t)
	noLeaks(t)
	fake := newFake(t)
	fake.Down()
	dir := t.TempDir()
	p, n := startNode(t, dir, fake, "--stratumtlslisten=127.0.0.1:0")
	addr, onlyTLS := n.stratum.Addrs()[0].String(), n.stratum.Addrs()[1].String()
	p.await(t, "Waiting for the Bitcoin node")
	if code, body := browse(t, "http://"+addr+"/health"); code != http.StatusServiceUnavailable || strings.Contains(body, fake.Addr()) {
		t.Errorf("health of a node that waits: %d %s", code, body)
	}
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	awaitInfo(t, p, "the node works", healthy)
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if code, body := browse(t, "https://"+onlyTLS+"/health"); code == http.StatusOK && body == "ok\n" {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("health: %d %s", code, body)
		}
	}
	var status web.Status
	if _, body := browse(t, "https://"+addr+"/status.json"); json.Unmarshal([]byte(body), &status) != nil ||
		status.Network != "regtest" || status.Bitcoin != 3 || !status.Working || status.NeedsAddress || len(status.Reasons) != 0 {
		t.Errorf("%s", body)
	}
	if _, body := browse(t, "http://"+addr+"/"); !strings.Contains(body, "stratum+tcp://"+addr) || !strings.Contains(body, "stratum+ssl://"+addr) || !strings.Contains(body, status.Fingerprint) {
		t.Errorf("%s", body)
	}
	if _, body := browse(t, "https://"+onlyTLS+"/"); strings.Contains(body, "stratum+tcp://") || !strings.Contains(body, "stratum+ssl://"+onlyTLS) {
		t.Errorf("%s", body)
	}

	plain, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	insecure := &tls.Config{InsecureSkipVerify: true}
	secure, err := tls.Dial("tcp", addr, insecure)
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	for _, conn := range []net.Conn{plain, secure} {
		if answer := login(t, conn); !strings.Contains(answer, "true") {
			t.Errorf("login: %s", answer)
		}
	}
	info := call[rpcserver.StratumInfo](t, p, "getstratuminfo")
	if info.Miners != 2 || info.Connections < 2 || info.Counts.TLS < 3 || info.Counts.HTTP < 4 || info.MaxConnections < minMiners ||
		!info.TLS || !info.SelfMade || info.Fingerprint != status.Fingerprint || !slices.Contains(info.Names, "127.0.0.1") ||
		!slices.Equal(info.Listen, []string{addr}) || !slices.Equal(info.ListenTLS, []string{onlyTLS}) {
		t.Errorf("%+v", info)
	}
	if got := tlscert.Fingerprint(secure.ConnectionState().PeerCertificates[0].Raw); got != info.Fingerprint {
		t.Errorf("certificate %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "regtest-main", "stratum.pem")); err != nil {
		t.Error(err)
	}
	p.stop(t)
}

// TestMinersPortTurnedOff: no certificate is made, and only miners are answered.
func TestMinersPortTurnedOff(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	p, n := startNode(t, dir, newFake(t), "--nostratumtls", "--nostatuspage")
	addr := n.stratum.Addrs()[0].String()
	if resp, err := http.Get("http://" + addr + "/"); err == nil {
		t.Errorf("status page: %s", resp.Status)
	}
	if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("TLS")
		conn.Close()
	}
	if info := call[rpcserver.StratumInfo](t, p, "getstratuminfo"); info.TLS || info.Fingerprint != "" || info.Counts.Unknown != 2 {
		t.Errorf("%+v", info)
	}
	if _, err := os.Stat(filepath.Join(dir, "regtest-main", "stratum.pem")); err == nil {
		t.Error("a certificate was made")
	}
	p.stop(t)
}

// TestMinersCertificate: what is wrong with the files shows at the start.
func TestMinersCertificate(t *testing.T) {
	withHome(t)
	runFails(t, exitRun, arguments(t.TempDir(), newFake(t), "--stratumcert=none.pem", "--stratumkey=none.pem"), "--stratumcert", "none.pem")
}
