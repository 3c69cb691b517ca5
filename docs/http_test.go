package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/web"
)

// webAnswers are the types of http.md's tables of fields, by their headings.
var webAnswers = map[string]any{
	"## Status":                    web.Status{},
	"### Member next":              web.Next{},
	"## Blocks":                    web.Block{},
	"## Miner":                     web.Miner{},
	"### Member payout":            web.Payout{},
	"### Member classes of payout": web.Chance{},
	"### Member workers":           web.Worker{},
}

// TestWebFields compares names, order and types of all fields.
func TestWebFields(t *testing.T) { compareFields(t, "docs/http.md", webAnswers) }

// TestWebPaths: http.md has each path that is answered, and the limits that the code has.
func TestWebPaths(t *testing.T) {
	var want, got []string
	for _, m := range regexp.MustCompile(`"(/[^"]*)": h\.`).FindAllStringSubmatch(read(t, "internal/web/handler.go"), -1) {
		path := strings.ReplaceAll(m[1], "{$}", "")
		want = append(want, strings.ReplaceAll(path, "{address}", "ADDRESS"))
	}
	doc := read(t, "docs/http.md")
	for _, row := range table(t, doc, "Path") {
		got = append(got, row[0])
	}
	if len(want) < 8 {
		t.Errorf("paths found in the code: %q", want)
	}
	same(t, "paths of http.md", got, want)

	limits := section(t, doc, "## Limits")
	for file, patterns := range map[string][]string{
		"internal/web/cache.go":            {`maxAddress = (\d+)`, `maxWorkers = (\d+)`, `maxKept = (\d+)`, `minersFreshFor = (\d+) \* time.Second`},
		"cmd/p2poold/dashboard_payouts.go": {`payoutsFreshFor = (\d+) \* time.Second`},
	} {
		for _, pattern := range patterns {
			m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
			if m == nil || !regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(limits) {
				t.Errorf("the limits lack %s of %s", pattern, file)
			}
		}
	}
	if m := regexp.MustCompile(`maxBlocks, pageBlocks = (\d+)`).FindStringSubmatch(read(t, "internal/web/handler.go")); m == nil ||
		!strings.Contains(doc, "the newest "+m[1]+" |") {
		t.Error("the number of blocks is another")
	}
}
