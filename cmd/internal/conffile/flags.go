package conffile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jessevdk/go-flags"
)

// ParserOptions are those of every parser of the project: booleans may be
// switched off again ("--nolisten=0") so that a flag can override the conf file.
const ParserOptions = flags.HelpFlag | flags.PassDoubleDash | flags.AllowBoolValues

// Names returns the long names of all options of the parser that help shows,
// sorted.
func Names(parser *flags.Parser) []string {
	var names []string
	for _, g := range allGroups(parser.Groups()) {
		for _, opt := range g.Options() {
			if opt.LongName != "" && !opt.Hidden {
				names = append(names, opt.LongName)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// allGroups returns groups and, recursively, their subgroups.
func allGroups(groups []*flags.Group) []*flags.Group {
	var all []*flags.Group
	for _, g := range groups {
		all = append(all, g)
		all = append(all, allGroups(g.Groups())...)
	}
	return all
}

// FlagError words go-flags' error about the command line: an unknown option
// comes with the nearest known one. Other errors are returned as they are.
func FlagError(parser *flags.Parser, err error) error {
	e, ok := errors.AsType[*flags.Error](err)
	if !ok || e.Type != flags.ErrUnknownFlag {
		return err
	}
	// go-flags puts the name between these quotes and nowhere else.
	_, name, _ := strings.Cut(e.Message, "`")
	name = strings.TrimSuffix(name, "'")
	dashes := "--"
	if len(name) == 1 {
		dashes = "-"
	}
	return fmt.Errorf("unknown option %q%s", dashes+shorten(name), Suggest(name, Names(parser)))
}

// Suggest returns `; did you mean NAME?` for the known name nearest to name, or
// the empty string if none is near enough to be meant.
func Suggest(name string, known []string) string {
	name = strings.ToLower(shorten(name))
	best, bestDistance := "", len(name)/3+2
	for _, k := range known {
		if d := distance(name, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	prev2, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev = prev, row
	}
	return prev[len(b)]
}
