package bitcoindtest

import (
	"context"
	"os"
	"testing"
)

// TestNode starts a real node, mines, restarts it and finds the same chain; a cookie
// changes at the restart.
func TestNode(t *testing.T) {
	ctx := t.Context()
	n := StartTest(t, Options{Cookie: true})
	blocks, err := n.Generate(ctx, 3)
	if err != nil || len(blocks) != 3 {
		t.Fatalf("generated %v, %v", blocks, err)
	}
	cookie, err := os.ReadFile(n.CookieFile())
	if err != nil {
		t.Fatal(err)
	}
	pid := n.PID()

	if err := n.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if n.PID() == pid {
		t.Error("the same process after a restart")
	}
	if height, err := n.Height(ctx); err != nil || height != 3 {
		t.Errorf("height %d after the restart, %v", height, err)
	}
	var tip string
	if err := n.Call(ctx, &tip, "getbestblockhash"); err != nil || tip != blocks[2].String() {
		t.Errorf("tip %s, %v; want %v", tip, err, blocks[2])
	}
	again, err := os.ReadFile(n.CookieFile())
	if err != nil || string(again) == string(cookie) {
		t.Errorf("cookie %q then %q, %v", cookie, again, err)
	}

	n.Kill()
	if n.PID() != 0 {
		t.Error("a process after the kill")
	}
	if _, err := n.Height(ctx); err == nil {
		t.Error("a killed node answers")
	}
}

// TestStartFails checks that a program that ends is reported with what it said.
func TestStartFails(t *testing.T) {
	_, err := Start(t.Context(), Options{Dir: t.TempDir(), ExtraArgs: []string{"--nosuchoption"}})
	if err == nil {
		t.Fatal("started with an unknown option")
	}
	t.Log(err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Dir: t.TempDir(), Btcd: "no/such/program"}); err == nil {
		t.Fatal("started a program that isn't there")
	}
}
