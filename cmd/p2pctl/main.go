package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/p2poold/p2poold/cmd/internal/conffile"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// Exit codes.
const (
	exitOK    = 0
	exitCall  = 1 // the node cannot be reached, or refuses
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
	if errors.Is(err, errNoMethod) {
		io.WriteString(stderr, usage())
		return exitUsage
	}
	if err != nil {
		fmt.Fprintf(stderr, "p2pctl: %v\n", err)
		return exitUsage
	}
	params, err := rpcserver.EncodeParams(cfg.method, cfg.args)
	if err != nil {
		fmt.Fprintf(stderr, "p2pctl: %v\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	result, err := answer(ctx, cfg, params)
	if err == nil {
		err = show(stdout, cfg, result)
	}
	if err != nil {
		fmt.Fprintf(stderr, "p2pctl: %v\n", err)
		return exitCall
	}
	return exitOK
}

// answer has the node carry the command out. Help comes from this program, so
// that it works without a node.
func answer(ctx context.Context, cfg *config, params []any) (json.RawMessage, error) {
	if cfg.method != "help" {
		return call(ctx, cfg, params)
	}
	text, err := rpcserver.Help(strings.Join(cfg.args, ""))
	if err != nil {
		return nil, fmt.Errorf("there is no method %q%s; p2pctl help lists all", cfg.args[0],
			conffile.Suggest(cfg.args[0], rpcserver.MethodNames()))
	}
	return json.Marshal(text)
}

// show writes the answer, as JSON or for people.
func show(w io.Writer, cfg *config, result json.RawMessage) error {
	if cfg.JSON {
		return printJSON(w, result)
	}
	if table, ok := tables[cfg.method]; ok {
		return table(w, result, time.Now())
	}
	return printGeneric(w, result)
}
