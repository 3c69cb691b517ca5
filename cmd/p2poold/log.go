package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/decred/slog"
	"github.com/jrick/logrotate/rotator"

	"github.com/p2poold/p2poold/cmd/internal/conffile"
	"github.com/p2poold/p2poold/p2p"
)

// Subsystems, as they appear in log lines and in --debuglevel. Each library
// package gets the logger of one of them.
const (
	subsysMain    = "P2PD" // start, stop, wiring
	subsysChain   = "CHAN" // sharechain
	subsysPeer    = "PEER" // connections to other nodes
	subsysSync    = "SYNC" // sync and relay
	subsysMining  = "MINE" // templates and jobs
	subsysBitcoin = "BTCN" // Bitcoin node
	subsysStratum = "STRM" // miners
	subsysRPC     = "RPCS" // commands
	subsysDB      = "DBAS" // database
)

var subsystems = []string{subsysMain, subsysChain, subsysPeer, subsysSync, subsysMining,
	subsysBitcoin, subsysStratum, subsysRPC, subsysDB}

// subsystemAliases lets --debuglevel take the names of the folders too, with
// whose words the documentation speaks of the parts.
var subsystemAliases = map[string][]string{
	"NODE":       {subsysMain},
	"BLOCKCHAIN": {subsysChain},
	"P2P":        {subsysPeer, subsysSync},
	"NETSYNC":    {subsysSync},
	"MINING":     {subsysMining},
	"BITCOIND":   {subsysBitcoin},
	"STRATUM":    {subsysStratum},
	"RPC":        {subsysRPC},
	"RPCSERVER":  {subsysRPC},
	"DATABASE":   {subsysDB},
}

// logFile is the name of the current log file.
const logFile = "p2poold.log"

// logBackend owns the log outputs and one logger per subsystem. Loggers never wait for
// an output. All methods may be used concurrently; close only once nobody logs any more.
type logBackend struct {
	loggers map[string]slog.Logger
	outputs logQueues
	file    *rotator.Rotator // nil with --nofilelogging; its queue is the last of outputs
}

// newLogBackend opens the log file, unless it is switched off, and creates the
// loggers with the configured levels.
func newLogBackend(cfg *logConfig, stdout io.Writer) (*logBackend, error) {
	levels, err := parseLevels(cfg.Level)
	if err != nil {
		return nil, err
	}
	l := &logBackend{loggers: make(map[string]slog.Logger)}
	l.outputs = logQueues{newLogQueue(stdout)}
	if !cfg.NoFile {
		if l.file, err = openLogFile(cfg); err != nil {
			return nil, fmt.Errorf("cannot open the log file: %w; choose another --logdir or use --nofilelogging", err)
		}
		l.outputs = append(l.outputs, newLogQueue(l.file))
	}
	backend := slog.NewBackend(l.outputs)
	for _, name := range subsystems {
		l.loggers[name] = backend.Logger(name)
		if name == subsysChain { // the peers' shares cause its lines; PEER limits itself
			l.loggers[name] = p2p.LimitLog(l.loggers[name])
		}
		l.loggers[name].SetLevel(levels[name])
	}
	return l, nil
}

func openLogFile(cfg *logConfig) (*rotator.Rotator, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	const kilobyte = 1000 // what the rotator counts in
	return rotator.New(filepath.Join(cfg.Dir, logFile), int64(cfg.MaxSize)<<20/kilobyte, false, cfg.MaxFiles)
}

// logger returns the logger of a subsystem, one of the constants above.
func (l *logBackend) logger(subsystem string) slog.Logger {
	if logger, ok := l.loggers[subsystem]; ok {
		return logger
	}
	return slog.Disabled
}

