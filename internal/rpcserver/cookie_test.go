package rpcserver

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCookie(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".cookie")
	if err := os.WriteFile(path, []byte("left by a crash"), 0o644); err != nil {
		t.Fatal(err)
	}
	ts := startServer(t, func(c *Config) { c.User, c.Password, c.CookieFile = "", "", path })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("cookie %v, %v: want mode 0600", info.Mode(), err)
	}
	user, password, err := ReadCookie(path)
	if err != nil || user != CookieUser || len(password) != 2*cookieSecretSize {
		t.Fatalf("cookie %q:%q, %v", user, password, err)
	}
	login := func(r *http.Request) { r.SetBasicAuth(user, password) }
	if status, body := ts.post(t, uptimeCall, login); status != 200 {
		t.Errorf("with the cookie: %d, %s", status, body)
	}
	if status, _ := ts.post(t, uptimeCall, nil); status != 401 {
		t.Errorf("with another password: %d", status)
	}
	ts.end(t)
	if _, err := os.Stat(path); err == nil {
		t.Error("the cookie is still there")
	}
	if rest, _ := filepath.Glob(path + "*"); len(rest) > 0 {
		t.Errorf("files left behind: %q", rest)
	}
}

func TestCookieOfAnotherProcessStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".cookie")
	c, err := writeCookie(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x:y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the cookie of another process was removed")
	}
	os.Remove(path)
	if err := c.remove(); err != nil {
		t.Errorf("a cookie that is gone already: %v", err)
	}
}

func TestReadCookieErrors(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"":                       "is not a cookie file: it must hold user:password",
		"nocolon":                "must hold user:password",
		":x":                     "must hold user:password",
		"x:":                     "must hold user:password",
		strings.Repeat("x", 600): "larger than 512 bytes",
	} {
		path := filepath.Join(dir, "cookie")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadCookie(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %s", content, err, want)
		}
	}
}

// TestCookieThatStays: Run reports a cookie that it cannot remove.
func TestCookieThatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cookie")
	ts := startServer(t, func(c *Config) { c.User, c.Password, c.CookieFile = "", "", path })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // neither file nor missing
		t.Fatal(err)
	}
	ts.stop()
	if err := <-ts.done; err == nil {
		t.Error("no error")
	}
	ts.done <- nil // for the end of the test
}
