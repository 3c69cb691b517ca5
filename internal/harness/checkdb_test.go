package harness_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// offlineTimeout bounds a run of p2poold that is to end by itself.
const offlineTimeout = time.Minute

// runOffline runs p2poold on a node's folder until it ends by itself. There is no
// Bitcoin node where it looks for one.
func runOffline(t *testing.T, dir string, args ...string) (code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), offlineTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, programs(t).Path("p2poold"), append([]string{
		"--network=regtest", "--datadir=" + dir, "--bitcoind=http://user:password@127.0.0.1:1",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "HOME="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || ctx.Err() != nil {
		t.Fatalf("p2poold %v: %v, %v\n%s", args, err, ctx.Err(), out.String())
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// checkReport is what p2poold --checkdb says.
type checkReport struct {
	code            int
	text            string
	shares, checked int
	tip             string
	problems        []string
}

var (
	sharesLine  = regexp.MustCompile(`(?m)^(\d+) shares in \d+ bytes, .* tip ([0-9a-f]{64})$`)
	checkedLine = regexp.MustCompile(`(?m)^\d+ shares hold, of (\d+) of them the payouts were recomputed too$`)
	problemLine = regexp.MustCompile(`(?m)^problem: (.*)$`)
	cleanLine   = regexp.MustCompile(`(?m)^No problems were found$`)
)

// checkDatabase runs p2poold --checkdb.
func checkDatabase(t *testing.T, dir string) (r checkReport) {
	t.Helper()
	r.code, r.text = runOffline(t, dir, "--checkdb")
	if m := sharesLine.FindStringSubmatch(r.text); m != nil {
		r.shares, _ = strconv.Atoi(m[1])
		r.tip = m[2]
	}
	if m := checkedLine.FindStringSubmatch(r.text); m != nil {
		r.checked, _ = strconv.Atoi(m[1])
	}
	for _, m := range problemLine.FindAllStringSubmatch(r.text, -1) {
		r.problems = append(r.problems, m[1])
	}
	if clean := cleanLine.MatchString(r.text); clean != (r.code == 0) || clean == (len(r.problems) > 0) {
		t.Errorf("--checkdb ends with %d after:\n%s", r.code, r.text)
	}
	return r
}
