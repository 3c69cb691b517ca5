package database

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// crashPath in the environment makes the test binary the victim of TestKill.
const crashPath = "DATABASE_CRASH_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		os.Exit(appendForEver(path))
	}
	os.Exit(m.Run())
}

// killRetention is how many shares the victim keeps.
const killRetention = 120

// appendForEver appends shares, sometimes several at a time, prunes, and prints
// the number of acknowledged shares.
func appendForEver(path string) int {
	s, err := Open(path, testChain)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		n := int(s.state.appended)
		size := 1 + n%7/5*3 // 1, or 4 at a time
		base := uint32(max(0, n+size-killRetention))
		if err := s.Append(accepted(n, n+size), testShare(n+size-1).ID(), base); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(n + size)
	}
}

// TestKill kills a process in the middle of appending, again and again on the
// same database: every share it acknowledged is there, whole batches only, the
// tip is the last, and what was pruned is gone.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 100
	if raceDetector {
		rounds = 12
	}
	path := filepath.Join(t.TempDir(), "shares")
	rng := rand.New(rand.NewPCG(5, 6))
	stored := 0
	for round := range rounds {
		acknowledged := kill(t, path, stored+rng.IntN(150))
		s := open(t, path)
		n := int(s.state.appended)
		if n < acknowledged || n > acknowledged+4 {
			t.Fatalf("round %d: %d shares, %d were acknowledged", round, n, acknowledged)
		}
		if err := intactFrom(s, max(0, n-killRetention), n); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		closeStore(t, s)
		stored = n
	}
	t.Logf("%d kills, %d shares appended, 0 lost", rounds, stored)
}

// kill runs appendForEver until it has acknowledged at least that many shares,
// kills it and returns the last number it told.
func kill(t *testing.T, path string, atLeast int) (acknowledged int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), crashPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if acknowledged >= atLeast && !killed {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed = true // lines that are under way still count
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return acknowledged
}
