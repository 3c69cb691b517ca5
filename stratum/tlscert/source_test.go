package tlscert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, cfg Config) *Source {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fingerprint is that of the certificate which a handshake would get.
func fingerprint(t *testing.T, s *Source) string {
	t.Helper()
	cert, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Fingerprint(cert.Certificate[0])
}

// handshake connects to a server with the source's certificate.
func handshake(t *testing.T, s *Source, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	err = tls.Client(conn, client).Handshake()
	conn.Close()
	<-done
	return err
}

func TestSelfMade(t *testing.T) {
	c := newClock()
	file := filepath.Join(t.TempDir(), "stratum.pem")
	cfg := Config{SelfFile: file, Hosts: []string{"pool.example", "192.0.2.7", "::1"}, Now: c.Now}
	s := open(t, cfg)
	info := s.Info()
	if !info.SelfMade || !slices.Equal(info.Names, []string{"pool.example", "192.0.2.7", "::1"}) ||
		info.NotAfter.Sub(c.Now()) < 9*365*24*time.Hour || info.Fingerprint != fingerprint(t, s) {
		t.Errorf("%+v", info)
	}
	if st, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others may read the key", st.Mode(), err)
	}
	// It is kept over a restart, and replaced only at its end.
	if again := open(t, cfg); again.Info().Fingerprint != info.Fingerprint {
		t.Error("another certificate after a restart")
	}
	c.pass(lifetime - renewBefore - time.Hour)
	if fingerprint(t, s) != info.Fingerprint {
		t.Error("replaced too early")
	}
	c.pass(2 * time.Hour)
	renewed := fingerprint(t, s)
	if renewed == info.Fingerprint || s.Info().Fingerprint != renewed {
		t.Error("not replaced before its end")
	}
	if open(t, cfg).Info().Fingerprint != renewed {
		t.Error("the new one was not written")
	}
}

// TestVerification: a client that knows the file trusts it, for its names only, and one
// that does not know it does not.
func TestVerification(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stratum.pem")
	s := open(t, Config{SelfFile: file, Hosts: []string{"pool.example"}})
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	if !known.AppendCertsFromPEM(content) {
		t.Fatal("no certificate in the file")
	}
	for _, test := range []struct {
		name   string
		client *tls.Config
		good   bool
	}{
		{"known", &tls.Config{RootCAs: known, ServerName: "pool.example"}, true},
		{"known, TLS 1.2", &tls.Config{RootCAs: known, ServerName: "pool.example", MaxVersion: tls.VersionTLS12}, true},
		{"unchecked", &tls.Config{InsecureSkipVerify: true}, true},
		{"another name", &tls.Config{RootCAs: known, ServerName: "other.example"}, false},
		{"unknown", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "pool.example"}, false},
		{"TLS 1.1", &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		if err := handshake(t, s, test.client); (err == nil) != test.good {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// write puts a fresh certificate and its key into two files.
func write(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	content, err := create([]string{"own.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(content, []byte("-----BEGIN PRIVATE"))
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, part := range map[string][]byte{certFile: content[:i], keyFile: content[i:]} {
		if err := os.WriteFile(name, part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestReload: a renewed certificate is used without a restart, a damaged one never.
func TestReload(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	certFile, keyFile := write(t, dir)
	s := open(t, Config{CertFile: certFile, KeyFile: keyFile, Now: c.Now})
	first := fingerprint(t, s)
	age := func() { // a file system's clock may be coarse
		for _, name := range []string{certFile, keyFile} {
			when := time.Unix(c.Now().Unix(), 0)
			if err := os.Chtimes(name, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, dir)
	c.pass(lookEvery / 2)
	age()
	if fingerprint(t, s) != first {
		t.Error("read again too soon")
	}
	c.pass(lookEvery)
	second := fingerprint(t, s)
	if second == first {
		t.Error("not read again")
	}

	if err := os.WriteFile(keyFile, []byte("half of a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.pass(lookEvery)
	age()
	if fingerprint(t, s) != second {
		t.Error("a damaged key was taken")
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("Reload: %v", err)
	}
	write(t, dir)
	if err := s.Reload(); err != nil || fingerprint(t, s) == second {
		t.Errorf("Reload: %v", err)
	}
	if info := s.Info(); info.SelfMade || !slices.Equal(info.Names, []string{"own.example"}) {
		t.Errorf("%+v", info)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	certFile, _ := write(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "junk"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"together":   {CertFile: certFile},
		"key.pem":    {CertFile: certFile, KeyFile: filepath.Join(dir, "none", "key.pem")},
		"not a cert": {CertFile: dir, KeyFile: dir},
		"do not hold": {
			CertFile: certFile, KeyFile: certFile,
		},
		"junk":        {SelfFile: filepath.Join(dir, "junk")},
		"cannot make": {SelfFile: filepath.Join(dir, "none", "stratum.pem")},
	} {
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		// It makes no certificate, and does not ask for a file to be there that would be made.
		if err := Check(cfg); (err == nil) != (name == "cannot make") {
			t.Errorf("%s: Check: %v", name, err)
		}
	}
	if content, err := os.ReadFile(filepath.Join(dir, "junk")); err != nil || string(content) != "junk" {
		t.Error("a file that is no certificate was overwritten")
	}
}

// TestManyHandshakes: looking at the files does not disturb handshakes.
func TestManyHandshakes(t *testing.T) {
	c := newClock()
	s := open(t, Config{SelfFile: filepath.Join(t.TempDir(), "stratum.pem"), Now: c.Now})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.pass(lookEvery)
				if cert, err := s.GetCertificate(nil); err != nil || cert == nil {
					t.Error("no certificate")
				}
			}
		})
	}
	wg.Wait()
}

func TestHosts(t *testing.T) {
	hosts := Hosts([]string{"192.0.2.1:3333", "farm.example:1", "localhost:2", "nonsense"})
	for _, want := range []string{"localhost", "127.0.0.1", "::1", "192.0.2.1", "farm.example"} {
		if n := len(slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return h != want })); n != 1 {
			t.Errorf("%s is there %d times in %v", want, n, hosts)
		}
	}
	for _, all := range []string{":3333", "[::]:3333", "0.0.0.0:3333"} {
		if got := Hosts([]string{all}); slices.Contains(got, "::") || slices.Contains(got, "0.0.0.0") || slices.Contains(got, "") {
			t.Errorf("%s: %v", all, got)
		}
	}
}

func TestParseFingerprint(t *testing.T) {
	want := strings.Repeat("0a", 32)
	for _, text := range []string{want, strings.ToUpper(want), strings.Repeat("0A:", 31) + "0A", " " + want} {
		if got, err := ParseFingerprint(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", want[1:], want + "00", strings.Repeat("0g", 32)} {
		if _, err := ParseFingerprint(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
