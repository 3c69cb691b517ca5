package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--version"}, exitOK, "p2poold " + version(), ""},
		{[]string{"-h"}, exitOK, "Usage:", ""},
		{[]string{"--checkconfig"}, exitOK, "p2poold " + version() + " finds nothing wrong", ""},
		{[]string{"--checkconfig", "--fee=1"}, exitUsage, "", "p2poold: --fee: this needs --address"},
		{[]string{"--network=x"}, exitUsage, "", "p2poold: --network: unknown network"},
		{[]string{"--nope"}, exitUsage, "", `p2poold: unknown option "--nope"`},
		{[]string{"-C", "none"}, exitUsage, "", "p2poold: there is no conf file"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(tc.args, &stdout, &stderr); code != tc.code {
			t.Errorf("%q: exit code %d, want %d", tc.args, code, tc.code)
		}
		if !strings.HasPrefix(stdout.String(), tc.stdout) || !strings.HasPrefix(stderr.String(), tc.stderr) {
			t.Errorf("%q: printed %q and %q", tc.args, stdout.String(), stderr.String())
		}
	}
}

func TestDataDirLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	release, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory %v, %v: want it readable by the owner only", info.Mode(), err)
	}
	_, err = openDataDir(dir)
	want := "another p2poold (process "
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is using "+dir) {
		t.Errorf("second lock: got %v", err)
	}
	release()
	release, err = openDataDir(dir)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	release()
}

func TestDataDirCannotBeCreated(t *testing.T) {
	_, err := openDataDir(filepath.Join(writeConf(t, ""), "x"))
	if err == nil || errors.Is(err, errLocked) || !strings.Contains(err.Error(), "choose another --datadir") {
		t.Errorf("got %v", err)
	}
}

func TestHolder(t *testing.T) {
	for content, want := range map[string]string{
		"123\n":                        " (process 123)",
		"":                             "",
		"abc":                          "",
		"12\x1b[2J":                    "",
		strings.Repeat("9", 100) + "x": " (process 99999999999999999999)",
	} {
		if got := holder(writeConf(t, content)); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
	if got := holder(filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("got %q without a file", got)
	}
}
