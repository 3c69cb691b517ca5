package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jessevdk/go-flags"

	"github.com/p2poold/p2poold/cmd/internal/conffile"
)

const sampleConf = "../../sample-p2pool.conf"

// sampleEntry matches an option in the sample, commented out.
var sampleEntry = regexp.MustCompile(`(?m)^; ([a-z0-9]+)=(.*)$`)

func readSample(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(sampleConf)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestSampleListsEveryOption checks that the sample has every option, in the
// order of help, with the value it has when it is not set, and nothing else.
func TestSampleListsEveryOption(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the sample shows the paths of Linux")
	}
	home := withHome(t)
	cfg := mustLoad(t)
	var want []string
	for _, opt := range confOptions(newParser(cfg)) {
		value := strings.ReplaceAll(optionText(opt), home, "~")
		want = append(want, "; "+opt.LongName+"="+value)
	}
	got := sampleEntry.FindAllString(readSample(t), -1)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("the sample lacks %q", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("the sample has %q, which is not an option with its default value", line)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("the order differs:\ngot  %q\nwant %q", got, want)
	}
}

// confOptions returns the options that a conf file can set, in the order of help.
func confOptions(parser *flags.Parser) []*flags.Option {
	var opts []*flags.Option
	var walk func(groups []*flags.Group)
	walk = func(groups []*flags.Group) {
		for _, g := range groups {
			for _, opt := range g.Options() {
				if opt.Field().Tag.Get("no-ini") == "" {
					opts = append(opts, opt)
				}
			}
			walk(g.Groups())
		}
	}
	walk(parser.Groups())
	return opts
}

// optionText writes a value as a conf file does.
func optionText(opt *flags.Option) string {
	switch v := opt.Value().(type) {
	case bool:
		if v {
			return "1"
		}
		return "0"
	case []string:
		return strings.Join(v, ",")
	default:
		return fmt.Sprint(v)
	}
}

// TestSampleHasNothingElse checks that each line is empty, a comment or an option
// commented out.
func TestSampleHasNothingElse(t *testing.T) {
	for i, line := range strings.Split(strings.TrimSuffix(readSample(t), "\n"), "\n") {
		if line != "" && line != "#" && !strings.HasPrefix(line, "# ") && !sampleEntry.MatchString(line) {
			t.Errorf("line %d is neither comment nor option: %q", i+1, line)
		}
	}
}

// TestSampleParses loads the sample as it is, and with every option that has a
// value uncommented: both must give the defaults.
func TestSampleParses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the sample shows the paths of Linux")
	}
	home := withHome(t)
	if err := os.MkdirAll(filepath.Join(home, ".bitcoin"), 0o700); err != nil {
		t.Fatal(err)
	}
	defaults := mustLoad(t)
	sample := readSample(t)
	uncommented := regexp.MustCompile(`(?m)^; ([a-z0-9]+=.+)$`).ReplaceAllString(sample, "$1")
	for name, content := range map[string]string{"sample": sample, "uncommented": uncommented} {
		cfg := mustLoad(t, "-C", writeConf(t, content))
		for _, c := range []*config{cfg, defaults} {
			c.General.ConfigFile, c.confFile, c.origin, c.args = "", "", nil, nil
			c.General.DataDir = ""
			c.params.Bitcoin = nil // holds functions, which cannot be compared
		}
		if !reflect.DeepEqual(cfg, defaults) {
			t.Errorf("%s: got %+v\nwant %+v", name, cfg, defaults)
		}
	}
}

// TestOptionTags checks what help and conf file need of each option.
func TestOptionTags(t *testing.T) {
	var cfg config
	parser := newParser(&cfg)
	for _, name := range conffile.Names(parser) {
		opt := parser.FindOptionByLongName(name)
		kind := opt.Field().Type.Kind()
		if opt.Description == "" || opt.ValueName == "" && kind != reflect.Bool {
			t.Errorf("--%s has no description or no name for its value", name)
		}
		if len(opt.Default) > 0 {
			t.Errorf("--%s: the default belongs into defaultConfig; in a tag it would override the conf file", name)
		}
	}
}
