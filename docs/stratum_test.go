package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestClasses: stratum.md has the output classes of devices by user agent.
func TestClasses(t *testing.T) {
	var want, got [][]string
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\s+(\S+)\s+(\S+)\s+(\S.*)$`).FindAllStringSubmatch(read(t, "stratum/devices.txt"), -1) {
		want = append(want, []string{m[4], m[1], m[2], m[3]})
	}
	for _, row := range table(t, read(t, "docs/stratum.md"), "User agent") {
		got = append(got, row[:4])
	}
	compare(t, got, want)
}

// TestSubmitErrors: stratum.md has every error of mining.submit.
func TestSubmitErrors(t *testing.T) {
	source := read(t, "stratum/reply.go")
	codes := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^\t(code\w+) += (\d+)`).FindAllStringSubmatch(source, -1) {
		codes[m[1]] = m[2]
	}
	var want, got []string
	for _, m := range regexp.MustCompile(`&stratumError\{(code\w+), "([^"]+)"\}`).FindAllStringSubmatch(source, -1) {
		want = append(want, codes[m[1]]+" "+m[2])
	}
	for _, row := range table(t, read(t, "docs/stratum.md"), "Code") {
		got = append(got, row[0]+" "+row[1])
	}
	same(t, "errors of stratum.md", got, want)
}

// TestClientRules: the tests that stratum.md names for the rules of clients exist, and it
// names all that play clients.
func TestClientRules(t *testing.T) {
	declared, named := regexp.MustCompile(`(?m)^func (Test\w+)\(`), regexp.MustCompile(`Test\w+`)
	replays := make(map[string]bool) // whether a test is in a file of replays
	files, err := filepath.Glob("../stratum/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, m := range declared.FindAllStringSubmatch(read(t, strings.TrimPrefix(file, "../")), -1) {
			replays[m[1]] = strings.HasPrefix(filepath.Base(file), "replay_")
		}
	}
	listed := make(map[string]bool)
	for _, row := range table(t, section(t, read(t, "docs/stratum.md"), "## Clients"), "Rule") {
		for _, name := range named.FindAllString(row[2], -1) {
			if _, exists := replays[name]; !exists || listed[name] {
				t.Errorf("%s: there is no test %s, or it is named twice", row[0], name)
			}
			listed[name] = true
		}
	}
	for name, replay := range replays {
		if replay && !listed[name] {
			t.Errorf("%s is not named", name)
		}
	}
}
