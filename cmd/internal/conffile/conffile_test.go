package conffile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jessevdk/go-flags"
)

// options stands for a program's configuration.
type options struct {
	Name   string   `long:"name"`
	Number int      `long:"number"`
	Switch bool     `long:"switch"`
	Addrs  []string `long:"addr"`
	NoIni  string   `long:"commandlineonly" no-ini:"true"`
	Group  struct {
		Inner string `long:"inner"`
	} `group:"Inner options"`
}

func newOptions() (*options, *flags.Parser) {
	opts := new(options)
	parser := flags.NewNamedParser("test", ParserOptions)
	if _, err := parser.AddGroup("Options", "", opts); err != nil {
		panic(err)
	}
	return opts, parser
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := writeFile(t, "\ufeff# comment\r\n"+
		"; comment\n"+
		"[Application Options]\n"+
		"\n"+
		"  name = a # b = c \r\n"+
		"number=-7\n"+
		"switch=1\n"+
		"addr=one\n"+
		"addr=two\n"+
		"--inner=\" quoted\\t\"")
	opts, parser := newOptions()
	opts.Addrs = []string{"default"}
	lines, err := Load(path, parser, Strict)
	if err != nil {
		t.Fatal(err)
	}
	want := options{Name: "a # b = c", Number: -7, Switch: true, Addrs: []string{"default", "one", "two"}}
	want.Group.Inner = " quoted\t"
	if !reflect.DeepEqual(*opts, want) {
		t.Errorf("got %+v, want %+v", *opts, want)
	}
	if want := map[string]int{"name": 5, "number": 6, "switch": 7, "addr": 8, "inner": 10}; !reflect.DeepEqual(lines, want) {
		t.Errorf("lines %v, want %v", lines, want)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"unknown", "name=x\n\nnmae=y\n", `line 3: unknown option "nmae"; did you mean "name"?`},
		{"unknown, nothing near", "completelydifferent=1", `line 1: unknown option "completelydifferent"`},
		{"command line only", "commandlineonly=1", "line 1: commandlineonly can only be given on the command line"},
		{"section", "[regtest]\n", "line 1: sections are not used here; remove [regtest]"},
		{"no equals sign", "\nswitch\n", `line 2: there is no "=" in "switch"; write name=value`},
		{"no name", "=x", `line 1: there is no name before the "="`},
		{"open quote", `name="x`, "line 1: the quotes around the value of name are not closed properly"},
		{"twice", "name=x\nname=y", "line 2: name was already set in line 1"},
		{"not a number", "number=many", `line 1: number: "many" is not a whole number`},
		{"number out of range", "number=99999999999999999999", "line 1: number: 99999999999999999999 is out of range"},
		{"not a switch", "switch=perhaps", `line 1: switch: "perhaps" is neither 1 nor 0`},
		{"binary", "name=\xff\xfe", "line 1: this is not UTF-8 text"},
		{"nul", "name=\x00", "line 1: this is not UTF-8 text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := writeFile(t, tc.content)
			_, parser := newOptions()
			_, err := Load(path, parser, Strict)
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("got error %v of type %T, want an *Error", err, err)
			}
			if got, want := err.Error(), path+", "+tc.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestLoadFile(t *testing.T) {
	_, parser := newOptions()
	if _, err := Load(filepath.Join(t.TempDir(), "none"), parser, Strict); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v, want fs.ErrNotExist", err)
	}
	if _, err := Load(t.TempDir(), parser, Strict); err == nil {
		t.Error("a directory was accepted")
	}
	path := writeFile(t, strings.Repeat("# too much\n", MaxSize/10))
	if _, err := Load(path, parser, Strict); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("large file: got %v", err)
	}
}

func TestLenient(t *testing.T) {
	opts, parser := newOptions()
	if _, err := Load(writeFile(t, "other=1\nname=x\ncommandlineonly=y\n"), parser, Lenient); err != nil {
		t.Fatal(err)
	}
	if opts.Name != "x" || opts.NoIni != "" {
		t.Errorf("got %+v", *opts)
	}
	if _, err := Load(writeFile(t, "number=x"), parser, Lenient); err == nil {
		t.Error("a bad value of a known key was accepted")
	}
}

// TestFlagsOverride checks what the programs rely on: flags parsed after the conf
// file replace its values, lists included.
func TestFlagsOverride(t *testing.T) {
	opts, parser := newOptions()
	if _, err := Load(writeFile(t, "name=file\nswitch=1\naddr=file\nnumber=1"), parser, Strict); err != nil {
		t.Fatal(err)
	}
	_, parser = newParserFor(opts)
	if _, err := parser.ParseArgs([]string{"--name=flag", "--addr=a", "--addr=b", "--switch=0"}); err != nil {
		t.Fatal(err)
	}
	want := options{Name: "flag", Number: 1, Addrs: []string{"a", "b"}}
	if !reflect.DeepEqual(*opts, want) {
		t.Errorf("got %+v, want %+v", *opts, want)
	}
}

func newParserFor(opts *options) (*options, *flags.Parser) {
	parser := flags.NewNamedParser("test", ParserOptions)
	if _, err := parser.AddGroup("Options", "", opts); err != nil {
		panic(err)
	}
	return opts, parser
}

func TestFlagError(t *testing.T) {
	for args, want := range map[string]string{
		"--numbr=1": `unknown option "--numbr"; did you mean "number"?`,
		"--qqqqqqq": `unknown option "--qqqqqqq"`,
		"-x":        `unknown option "-x"`,
	} {
		_, parser := newOptions()
		_, err := parser.ParseArgs([]string{args})
		if got := FlagError(parser, err); got == nil || got.Error() != want {
			t.Errorf("%s: got %v, want %s", args, got, want)
		}
	}
	_, parser := newOptions()
	_, err := parser.ParseArgs([]string{"--number=x"})
	if got := FlagError(parser, err); got != err {
		t.Errorf("another error was changed to %v", got)
	}
	if FlagError(parser, nil) != nil {
		t.Error("no error became one")
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"address", "bitcoind", "datadir", "listen", "rpclisten", "stratumlisten"}
	for name, want := range map[string]string{
		"adress":     "address",
		"addres":     "address",
		"ADDRESS":    "address",
		"litsen":     "listen",
		"rpc-listen": "rpclisten",
		"data-dir":   "datadir",
		"zzzz":       "",
		"":           "",
	} {
		if want != "" {
			want = `; did you mean "` + want + `"?`
		}
		if got := Suggest(name, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	_, parser := newOptions()
	want := []string{"addr", "commandlineonly", "inner", "name", "number", "switch"}
	if got := Names(parser); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a=b", "# c\n[x]\na=\"b\"\n", "\ufeffa = 1\r\nb", "=\x00", "[Application Options]\na=\"\\x41\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := Parse(content)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Line < 1 {
				t.Fatalf("error without a line: %v", err)
			}
			return
		}
		_, parser := newOptions()
		for _, e := range entries {
			if e.Line < 1 {
				t.Fatalf("entry without a line: %+v", e)
			}
		}
		apply(entries, parser, Lenient)
	})
}
