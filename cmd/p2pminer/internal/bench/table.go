package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTable prints the report for people.
func (rep *Report) WriteTable(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.summary(rep)
	t.latencies(rep)
	t.resources(rep)
	if rep.Limit != LimitNone {
		t.row("limit", "%s: %s", rep.Limit, rep.Because)
	}
	if err := t.w.Flush(); err != nil {
		return err
	}
	return t.err
}

// table writes rows of a name and a value.
type table struct {
	w   *tabwriter.Writer
	err error
}

func (t *table) row(name, format string, args ...any) {
	if _, err := fmt.Fprintf(t.w, "%s\t%s\n", name, fmt.Sprintf(format, args...)); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *table) summary(rep *Report) {
	protocol := "plain"
	if rep.TLS {
		protocol = "TLS"
	}
	t.row("server", "%s, %s", rep.Server, protocol)
	mode := fmt.Sprintf("%s, %d connections", rep.Mode, rep.Connections)
	if rep.Seconds > 0 {
		mode += fmt.Sprintf(", %.1f s", rep.Seconds)
	}
	if rep.Interrupted {
		mode += ", interrupted"
	}
	t.row("mode", "%s", mode)
	l := &rep.Logins
	t.row("logins", "%d of %d in %.2f s, %.0f/s", l.Succeeded, l.Started-int64(l.Dropped), l.Seconds, l.PerSecond)
	t.reasons("  failed", l.Failed)
	if l.TimedOut > 0 {
		t.row("  timed out", "%d", l.TimedOut)
	}
	if l.Dropped > 0 {
		t.row("  broken off on purpose", "%d", l.Dropped)
	}
	t.reasons("connections lost", rep.Lost)
	if s := rep.SlowReaders; s != nil {
		t.row("never-reading clients", "%d, of which the server closed %d", s.LoggedIn, s.Closed.Count)
	}
	t.reasons("messages", rep.Messages)
	if s := rep.Submits; s != nil {
		wanted := "as fast as answered"
		if s.Wanted > 0 {
			wanted = fmt.Sprintf("%.0f/s wanted", s.Wanted)
		}
		t.row("submissions", "%d sent, %.0f/s answered, %s", s.Sent, s.PerSecond, wanted)
		t.row("  accepted", "%d", s.Accepted)
		t.reasons("  rejected", s.Rejected)
		t.row("  unanswered", "%d", s.Unanswered)
		if n := s.HeldBack + s.Unsolved; n > 0 {
			t.row("  not sent", "%d held back, %d without solution", s.HeldBack, s.Unsolved)
		}
	}
}

// reasons prints counts, the largest first.
func (t *table) reasons(name string, counts map[string]uint64) {
	for _, reason := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(min(counts[b], 1<<30)) - int(min(counts[a], 1<<30))
		}
		return strings.Compare(a, b)
	}) {
		t.row(name, "%d: %s", counts[reason], reason)
	}
}

func (t *table) latencies(rep *Report) {
	t.row("", "")
	fmt.Fprintln(t.w, "milliseconds\tp50\tp95\tp99\tp99.9\tmax\tcount")
	t.latency("login", &rep.Logins.Latency)
	if s := rep.Submits; s != nil {
		t.latency("submission, written to answered", &s.Latency)
		if s.Wanted > 0 {
			t.latency("submission, due to answered", &s.LatencyDue)
			t.latency("submission, due to written", &s.Late)
		}
	}
	for _, s := range []struct {
		name string
		*Spread
	}{{"new block", &rep.Blocks}, {"new work", &rep.Work}} {
		t.latency(s.name+", first to last connection", &s.ToLast)
		t.latency(s.name+", first to each connection", &s.ToEach)
		if s.Incomplete > 0 {
			t.row(s.name+", overtaken", "%d of %d", s.Incomplete, s.Incomplete+s.Events)
		}
	}
	if s := rep.SlowReaders; s != nil {
		t.latency("never-reading client, until closed", &s.Closed)
	}
}

func (t *table) latency(name string, l *Latency) {
	if l.Count > 0 {
		fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", name, ms(l.P50), ms(l.P95), ms(l.P99), ms(l.P999), ms(l.Max), l.Count)
	}
}

// ms prints milliseconds with three digits.
func ms(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func (t *table) resources(rep *Report) {
	t.row("", "")
	t.row("a connection", "got %.0f bytes and %.1f jobs, sent %.0f bytes", rep.BytesIn, rep.Jobs, rep.BytesOut)
	g := &rep.Generator
	if rep.Submits != nil {
		row := fmt.Sprintf("%.2f processors, loops busy %.0f %%, %.1f hashes a submission", g.CPU, 100*g.Busy, g.HashesPerSubmit)
		if g.Busy >= 0.5 { // below, most of its time goes into waking up
			row += fmt.Sprintf("; one processor of its own could send %.0f/s", g.Capacity)
		}
		t.row("generator", "%s", row)
	}
	if p := rep.Process; p != nil {
		row := fmt.Sprintf("%s before, %s after the logins, %s at the end", mib(p.ResidentBefore), mib(p.ResidentLoggedIn), mib(p.ResidentEnd))
		if p.PerConnection > 0 {
			row += fmt.Sprintf("; %.1f kB a connection", p.PerConnection/1000)
		}
		t.row("server's memory", "%s", row)
		row = fmt.Sprintf("%.2f; %.3f ms a login", p.CPU, p.CPULogin)
		if p.CPUSubmit > 0 {
			row += fmt.Sprintf(", %.4f ms an answer", p.CPUSubmit)
		}
		t.row("server's processors", "%s", row)
		t.row("server's descriptors", "%d before, %d after; %d threads", p.FilesBefore, p.FilesAfter, p.ThreadsAfter)
	}
	if rep.Machine >= 0 {
		t.row("machine", "%d processors, %.0f %% busy", rep.Processors, 100*rep.Machine)
	}
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
