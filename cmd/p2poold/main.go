package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK    = 0
	exitRun   = 1 // failed while running
	exitUsage = 2 // arguments or conf file have to be corrected
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	cfg, err := loadConfig(args)
	if shown, ok := errors.AsType[*errShown](err); ok {
		io.WriteString(stdout, shown.text)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "p2poold: %v\n", err)
		return exitUsage
	}
	start := func() error { return runLocked(cfg, stdout, runNode) }
	switch {
	case cfg.General.CheckConfig:
		if err := cfg.checkPlaces(os.Getenv, os.Getppid()); err != nil {
			fmt.Fprintf(stderr, "p2poold: %v\n", err)
			return exitUsage
		}
		fmt.Fprintf(stdout, "p2poold %s finds nothing wrong with the arguments, %s\n", version(), cfg.confNote())
		return exitOK
	case cfg.General.CheckDB:
		start = func() error { return checkDatabase(cfg, stdout) }
	case cfg.General.Reindex:
		start = func() error { return runLocked(cfg, stdout, reindexNode) }
	}
	control, release, err := newControl(args)
	if err != nil {
		fmt.Fprintf(stderr, "p2poold: %v\n", err)
		return exitUsage
	}
	defer release()
	cfg.control = control
	err = start()
	if errors.Is(err, errRestart) {
		err = control.exec() // which does not return
	}
	if err != nil {
		lastWords(stderr, err)
		return exitRun
	}
	return exitOK
}

// lastWords writes why the program ends. A terminal that has been stopped must not keep
// it from being started again.
func lastWords(stderr io.Writer, err error) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		fmt.Fprintf(stderr, "p2poold: %v\n", err)
	}()
	within(logFlushTime, written)
}

// runLocked holds the data directory and the log while the node runs, until it
// ends by itself or a signal asks it to.
func runLocked(cfg *config, stdout io.Writer, node func(context.Context, *config, *logBackend) error) error {
	release, err := openDataDir(cfg.netDir)
	if err != nil {
		return err
	}
	defer release()
	logs, err := newLogBackend(&cfg.Log, stdout)
	if err != nil {
		return err
	}
	defer logs.close()
	log := logs.logger(subsysMain)
	log.Infof("p2poold %s, network %v, pool %s", version(), cfg.params.Network, cfg.params.Pool)
	log.Infof("Data directory %s, %s", cfg.netDir, cfg.confNote())
	for _, line := range cfg.payoutTerms() {
		log.Info(line)
	}
	if text := cfg.barren; text != "" {
		log.Warnf("Nothing can be earned: %s", text)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, a second one has its usual effect and ends the
	// process at once.
	announced := make(chan struct{})
	unannounced := context.AfterFunc(ctx, func() {
		defer close(announced)
		stop()
		log.Info("Stopping; a second signal ends the program at once")
	})
	err = node(ctx, cfg, logs)
	if !unannounced() {
		<-announced
	}
	if errors.Is(err, errRestart) {
		log.Info("Stopped for the restart")
		return err
	}
	if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		log.Criticalf("Stopped by an error: %v", err)
		return err
	}
	log.Info("Stopped")
	return nil
}
