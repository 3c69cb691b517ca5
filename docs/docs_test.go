// Package docs_test keeps the documents true: what they say of constants, byte
// layouts, options, commands and folders is compared with the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// read returns a file of the repository, named from its root.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documents returns the names of all Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "CHANGELOG.md"}
	found, err := filepath.Glob("*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %d documents", err, len(found))
	}
	for _, name := range found {
		names = append(names, "docs/"+name)
	}
	return names
}

// section returns the part of a document below a heading, up to the next heading
// of the same or a higher level.
func section(t *testing.T, doc, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+doc, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	level := strings.IndexByte(heading, ' ')
	var kept []string
	fenced := false
	for line := range strings.SplitSeq(rest, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		hashes := len(line) - len(strings.TrimLeft(line, "#"))
		if !fenced && hashes > 0 && hashes <= level {
			break
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}

// table returns the rows of the first table of a text that has the given first
// heading cell, without heading and ruler. Backquotes are taken off the cells.
func table(t *testing.T, text, first string) [][]string {
	t.Helper()
	var rows [][]string
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			if inside {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if !inside {
			inside = cells[0] == first
			continue
		}
		if !strings.HasPrefix(cells[0], "---") {
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Errorf("there is no table %q", first)
	}
	return rows
}

// block returns the fenced block of a document with the given info string,
// without line feeds.
func block(t *testing.T, doc, info string) string {
	t.Helper()
	_, rest, found := strings.Cut(doc, "\n```"+info+"\n")
	text, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		t.Errorf("there is no block %q", info)
	}
	return strings.ReplaceAll(text, "\n", "")
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
	code     = regexp.MustCompile("(?ms)^```.*?^```")
	notSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors returns the fragments by which a document's headings are linked.
func anchors(doc string) map[string]bool {
	list := make(map[string]bool)
	for _, m := range headings.FindAllStringSubmatch(code.ReplaceAllString(doc, ""), -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		list[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return list
}

// TestLinks follows every link inside the repository, to files and headings.
func TestLinks(t *testing.T) {
	for _, name := range documents(t) {
		for _, m := range links.FindAllStringSubmatch(read(t, name), -1) {
			link := m[1]
			if strings.Contains(link, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			target := name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", name, link, err)
				continue
			}
			if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s: the link %s leads to no heading", name, link)
			}
		}
	}
}

// TestPackages: architecture.md has a row for each folder with Go code and none
// for others.
func TestPackages(t *testing.T) {
	var want []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../")); strings.HasSuffix(path, ".go") && !slices.Contains(want, dir) {
			want = append(want, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range table(t, read(t, "docs/architecture.md"), "Folder") {
		got = append(got, row[0])
	}
	same(t, "folders of architecture.md", got, want)
}

// same compares two lists as sets.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s: %s is missing", what, name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: there is no %s", what, name)
		}
	}
}

// TestMakeTargets: testing.md explains each target of the Makefile.
func TestMakeTargets(t *testing.T) {
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		want = append(want, "make "+m[1])
	}
	for _, row := range table(t, read(t, "docs/testing.md"), "Target") {
		got = append(got, row[0])
	}
	same(t, "targets of testing.md", got, want)
}

// networks are those of the tables, in their order.
func networks(t *testing.T) []*chainparams.Params {
	t.Helper()
	var list []*chainparams.Params
	for net := chainparams.Mainnet; net <= chainparams.Regtest; net++ {
		p, err := chainparams.New(net, "main")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}
