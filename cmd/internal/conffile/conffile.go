package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jessevdk/go-flags"
)

// MaxSize bounds a conf file, in bytes. The sample, all comments included, has
// less than 10 kB.
const MaxSize = 1 << 20

// Error is a problem in a conf file.
type Error struct {
	File    string
	Line    int // counted from 1
	Message string
}

// Error returns "FILE, line N: message".
func (e *Error) Error() string {
	return fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.Message)
}

// Entry is one assignment in a conf file.
type Entry struct {
	Name, Value string
	Line        int // counted from 1
}

// A Mode says what to do with keys that the parser has no option for.
type Mode uint8

const (
	// Strict makes an unknown key an error.
	Strict Mode = iota
	// Lenient skips unknown keys, for a program that shares the conf file of
	// another and knows only some of its options.
	Lenient
)

// Load reads the conf file at path and sets the parser's options from it. It
// returns the line of each option that it set, by option name. The error is an
// *Error for anything wrong inside the file, else that of the file system.
func Load(path string, parser *flags.Parser, mode Mode) (map[string]int, error) {
	content, err := read(path)
	if err != nil {
		return nil, err
	}
	entries, err := Parse(content)
	if err == nil {
		var lines map[string]int
		if lines, err = apply(entries, parser, mode); err == nil {
			return lines, nil
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.File = path
	}
	return nil, err
}

// read returns the content of a conf file of at most MaxSize bytes.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(content) > MaxSize {
		err = fmt.Errorf("%s is larger than %d bytes and hardly a conf file", path, MaxSize)
	}
	return content, err
}

// Parse splits the content of a conf file into its entries. The error is an
// *Error without a file name.
func Parse(content []byte) ([]Entry, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // some editors begin files with it
	var entries []Entry
	line := 0
	for text := range strings.Lines(string(content)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return nil, &Error{Line: line, Message: "this is not UTF-8 text"}
		}
		if text[0] == '[' {
			// go-flags writes this header, so files made for it work too.
			if strings.EqualFold(text, "[Application Options]") {
				continue
			}
			return nil, &Error{Line: line, Message: fmt.Sprintf("sections are not used here; remove %s", text)}
		}
		entry, err := parseEntry(text)
		if err != nil {
			return nil, &Error{Line: line, Message: err.Error()}
		}
		entry.Line = line
		entries = append(entries, entry)
	}
	return entries, nil
}

// parseEntry parses "name=value".
func parseEntry(text string) (Entry, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return Entry{}, fmt.Errorf("there is no \"=\" in %q; write name=value", shorten(text))
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if name == "" {
		return Entry{}, errors.New("there is no name before the \"=\"")
	}
	if strings.HasPrefix(value, `"`) {
		unquoted, err := strconv.Unquote(value)
		if err != nil {
			return Entry{}, fmt.Errorf("the quotes around the value of %s are not closed properly", shorten(name))
		}
		value = unquoted
	}
	return Entry{Name: strings.TrimPrefix(name, "--"), Value: value}, nil
}

// apply sets the options that the entries name.
func apply(entries []Entry, parser *flags.Parser, mode Mode) (map[string]int, error) {
	lines := make(map[string]int)
	for _, e := range entries {
		opt := parser.FindOptionByLongName(e.Name)
		if opt == nil || opt.Field().Tag.Get("no-ini") != "" {
			if mode == Lenient {
				continue
			}
			return nil, &Error{Line: e.Line, Message: unknownKey(parser, opt, e.Name)}
		}
		first, repeated := lines[e.Name]
		if repeated && opt.Field().Type.Kind() != reflect.Slice {
			return nil, &Error{Line: e.Line, Message: fmt.Sprintf("%s was already set in line %d", e.Name, first)}
		}
		if err := opt.Set(&e.Value); err != nil {
			return nil, &Error{Line: e.Line, Message: fmt.Sprintf("%s: %s", e.Name, plainError(opt, e.Value, err))}
		}
		if !repeated {
			lines[e.Name] = e.Line
		}
	}
	return lines, nil
}

// unknownKey is the message about a key that cannot be set in a conf file.
func unknownKey(parser *flags.Parser, opt *flags.Option, name string) string {
	if opt != nil {
		return fmt.Sprintf("%s can only be given on the command line", name)
	}
	return fmt.Sprintf("unknown option %q%s", shorten(name), Suggest(name, Names(parser)))
}

// plainError words a conversion error for somebody who doesn't know Go.
func plainError(opt *flags.Option, value string, err error) string {
	if num, ok := errors.AsType[*strconv.NumError](err); ok {
		switch {
		case opt.Field().Type.Kind() == reflect.Bool:
			return fmt.Sprintf("%q is neither 1 nor 0", shorten(value))
		case errors.Is(num.Err, strconv.ErrRange):
			return fmt.Sprintf("%s is out of range", shorten(value))
		}
		if opt.Field().Type.Kind() == reflect.Float64 {
			return fmt.Sprintf("%q is not a number", shorten(value))
		}
		return fmt.Sprintf("%q is not a whole number", shorten(value))
	}
	return err.Error()
}

// shorten keeps a long line out of an error message.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