// setLevels changes levels by a --debuglevel specification, an empty one changes
// nothing, and returns all levels by subsystem.
func (l *logBackend) setLevels(spec string) (map[string]string, error) {
	if strings.TrimSpace(spec) != "" {
		levels, err := parseLevels(spec)
		if err != nil {
			return nil, err
		}
		for name, level := range levels {
			l.loggers[name].SetLevel(level)
		}
	}
	now := make(map[string]string, len(l.loggers))
	for name, logger := range l.loggers {
		now[name] = levelName(logger.Level())
	}
	return now, nil
}

// flush waits until all outputs have what was logged, or until those that don't have
// it have had logFlushTime.
func (l *logBackend) flush() { l.outputs.flush() }

// close flushes, waits for compression of old log files and closes the current one.
// A file that doesn't take its lines is left as it is: its disk hangs.
func (l *logBackend) close() error {
	taken := l.outputs.flush()
	if l.file == nil || !taken[len(taken)-1] {
		return nil
	}
	closed, err := make(chan struct{}), error(nil)
	go func() {
		defer close(closed)
		err = l.file.Close()
	}()
	if !within(logCloseTime, closed) {
		return nil
	}
	return err
}

// logQueues are the outputs of the log. Each gets every line, whatever becomes of the
// others: a closed or stopped terminal must not end the log file, nor a full or hung
// disk the terminal.
type logQueues []*logQueue

func (l logQueues) Write(p []byte) (int, error) {
	for _, q := range l {
		q.Write(p)
	}
	return len(p), nil
}

// flush flushes all side by side and tells which have everything.
func (l logQueues) flush() []bool {
	taken := make([]bool, len(l))
	var wg sync.WaitGroup
	for i, q := range l {
		wg.Go(func() { taken[i] = q.flush() })
	}
	wg.Wait()
	return taken
}

// levelNames are the levels in the spelling of --debuglevel, by slog.Level.
var levelNames = []string{
	slog.LevelTrace:    "trace",
	slog.LevelDebug:    "debug",
	slog.LevelInfo:     "info",
	slog.LevelWarn:     "warn",
	slog.LevelError:    "error",
	slog.LevelCritical: "critical",
	slog.LevelOff:      "off",
}

func levelName(l slog.Level) string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "off"
}

// parseLevels parses a --debuglevel specification: levels separated by commas,
// each either for all subsystems or, as NAME=LEVEL, for one. The more special
// ones win, whatever their order. Subsystems that the specification doesn't
// mention are missing in the result.
func parseLevels(spec string) (map[string]slog.Level, error) {
	all, special := make(map[string]slog.Level), make(map[string]slog.Level)
	for item := range strings.SplitSeq(spec, ",") {
		name, text, single := strings.Cut(item, "=")
		if !single {
			name, text = "", item
		}
		level, err := parseLevel(text)
		if err != nil {
			return nil, err
		}
		if !single {
			if len(all) > 0 {
				return nil, errors.New("there is more than one level for all subsystems")
			}
			for _, s := range subsystems {
				all[s] = level
			}
			continue
		}
		names, err := findSubsystem(name)
		if err != nil {
			return nil, err
		}
		for _, s := range names {
			special[s] = level
		}
	}
	for s, level := range special {
		all[s] = level
	}
	return all, nil
}

func parseLevel(text string) (slog.Level, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	i := slices.Index(levelNames, text)
	if i < 0 {
		return 0, fmt.Errorf("%q is not a level%s; levels are %s", text,
			conffile.Suggest(text, levelNames), strings.Join(levelNames, ", "))
	}
	return slog.Level(i), nil
}

// findSubsystem resolves a name or alias, in any case.
func findSubsystem(text string) ([]string, error) {
	name := strings.ToUpper(strings.TrimSpace(text))
	if slices.Contains(subsystems, name) {
		return []string{name}, nil
	}
	if names, ok := subsystemAliases[name]; ok {
		return names, nil
	}
	return nil, fmt.Errorf("%q is not a subsystem; subsystems are %s", text, strings.Join(subsystems, ", "))
}
