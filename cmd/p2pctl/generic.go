package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// printJSON writes the answer as it came, indented.
func printJSON(w io.Writer, result json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, result, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// printGeneric writes any answer as indented names and values, in the order in
// which the node sent them. Texts are printed without quotes.
func printGeneric(w io.Writer, result json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(result))
	dec.UseNumber()
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if delim, ok := tok.(json.Delim); ok {
		return printMembers(w, dec, delim, 0)
	}
	if tok == nil { // a command without a result
		return nil
	}
	_, err = fmt.Fprintln(w, scalar(tok))
	return err
}

// printMembers writes the members of an object, or the elements of an array,
// whose opening delimiter has been read.
func printMembers(w io.Writer, dec *json.Decoder, open json.Delim, depth int) error {
	indent := strings.Repeat("  ", depth)
	for dec.More() {
		label := indent + "-"
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			label = indent + scalar(key) + ":"
		}
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		delim, nested := tok.(json.Delim)
		switch {
		case !nested:
			_, err = fmt.Fprintf(w, "%s %s\n", label, scalar(tok))
		case !dec.More():
			_, err = fmt.Fprintf(w, "%s none\n", label)
			if err == nil {
				_, err = dec.Token()
			}
		default:
			if _, err = fmt.Fprintln(w, label); err == nil {
				err = printMembers(w, dec, delim, depth+1)
			}
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token() // the closing delimiter
	return err
}

// scalar writes a JSON value that is neither object nor array. A text keeps its
// lines and nothing else that could control a terminal.
func scalar(tok json.Token) string {
	switch v := tok.(type) {
	case string:
		lines := strings.Split(v, "\n")
		for i := range lines {
			lines[i] = cleaned(lines[i])
		}
		return strings.Join(lines, "\n")
	case nil:
		return "-"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(tok)
}
