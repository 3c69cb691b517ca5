// Package poolserver runs a node's own Stratum server for the tests of p2pminer.
package poolserver

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/stratum"
)

// Serve runs a server with cfg on a port of this machine until the test ends. It is for
// regtest, and who names no address is paid as the node's own.
func Serve(t testing.TB, cfg stratum.Config) (server *stratum.Server, addr string) {
	t.Helper()
	cfg.Listen, cfg.Params = []string{"127.0.0.1:0"}, &chaincfg.RegressionNetParams
	cfg.Payees = append(stratum.FixedPayee{0, 20}, make([]byte, 20)...) // P2WPKH
	server, err := stratum.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return server, server.Addrs()[0].String()
}
