//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestLockEndsWithProcess has a child process take the lock and die without
// releasing it.
func TestLockEndsWithProcess(t *testing.T) {
	if dir := os.Getenv("P2POOLD_TEST_LOCK"); dir != "" {
		if _, err := openDataDir(dir); err != nil {
			os.Exit(3)
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithProcess$")
	child.Env = append(os.Environ(), "P2POOLD_TEST_LOCK="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("child: %v, %s", err, out)
	}
	release, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// TestSignals checks that each signal ends the node in an orderly way.
func TestSignals(t *testing.T) {
	withHome(t)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cfg := mustLoad(t, "--network=regtest")
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		err = runLocked(cfg, &stdout, func(ctx context.Context, _ *config, _ *logBackend) error {
			if err := self.Signal(sig); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || !strings.HasSuffix(stdout.String(), "P2PD: Stopped\n") {
			t.Errorf("%v: %v\n%s", sig, err, stdout.String())
		}
	}
}

func TestNodeError(t *testing.T) {
	withHome(t)
	cfg := mustLoad(t, "--network=regtest")
	failure := errors.New("the port is taken")
	var stdout bytes.Buffer
	err := runLocked(cfg, &stdout, func(context.Context, *config, *logBackend) error { return failure })
	if !errors.Is(err, failure) || !strings.Contains(stdout.String(), "[CRT] P2PD: Stopped by an error: the port is taken") {
		t.Errorf("%v\n%s", err, stdout.String())
	}
}

// interrupt sends the program, which is this process, the signal of Ctrl-C. The
// program must have begun to run.
func interrupt(t *testing.T, p *program) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != exitOK || p.stderr.String() != "" {
		t.Errorf("exit code %d after SIGINT, standard error %q", code, p.stderr)
	}
	if log := p.stdout.String(); !strings.HasSuffix(log, "P2PD: Stopped\n") {
		t.Errorf("log: %s", log)
	}
}

// TestInterruptWhileWaiting: Ctrl-C ends a node at once that waits for its
// Bitcoin node, be it away or one that takes a call and doesn't answer.
func TestInterruptWhileWaiting(t *testing.T) {
	withHome(t)
	noLeaks(t)
	fake := newFake(t)
	fake.Down()
	p := start(t, t.TempDir(), fake)
	p.await(t, "Waiting for the Bitcoin node")
	begun := time.Now()
	interrupt(t, p)

	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	fake.SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"getblockhash": time.Hour}})
	p = start(t, t.TempDir(), fake)
	for fake.Calls("getblockhash") == 0 {
		time.Sleep(time.Millisecond)
	}
	interrupt(t, p)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("two interrupts took %v", took)
	}
}

// TestSignalWhileWorking: SIGTERM ends a node that works.
func TestSignalWhileWorking(t *testing.T) {
	withHome(t)
	noLeaks(t)
	p := start(t, t.TempDir(), newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
}

// TestWithoutRPC: only a signal ends a node with --norpc.
func TestWithoutRPC(t *testing.T) {
	withHome(t)
	noLeaks(t)
	dir, fake := t.TempDir(), newFake(t)
	args := slices.DeleteFunc(arguments(dir, fake), func(arg string) bool { return strings.HasPrefix(arg, "--rpclisten") })
	p := launch(t, dir, func(stdout, stderr io.Writer) int { return run(append(args, "--norpc"), stdout, stderr) })
	p.await(t, "Work for miners")
	interrupt(t, p)
	if strings.Contains(p.stdout.String(), "RPCS:") {
		t.Errorf("log: %s", p.stdout)
	}
}
