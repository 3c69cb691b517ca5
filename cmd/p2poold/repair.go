package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
	"github.com/p2poold/p2poold/internal/chainman"
)

// errProblems is how checkDatabase ends when it has found something.
var errProblems = errors.New("the database has problems: stop p2poold, if it runs, and start it once with --reindex")

// checkDatabase verifies the stored sharechain and prints what it finds. It changes
// nothing and needs no Bitcoin node; that shares are tied to Bitcoin's blocks is
// not checked.
func checkDatabase(cfg *config, stdout io.Writer) error {
	release, err := openDataDir(cfg.netDir)
	if err != nil {
		return err
	}
	defer release()
	fmt.Fprintf(stdout, "Checking %s\n", cfg.databaseDir())
	v := chainman.NewVerifier(cfg.params)
	report, err := database.Check(cfg.databaseDir(), cfg.params.ChainID, v.Add)
	if err != nil {
		return err
	}
	problems := report.Problems
	if err := v.Finish(report.Tip, report.Base); err != nil {
		problems = append(problems, err.Error())
	}
	fmt.Fprintf(stdout, "%d shares in %d bytes, schema version %d, kept from height %d on, tip %v\n",
		report.Shares, report.Bytes, report.Version, report.Base, report.Tip)
	fmt.Fprintf(stdout, "%d shares hold, of %d of them the payouts were recomputed too\n", v.Shares, v.Checked)
	for _, p := range problems {
		fmt.Fprintf(stdout, "problem: %s\n", p)
	}
	if report.Omitted > 0 {
		fmt.Fprintf(stdout, "and %d problems more\n", report.Omitted)
	}
	if len(problems) > 0 {
		return errProblems
	}
	fmt.Fprintln(stdout, "No problems were found")
	return nil
}

// reindexNode rebuilds the database from what can be read of it, and then runs the
// node, which fetches the rest from its peers.
func reindexNode(ctx context.Context, cfg *config, logs *logBackend) error {
	log := logs.logger(subsysDB)
	log.Infof("Rebuilding the database %s", cfg.databaseDir())
	v := chainman.NewVerifier(cfg.params)
	kept, err := database.Rebuild(cfg.databaseDir(), cfg.params.ChainID,
		func(shares iter.Seq2[*share.Share, bool], dst *database.Store) error {
			// Half of them must not take the old database's place.
			return errors.Join(v.Refill(interruptible(ctx, shares), dst), ctx.Err())
		})
	if err != nil {
		return err
	}
	log.Infof("The database was rebuilt with %d shares; %d did not hold and will be fetched from peers", v.Shares, v.Dropped)
	if kept != "" {
		log.Infof("The old database was kept as %s; delete it when you no longer need it", kept)
		deleteOlder(kept, log)
	}
	return runNode(ctx, cfg, logs)
}

// interruptible ends a list of shares when ctx is done.
func interruptible(ctx context.Context, shares iter.Seq2[*share.Share, bool]) iter.Seq2[*share.Share, bool] {
	return func(yield func(*share.Share, bool) bool) {
		for s, root := range shares {
			if ctx.Err() != nil || !yield(s, root) {
				return
			}
		}
	}
}
