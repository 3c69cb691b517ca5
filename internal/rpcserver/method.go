package rpcserver

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A method is one entry of the method table. Everything the server knows about
// it is here: the parameters that are checked before the handler runs, and the
// texts of help.
type method struct {
	name    string
	alias   string // another name that works too; empty: none
	area    string // heading in help
	summary string // one sentence
	params  []param
	result  string // what is answered, for help
	handle  func(ctx context.Context, b Backend, args arguments) (any, error)
}

// paramKind is the JSON type of a parameter.
type paramKind uint8

const (
	kindString paramKind = iota
	kindInteger
	kindBool
)

// param declares one parameter. Optional parameters follow required ones.
type param struct {
	name     string
	kind     paramKind
	optional bool
	fallback int64 // value of an absent optional integer
	min, max int64 // range of an integer, both included
	help     string
}

// maxParams bounds the parameters accepted from a client before they are
// counted against the method's own; the longest method of ours has four.
const maxParams = 8

// maxStringParam bounds a string parameter, in bytes: the longest sensible one
// is a --debuglevel specification.
const maxStringParam = 1024

// arguments are the values of a method's parameters, in declaration order:
// string, int64 or bool, with absent optional ones filled in.
type arguments []any

func (a arguments) text(i int) string   { return a[i].(string) }
func (a arguments) integer(i int) int   { return int(a[i].(int64)) }
func (a arguments) bool(i int) bool     { return a[i].(bool) }
func (a arguments) height(i int) uint32 { return uint32(a[i].(int64)) }

// maxHeight is the greatest sharechain height.
const maxHeight = math.MaxUint32

// arguments checks params, a JSON array or object or nil, against the
// declaration.
func (m *method) arguments(params json.RawMessage) (arguments, error) {
	given, err := m.givenParams(params)
	if err != nil {
		return nil, err
	}
	args := make(arguments, len(m.params))
	for i, p := range m.params {
		if given[i] == nil || given[i][0] == 'n' { // absent or null
			if !p.optional {
				return nil, m.invalid("the parameter %s is missing", p.name)
			}
			args[i] = p.absent()
			continue
		}
		if args[i], err = p.parse(given[i]); err != nil {
			return nil, m.invalid("%v", err)
		}
	}
	return args, nil
}

// givenParams brings positional or named parameters into declaration order.
func (m *method) givenParams(params json.RawMessage) ([]json.RawMessage, error) {
	given := make([]json.RawMessage, len(m.params))
	if params == nil {
		return given, nil
	}
	if params[0] == '[' {
		list, err := arrayElements(params, maxParams)
		if err != nil || len(list) > len(m.params) {
			return nil, m.invalid("too many parameters")
		}
		copy(given, list)
		return given, nil
	}
	members, err := objectMembers(params, maxParams)
	if err != nil {
		return nil, m.invalid("params: %v", err)
	}
	for name, value := range members {
		i := slices.IndexFunc(m.params, func(p param) bool { return p.name == name })
		if i < 0 {
			return nil, m.invalid("there is no parameter %s", quoteShort(name))
		}
		given[i] = value
	}
	return given, nil
}

// invalid returns an error about the parameters that ends with the usage.
func (m *method) invalid(format string, args ...any) *Error {
	return InvalidParameter("%s: %s; usage: %s", m.name, fmt.Sprintf(format, args...), m.usage())
}

// absent is the value of an optional parameter that was not given.
func (p *param) absent() any {
	switch p.kind {
	case kindInteger:
		return p.fallback
	case kindBool:
		return false
	}
	return ""
}

// parse checks one value.
func (p *param) parse(raw json.RawMessage) (any, error) {
	if p.kind == kindString {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("%s must be a string", p.name)
		}
		if len(s) > maxStringParam {
			return nil, fmt.Errorf("%s must not be longer than %d bytes", p.name, maxStringParam)
		}
		return s, nil
	}
	if p.kind == kindBool {
		var b bool
		if err := json.Unmarshal(raw, &b); err != nil {
			return nil, p.boolError()
		}
		return b, nil
	}
	var n int64
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, p.rangeError()
	}
	return n, p.checkRange(n)
}

func (p *param) checkRange(n int64) error {
	if n < p.min || n > p.max {
		return p.rangeError()
	}
	return nil
}

func (p *param) rangeError() error {
	return fmt.Errorf("%s must be a whole number from %d to %d", p.name, p.min, p.max)
}

func (p *param) boolError() error { return fmt.Errorf("%s must be true or false", p.name) }

// usage is the one-line form: "getshare HASH [VERBOSITY]".
func (m *method) usage() string {
	var b strings.Builder
	b.WriteString(m.name)
	for _, p := range m.params {
		name := strings.ToUpper(p.name)
		if p.optional {
			name = "[" + name + "]"
		}
		b.WriteString(" " + name)
	}
	return b.String()
}

// help is the full text of "help METHOD".
func (m *method) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", m.usage(), m.summary)
	if m.alias != "" {
		fmt.Fprintf(&b, "Also known as %s.\n", m.alias)
	}
	if len(m.params) > 0 {
		b.WriteString("\nParameters:\n")
	}
	for _, p := range m.params {
		fmt.Fprintf(&b, "  %-10s %s\n", p.name, p.help)
	}
	fmt.Fprintf(&b, "\nResult:\n  %s", m.result)
	return b.String()
}

// fromWord turns a word of a command line into a value.
func (p *param) fromWord(word string) (any, error) {
	switch p.kind {
	case kindInteger:
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || p.checkRange(n) != nil {
			return nil, p.rangeError()
		}
		return n, nil
	case kindBool:
		b, err := strconv.ParseBool(word)
		if err != nil {
			return nil, p.boolError()
		}
		return b, nil
	}
	return word, nil
}

// EncodeParams turns words of a command line into the params of a request, by
// the declaration of the method: integers become JSON numbers, true and false (1
// and 0 too) booleans, everything else strings. For a method that this build does
// not know, every word becomes a string and the server decides. The error says
// which parameter is wrong.
func EncodeParams(name string, words []string) ([]any, error) {
	params := make([]any, 0, len(words))
	m := findMethod(name)
	for i, word := range words {
		switch {
		case m == nil:
			params = append(params, word)
			continue
		case i >= len(m.params):
			return nil, m.invalid("too many parameters")
		}
		value, err := m.params[i].fromWord(word)
		if err != nil {
			return nil, m.invalid("%v", err)
		}
		params = append(params, value)
	}
	if m != nil && len(words) < len(m.params) && !m.params[len(words)].optional {
		return nil, m.invalid("the parameter %s is missing", m.params[len(words)].name)
	}
	return params, nil
}
