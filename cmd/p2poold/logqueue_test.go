package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestLogOutputStopped: an output that takes nothing stops neither the loggers nor the
// other output, keeps a bounded part of the lines in their order, and then says how many
// it lost.
func TestLogOutputStopped(t *testing.T) {
	terminal, file := newOutput(), newOutput()
	reached, resume := terminal.stop()
	defer resume()
	log := &logBackend{outputs: logQueues{newLogQueue(terminal), newLogQueue(file)}}
	queue := log.outputs[0]
	line := func(i int) string { return fmt.Sprintf("%05d %s\n", i, strings.Repeat("x", 93)) } // 100 bytes
	var all strings.Builder
	write := func(i int) {
		all.WriteString(line(i))
		fmt.Fprint(log.outputs, line(i))
		if i%1000 == 0 {
			<-log.outputs[1].waitingOrDone() // which is not what stops
		}
	}
	const kept, lost = maxLogQueue / 100, 5_000
	for i := range kept + lost {
		write(i)
	}
	<-reached
	log.outputs[1].flush()
	if file.String() != all.String() {
		t.Error("the other output lacks lines")
	}
	if queue.size > maxLogQueue || len(queue.lines) > kept {
		t.Errorf("%d bytes and %d lines wait", queue.size, len(queue.lines))
	}
	resume()
	log.flush()
	write(kept + lost)
	log.flush()
	got := strings.SplitAfter(terminal.String(), "\n")
	if len(got) != kept+3 || got[kept-1] != line(kept-1) || got[kept+1] != line(kept+lost) ||
		!strings.Contains(got[kept], fmt.Sprintf(" [WRN] P2PD: %d lines were lost", lost)) {
		t.Fatalf("%d lines, %q", len(got), got[kept-1:])
	}
	for i := range kept {
		if got[i] != line(i) {
			t.Fatalf("line %d is %q", i, got[i])
		}
	}
}

// waitingOrDone is waiting with a channel in any case.
func (q *logQueue) waitingOrDone() <-chan struct{} {
	if idle := q.waiting(); idle != nil {
		return idle
	}
	done := make(chan struct{})
	close(done)
	return done
}

// TestLongLogLine: a line longer than the queue is written where nothing waits.
func TestLongLogLine(t *testing.T) {
	var out bytes.Buffer
	q := newLogQueue(&out)
	q.Write(make([]byte, maxLogQueue+1))
	if q.flush(); out.Len() != maxLogQueue+1 {
		t.Errorf("%d bytes", out.Len())
	}
}

// TestLogEndsBounded: the end of the program waits for an output that is stopped, but
// not for ever, and all outputs at once.
func TestLogEndsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newOutput(), newOutput()
		_, resumeA := a.stop()
		_, resumeB := b.stop()
		l := &logBackend{outputs: logQueues{newLogQueue(a), newLogQueue(b)}}
		fmt.Fprintln(l.outputs, "line")
		start := time.Now()
		if err := l.close(); err != nil || time.Since(start) != logFlushTime {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		lastWords(a.also(), errors.New("failure"))
		resumeA()
		resumeB()
		l.flush()
	})
}

// also returns another output that is stopped as long as this one.
func (o *output) also() *output {
	also, now := newOutput(), o.stopped.Load()
	also.stopped.Store(&stopped{make(chan struct{}), now.over})
	return also
}

// TestLogOfCrash: when a part panics the log has the lines before it.
func TestLogOfCrash(t *testing.T) {
	out := newOutput()
	logs, err := newLogBackend(&logConfig{Level: "info", NoFile: true}, out)
	if err != nil {
		t.Fatal(err)
	}
	c := newCrew(t.Context())
	c.crashed = logs.flush
	defer func() {
		if p := recover(); p != "mistake" || !strings.Contains(out.String(), "line 999") {
			t.Errorf("panic %v, log %s", p, out)
		}
	}()
	c.call(func(context.Context) error {
		for i := range 1000 {
			logs.logger(subsysMain).Infof("line %d", i)
		}
		panic("mistake")
	})
}

// TestStoppedTerminal: blocks are submitted and new tips mined on while nobody takes
// the log, which all that goes on writes to.
func TestStoppedTerminal(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, n := startNode(t, t.TempDir(), fake)
	awaitInfo(t, p, "the node works", healthy)
	mine(t, n, regP2WPKH, 2)
	reached, resume := p.stdout.stop()
	defer resume()
	go n.logs.logger(subsysPeer).Info("a line of anybody")
	<-reached

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	payee := payTo(t, n)
	go func() { done <- blocksAndTips(ctx, t, n, fake, payee) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("a block or a tip waits for the log")
	}
	resume()
	p.stop(t)
	for _, words := range []string{"a line of anybody", "BITCOIN BLOCK", "P2PD: Stopped\n"} {
		if !strings.Contains(p.stdout.String(), words) {
			t.Errorf("the log lacks %q:\n%s", words, p.stdout)
		}
	}
}

// blocksAndTips finds two blocks, and has the Bitcoin node find two, which has been away
// before the second.
func blocksAndTips(ctx context.Context, t *testing.T, n *node, fake *bitcoindtest.Fake, payee []byte) error {
	for _, class := range []share.Class{share.Class12, share.Class36} {
		job, err := n.generator.Work().Job(payee, class)
		if err != nil {
			return err
		}
		out, err := n.generator.Submit(ctx, job, solve(t, job, &job.BlockTarget))
		if err != nil || !out.Block {
			return fmt.Errorf("block %+v: %v", out, err)
		}
		if err := awaitWork(ctx, n, out.Hash); err != nil {
			return err
		}
	}
	if err := awaitWork(ctx, n, fake.Mine(1)); err != nil {
		return err
	}
	fake.Down()
	for n.bitcoin.Health().OK {
		if ctx.Err() != nil {
			return errors.New("the Bitcoin node counts as well while it is away")
		}
		time.Sleep(time.Millisecond)
	}
	if err := fake.Up(); err != nil {
		return err
	}
	return awaitWork(ctx, n, fake.Mine(1))
}

// awaitWork waits for work on a Bitcoin block.
func awaitWork(ctx context.Context, n *node, block chainhash.Hash) error {
	changed, cancel := n.generator.Subscribe()
	defer cancel()
	for {
		if w := n.generator.Work(); w != nil && w.PrevBlock() == block {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no work on block %v", block)
		}
	}
}
