package merged

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

func TestParseURL(t *testing.T) {
	for _, tc := range []struct{ text, shown, user, pass, address string }{
		{"http://u:p@localhost:8336", "http://localhost:8336/", "u", "p", ""},
		{"http://u:p%40%3F@127.0.0.1:8336/?address=N1", "http://127.0.0.1:8336/", "u", "p@?", "N1"},
		{"http://u:p@[::1]:8336/wallet/w?address=N1&chainid=7", "http://[::1]:8336/wallet/w", "u", "p", "N1"},
		{"http://127.0.0.1:8336?cookie=/x/.cookie", "http://127.0.0.1:8336/", "", "", ""},
	} {
		e, err := ParseURL(tc.text)
		if err != nil || e.String() != tc.shown || e.user != tc.user || e.pass != tc.pass || e.address != tc.address {
			t.Errorf("%s: %+v, %v", tc.text, e, err)
		}
	}
	if e, err := ParseURL("http://u:p@h:1/?chainid=7"); err != nil || e.chainID != 7 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, tc := range []struct{ text, want string }{
		{"", "write http://"},
		{"localhost:8336", "write http://"},
		{"http://u:s3cret@h:x", "write http://"},
		{"https://u:s3cret@h:1", "tunnel"},
		{"http://u:s3cret@h", "host or port is missing"},
		{"http://u:s3cret@h:0", "host or port is missing"},
		{"http://u:s3cret@h:65536", "host or port is missing"},
		{"http://u:s3cret@:1", "host or port is missing"},
		{"http://u:s3cret@h:1/#N1", "#"},
		{"http://h:1", "both user and password"},
		{"http://u@h:1", "both user and password"},
		{"http://:s3cret@h:1", "both user and password"},
		{"http://u:s3cret@h:1/?cookie=f", "both a user and password and a cookie"},
		{"http://u:s3cret@h:1/?address=", `"address" must be there once`},
		{"http://u:s3cret@h:1/?address=a&address=b", `"address" must be there once`},
		{"http://u:s3cret@h:1/?payto=a", `no option "payto"`},
		{"http://u:s3cret@h:1/?chainid=-1", "chainid"},
		{"http://u:s3cret@h:1/?chainid=2147483648", "chainid"},
		{"http://u:s3cret@h:1/?%zz", "cannot be read"},
	} {
		_, err := ParseURL(tc.text)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want …%s…", tc.text, err, tc.want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("http://u:p@127.0.0.1:8336/?address=N1&chainid=1")
	f.Add("http://[::1]:1/%2f?cookie=/c")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseURL(text)
		if err != nil {
			return
		}
		if _, err := http.NewRequest(http.MethodPost, e.String(), nil); err != nil {
			t.Errorf("%q became %q: %v", text, e, err)
		}
	})
}

func TestCookieFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".cookie")
	e := &Endpoint{CookieFile: file}
	for _, tc := range []struct{ content, want string }{
		{"", "is not a cookie file"},
		{"__cookie__", "is not a cookie file"},
		{"__cookie__:", "is not a cookie file"},
		{strings.Repeat("x", maxCookie) + ":x", "is not a cookie file"},
		{"__cookie__:abc\n", ""},
	} {
		if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		user, pass, err := e.credentials()
		if tc.want == "" && (err != nil || user != "__cookie__" || pass != "abc") {
			t.Errorf("%q %q, %v", user, pass, err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%.20q: %v", tc.content, err)
		}
	}
	for _, tc := range []struct{ file, want string }{{file + "x", "there is no cookie file"}, {dir, "is not a cookie file"}} {
		if _, _, err := (&Endpoint{CookieFile: tc.file}).credentials(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Error(err)
		}
	}
}

func TestParseReply(t *testing.T) {
	for _, tc := range []struct {
		status     int
		text, want string // result, or part of the error
	}{
		{200, `{"result":true,"error":null,"id":1}`, `true`},
		{200, `{"result":null,"error":null,"id":1}`, `null`},
		{200, `{"jsonrpc":"2.0","result":{"hash":""},"id":1}`, `{"hash":""}`},
		{500, `{"result":null,"error":{"code":-8,"message":"block hash unknown"},"id":1}`, `it answers "block hash unknown" (-8)`},
		{200, `{"result":null,"error":{"code":-8,"message":"a\u001b[31m\nb"},"id":1}`, `"a?[31m?b"`},
		{200, `{"result":null,"error":{"code":-8,"message":"` + strings.Repeat("long", 100) + `"},"id":1}`, `…`},
		{200, `{"result":null,"error":"no","id":1}`, "cannot be read"},
		{200, `{"id":1}`, "without a result"},
		{404, `{"result":true,"error":null}`, "without a result (HTTP status 404)"},
		{200, ``, "does not answer with JSON-RPC"},
		{200, `<html>`, "does not answer with JSON-RPC"},
		{200, `[]`, "does not answer with JSON-RPC"},
		{401, `{"result":true}`, "refuses user and password"},
		{403, ``, "refuses user and password"},
		{200, strings.Repeat(" ", maxReply+1), "more than 65536 bytes"},
	} {
		raw, err := parseReply(tc.status, []byte(tc.text))
		got := string(raw)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%d %.60s: %s, want …%s…", tc.status, tc.text, got, tc.want)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		result string
		err    error
		want   verdict
	}{
		{`true`, nil, accepted},
		{`null`, nil, accepted},
		{`false`, nil, rejected},
		{`"bad-auxpow"`, nil, rejected},
		{`1`, nil, rejected},
		{``, &rpcError{-8, "block hash unknown"}, stale},
		{``, &rpcError{-8, "invalid block hash hex"}, rejected},
		{``, &rpcError{-10, "Namecoin is downloading blocks..."}, unsettled},
		{``, &rpcError{-22, "auxpow decode failed"}, rejected},
		{``, errors.New("no answer"), unsettled},
	} {
		got, err := judge([]byte(tc.result), tc.err)
		if got != tc.want || (err == nil) != (got == accepted) {
			t.Errorf("%s %v: %d, %v", tc.result, tc.err, got, err)
		}
	}
}

// FuzzReply: whatever a node answers, there is a block, a verdict or an error that can
// be logged.
func FuzzReply(f *testing.F) {
	for _, s := range seeds {
		f.Add(200, []byte(`{"result":`+s+`,"error":null,"id":1}`))
	}
	f.Add(500, []byte(`{"error":{"code":-8,"message":"\u0000"}}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		raw, err := parseReply(status, text)
		if err == nil {
			_, err = parseTemplate(raw)
		}
		if v, verdictErr := judge(raw, err); (verdictErr == nil) != (v == accepted) {
			t.Errorf("verdict %d, %v", v, verdictErr)
		}
		if err != nil && (len(err.Error()) > 4*maxMessage+200 || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
			t.Errorf("unfit for a log: %q", err)
		}
	})
}
