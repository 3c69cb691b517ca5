package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/poolserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/stratum"
	"github.com/p2poold/p2poold/stratum/tlscert"
)

// console collects what a program prints while it runs.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(b)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// easyJob is work of which each hash is a share.
func easyJob() *oneJob {
	now := uint32(time.Now().Unix())
	return &oneJob{solutions: make(chan mining.Solution), job: mining.Job{
		PrevBlock: chainhash.Hash{1}, Version: 0x20000000, Bits: 0x207fffff,
		Time: now, MinTime: now - 600, MaxTime: now + 7000, Head: make([]byte, 90), Coinb2: make([]byte, 4),
		ShareTarget: target.FromDifficulty(1e-7), BlockTarget: target.FromDifficulty(1e-5),
	}}
}

// TestEncrypted: the miner mines over TLS on the node's own server, in each way in which
// it can trust that, and with none that it cannot.
func TestEncrypted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stratum.pem")
	cert, err := tlscert.Open(tlscert.Config{SelfFile: file, Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	source := easyJob()
	server, addr := poolserver.Serve(t, stratum.Config{Source: source, TLS: cert.TLSConfig()})
	fingerprint := cert.Info().Fingerprint

	for _, test := range []struct {
		url    string
		args   []string
		refuse string // "": it mines
	}{
		{"stratum+ssl://", []string{"--insecure"}, ""},
		{"stratum+tls://", []string{"--fingerprint=" + strings.ToUpper(fingerprint)}, ""},
		{"ssl://", []string{"--cafile=" + file}, ""},
		{"", []string{"--tls", "--insecure"}, ""},
		{"stratum+tcp://", nil, ""},
		{"stratum+tcp://", []string{"--user=rig"}, ""},
		{"stratum+ssl://", nil, "--fingerprint=" + fingerprint},
		{"stratum+ssl://", []string{"--fingerprint=" + strings.Repeat("00", 32)}, "not that of --fingerprint"},
	} {
		cfg, err := parseOptions(append([]string{"--url=" + test.url + addr}, test.args...))
		if err != nil {
			t.Fatal(err)
		}
		var out console
		minerCtx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- mine(minerCtx, cfg, newPrinter(&out, &out)) }()
		if test.refuse == "" {
			select {
			case <-source.solutions:
			case <-time.After(30 * time.Second):
				t.Errorf("%q %q: no share\n%s", test.url, test.args, out.String())
			}
		} else {
			select {
			case err := <-ended: // by itself: another attempt would be the same
				if !errors.Is(err, errDistrusted) || !strings.Contains(err.Error(), test.refuse) {
					t.Errorf("%q %q: %v", test.url, test.args, err)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("%q %q: it goes on\n%s", test.url, test.args, out.String())
				stop()
				<-ended
			}
			stop()
			continue
		}
		if want := !strings.Contains(strings.Join(test.args, " "), "--user="); strings.Contains(out.String(), "No --user is given") != want {
			t.Errorf("%q %q: whom it pays is told: %v\n%s", test.url, test.args, !want, out.String())
		}
		stop()
		for running := true; running; {
			select {
			case <-source.solutions: // on its way
			case err := <-ended:
				running = false
				if err != nil {
					t.Error(err)
				}
			}
		}
		for server.Connections() > 0 { // or the next miner is credited with this one's shares
			select {
			case <-source.solutions:
			default:
				runtime.Gosched()
			}
		}
	}
	if secured := server.Port(0).Counts.Secured; secured < 4 {
		t.Errorf("%d connections were encrypted", secured)
	}
	go func() {
		for range source.solutions { // what the server still has
		}
	}()
}

func TestTrustOptions(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"exclude each other":        {"--tls", "--insecure", "--cafile=" + junk},
		"holds no certificate":      {"--tls", "--cafile=" + junk},
		"no such file":              {"--tls", "--cafile=" + junk + "x"},
		"is not the SHA-256":        {"--tls", "--fingerprint=abc"},
		"are for encrypted connect": {"--insecure"},
	} {
		if _, err := parseOptions(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
