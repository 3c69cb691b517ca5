package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/decred/slog"
)

func TestParseLevels(t *testing.T) {
	all := func(level slog.Level, except map[string]slog.Level) map[string]slog.Level {
		m := make(map[string]slog.Level)
		for _, s := range subsystems {
			m[s] = level
		}
		for s, l := range except {
			m[s] = l
		}
		return m
	}
	for spec, want := range map[string]map[string]slog.Level{
		"info":                     all(slog.LevelInfo, nil),
		" Debug ":                  all(slog.LevelDebug, nil),
		"off":                      all(slog.LevelOff, nil),
		"info,PEER=debug":          all(slog.LevelInfo, map[string]slog.Level{"PEER": slog.LevelDebug}),
		"peer = trace , warn":      all(slog.LevelWarn, map[string]slog.Level{"PEER": slog.LevelTrace}),
		"P2P=debug":                {"PEER": slog.LevelDebug, "SYNC": slog.LevelDebug},
		"stratum=error,RPC=off":    {"STRM": slog.LevelError, "RPCS": slog.LevelOff},
		"CHAN=critical,CHAN=trace": {"CHAN": slog.LevelTrace},
	} {
		got, err := parseLevels(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%q: got %v, want %v", spec, got, want)
		}
		for s, level := range want {
			if got[s] != level {
				t.Errorf("%q: %s has level %v, want %v", spec, s, got[s], level)
			}
		}
	}
}

func TestParseLevelsErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":           `"" is not a level; levels are trace, debug, info, warn, error, critical, off`,
		"inof":       `"inof" is not a level; did you mean "info"?; levels are`,
		"info,debug": "there is more than one level for all subsystems",
		"XYZ=info":   `"XYZ" is not a subsystem; subsystems are P2PD, CHAN, PEER, SYNC, MINE, BTCN, STRM, RPCS, DBAS`,
		"PEER=":      `"" is not a level`,
		"info,":      `"" is not a level`,
		"=info":      `"" is not a subsystem`,
	} {
		if _, err := parseLevels(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", spec, err, want)
		}
	}
}

func FuzzParseLevels(f *testing.F) {
	for _, seed := range []string{"info", "info,P2P=debug", "=", ",,", "PEER=off,CHAN=trace"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		levels, err := parseLevels(spec)
		if err == nil && (len(levels) == 0 || len(levels) > len(subsystems)) {
			t.Fatalf("%q gave %v", spec, levels)
		}
	})
}

func TestAliasesNameSubsystems(t *testing.T) {
	for alias, names := range subsystemAliases {
		for _, name := range names {
			if got, err := findSubsystem(name); err != nil || got[0] != name {
				t.Errorf("alias %s: %v", alias, err)
			}
		}
	}
}

func TestLogBackend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var stdout bytes.Buffer
	logs, err := newLogBackend(&logConfig{Level: "warn,CHAN=debug", Dir: dir, MaxSize: 1, MaxFiles: 2}, &stdout)
	if err != nil {
		t.Fatal(err)
	}
	logs.logger(subsysChain).Debug("shown 1")
	logs.logger(subsysPeer).Info("hidden")
	logs.logger("none such").Critical("hidden")
	levels, err := logs.setLevels("PEER=trace")
	if err != nil || levels["PEER"] != "trace" || levels["CHAN"] != "debug" || levels["DBAS"] != "warn" || len(levels) != len(subsystems) {
		t.Errorf("levels %v, %v", levels, err)
	}
	logs.logger(subsysPeer).Trace("shown 2")
	if _, err := logs.setLevels("PEER=info,CHAN=x"); err == nil {
		t.Error("a wrong specification was accepted")
	}
	if levels, err := logs.setLevels(" "); err != nil || levels["PEER"] != "trace" {
		t.Errorf("after a wrong and an empty specification: %v, %v", levels, err)
	}
	if err := logs.close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != stdout.String() {
		t.Errorf("file and standard output differ:\n%s\n%s", content, stdout.String())
	}
	if got := stdout.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "[DBG] CHAN: shown 1") || !strings.Contains(got, "[TRC] PEER: shown 2") {
		t.Errorf("got %s", got)
	}
}

// TestChainLogLimit: what peers' shares have the sharechain write does not fill the log.
func TestChainLogLimit(t *testing.T) {
	var stdout bytes.Buffer
	logs, err := newLogBackend(&logConfig{Level: "info", NoFile: true}, &stdout)
	if err != nil {
		t.Fatal(err)
	}
	chain := logs.logger(subsysChain)
	for range 10_000 {
		chain.Errorf("Another chain was offered, but cannot be stored: %v", errors.New("disk full"))
		chain.Warnf("Changing to another chain")
		chain.Info("Sharechain")
	}
	logs.flush()
	if stdout.Len() > 80<<10 || stdout.Len() < 16<<10 {
		t.Errorf("%d bytes were written at once", stdout.Len())
	}
}

func TestLogRotation(t *testing.T) {
	dir := t.TempDir()
	line := strings.Repeat("x", 100_000)
	for range 4 {
		logs, err := newLogBackend(&logConfig{Level: "info", Dir: dir, MaxSize: 1, MaxFiles: 2}, brokenWriter{})
		if err != nil {
			t.Fatal(err)
		}
		for range 11 { // 1.1 MB
			logs.logger(subsysMain).Info(line)
		}
		if err := logs.close(); err != nil {
			t.Fatal(err)
		}
	}
	old, err := filepath.Glob(filepath.Join(dir, logFile+".*.gz"))
	if err != nil || len(old) != 2 {
		t.Errorf("old log files %q, %v; want two", old, err)
	}
}

func TestNoFileLogging(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	logs, err := newLogBackend(&logConfig{Level: "info", Dir: dir, NoFile: true}, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if err := logs.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the log directory was created")
	}
}

func TestLogErrors(t *testing.T) {
	file := writeConf(t, "")
	_, err := newLogBackend(&logConfig{Level: "info", Dir: file, MaxSize: 1}, new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "choose another --logdir") {
		t.Errorf("got %v", err)
	}
}

// brokenWriter is a terminal that has been closed.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("closed") }
