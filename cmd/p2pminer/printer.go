package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// printer writes lines with the time of day. Safe for concurrent use.
type printer struct {
	mu       sync.Mutex
	out, err io.Writer
}

func newPrinter(out, err io.Writer) *printer { return &printer{out: out, err: err} }

// printf reports how things go; --quiet suppresses it.
func (p *printer) printf(format string, args ...any) { p.write(p.out, format, args) }

// problemf reports what goes wrong.
func (p *printer) problemf(format string, args ...any) { p.write(p.err, format, args) }

func (p *printer) write(w io.Writer, format string, args []any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(w, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// maxServerText is where a text from the server is cut, in bytes.
const maxServerText = 200

// printable makes a text from the server fit for a terminal.
func printable(s string) string {
	if len(s) > maxServerText {
		s = s[:maxServerText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

// formatRate prints a hashrate with three digits and a unit.
func formatRate(hashes float64) string {
	for _, u := range []struct {
		scale float64
		name  string
	}{{1e12, "TH/s"}, {1e9, "GH/s"}, {1e6, "MH/s"}, {1e3, "kH/s"}} {
		if hashes >= u.scale*0.9995 {
			return fmt.Sprintf("%.3g %s", hashes/u.scale, u.name)
		}
	}
	return fmt.Sprintf("%.3g H/s", hashes)
}
