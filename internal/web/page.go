package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"math"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/internal/human"
)

// view is what a page is made of.
type view struct {
	*Status
	Host    string // where miners connect to
	OnlyTLS bool   // they must encrypt there
	Blocks  []Block
	Miner   *Miner
	Asked   string // for, in the form
	Live    bool   // the page is to be kept up to date
}

// Style and Script are the same on all pages.
func (*view) Style() template.CSS { return template.CSS(style) }
func (*view) Script() template.JS { return template.JS(script) }

var (
	//go:embed pages/*.html
	pageFiles embed.FS
	//go:embed pages/style.css
	style string
	//go:embed pages/reload.js
	script string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"rate": human.HashRate, "difficulty": human.Difficulty, "bitcoins": human.Bitcoins, "plural": human.Plural,
		"percent": percent, "part": human.Percent, "span": span, "when": when, "age": age, "hash": human.ShortHash, "fate": fate,
	}).ParseFS(pageFiles, "pages/*.html"))

	// policy allows the style and the script of the pages, and nothing else.
	policy = "default-src 'none'; style-src '" + hashOf(style) + "'; script-src '" + hashOf(script) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// hashOf names a text of a page in its policy.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// render makes a page.
func render(name string, v *view) ([]byte, error) {
	var page bytes.Buffer
	err := pages.ExecuteTemplate(&page, name, v)
	return page.Bytes(), err
}

// percent writes what an operator has set, in percent.
func percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + " %" }

// span writes a time in seconds.
func span(seconds float64) string {
	const most = math.MaxInt64 / float64(time.Second)
	switch {
	case !(seconds >= 1): // NaN included
		return "less than a second"
	case seconds >= most:
		return "more than " + human.Span(math.MaxInt64)
	}
	return human.Span(time.Duration(seconds * float64(time.Second)))
}

// when writes a Unix time for programs, age for people.
func when(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

func age(unix int64) string { return human.Ago(unix, time.Now()) + " ago" }

// fate explains the status of a block.
func fate(b Block) string {
	switch b.Status {
	case "pending":
		return "on its way"
	case "accepted":
		return human.Plural(int(b.Confirmations), "confirmation")
	case "orphaned":
		return "orphaned: another block won"
	}
	return b.Status
}
