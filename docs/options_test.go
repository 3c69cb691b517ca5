package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flagTag matches the name of an option that is not hidden in a struct tag.
var flagTag = regexp.MustCompile("`[^`\n]*long:\"([a-z0-9]+)\"[^`\n]*`")

var optionName = regexp.MustCompile(`^--[a-z0-9]+`)

// flagsOf returns the options that a program's source declares, in their order.
func flagsOf(t *testing.T, file string) []string {
	t.Helper()
	var names []string
	for _, m := range flagTag.FindAllStringSubmatch(read(t, file), -1) {
		if !strings.Contains(m[0], `hidden:"true"`) {
			names = append(names, "--"+m[1])
		}
	}
	if len(names) == 0 {
		t.Fatalf("no options found in %s", file)
	}
	return names
}

// optionRows returns the rows of all option tables below a heading.
func optionRows(t *testing.T, heading string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.SplitSeq(section(t, read(t, "docs/configuration.md"), heading), "\n") {
		if strings.HasPrefix(line, "| `--") {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// TestOptions: configuration.md has each option of each program, in the order of
// its help, and no other.
func TestOptions(t *testing.T) {
	for heading, file := range map[string]string{
		"## p2poold":  "cmd/p2poold/config.go",
		"## p2pctl":   "cmd/p2pctl/config.go",
		"## p2pminer": "cmd/p2pminer/options.go",
	} {
		var got []string
		for _, row := range optionRows(t, heading) {
			got = append(got, optionName.FindString(row[0]))
		}
		if want := flagsOf(t, file); !slices.Equal(got, want) {
			t.Errorf("%s has %q, the program %q", heading, got, want)
		}
	}
}

// TestDefaults compares p2poold's defaults with those of the sample conf file,
// which a test of p2poold keeps true.
func TestDefaults(t *testing.T) {
	sample := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^; ([a-z0-9]+)=(.*)$`).FindAllStringSubmatch(read(t, "sample-p2pool.conf"), -1) {
		sample["--"+m[1]] = m[2]
	}
	for _, row := range optionRows(t, "## p2poold") {
		name := optionName.FindString(row[0])
		if want, ok := sample[name]; ok && row[1] != want {
			t.Errorf("%s: the document has the default %q, the sample %q", name, row[1], want)
		}
	}
}

// TestSubsystems: configuration.md lists the log subsystems and levels.
func TestSubsystems(t *testing.T) {
	source, doc := read(t, "cmd/p2poold/log.go"), read(t, "docs/configuration.md")
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^\tsubsys\w+ += "(\w+)"`).FindAllStringSubmatch(source, -1) {
		want = append(want, m[1])
	}
	for _, row := range table(t, doc, "Subsystem") {
		got = append(got, row[0])
	}
	same(t, "subsystems", got, want)
	for _, m := range regexp.MustCompile(`slog\.Level\w+: +"(\w+)"`).FindAllStringSubmatch(source, -1) {
		if !strings.Contains(doc, "`"+m[1]+"`") {
			t.Errorf("the level %s is not mentioned", m[1])
		}
	}
}
