package tlscert

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/decred/slog"
)

const (
	// lookEvery is the least time between two looks at the files. Programs that renew
	// certificates do it days before the old ones expire.
	lookEvery = time.Minute
	// warnBefore is how long before the end of the operator's certificate the log
	// begins to tell: who renews automatically has done it by then.
	warnBefore = 14 * 24 * time.Hour
	// maxFile bounds certificate and key files, in bytes. Chains have some 10 kB.
	maxFile = 1 << 20
)

// Config says which certificate to use.
type Config struct {
	// CertFile and KeyFile hold the operator's certificate, with the chain behind it,
	// and its key, in PEM. They may be the same file. Both empty: the node makes one.
	CertFile, KeyFile string
	// SelfFile is where the node keeps the certificate and the key that it made.
	SelfFile string
	// Hosts are the names and IP addresses that a made certificate is good for.
	Hosts []string
	// Now is time.Now if it is nil.
	Now func() time.Time
	// Log may be nil.
	Log slog.Logger
}

// Source gives handshakes the newest certificate.
type Source struct {
	cfg     Config
	current atomic.Pointer[loaded]
	looked  atomic.Int64 // Unix seconds of the last look at the files

	mu sync.Mutex // held while files are read or written
}

// loaded is a certificate as it was read. It is not changed any more.
type loaded struct {
	cert  *tls.Certificate
	stamp stamp
}

// Info describes the certificate in use.
type Info struct {
	Fingerprint string    // SHA-256 of the certificate, 64 hex digits in lower case
	NotAfter    time.Time // its end
	Names       []string  // names and addresses that it is good for
	SelfMade    bool      // by this node
}

// Open reads the certificate, or makes it if it is the node's own and there is none that
// lasts. The error says what is wrong with the files.
func Open(cfg Config) (*Source, error) {
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, errors.New("certificate and key must be given together")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	s := &Source{cfg: cfg}
	return s, s.Reload()
}

// Check reads the files like Open, but makes none: one that is still to be made is no
// error.
func Check(cfg Config) error {
	s := &Source{cfg: cfg}
	_, err := s.read()
	if s.selfMade() && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// selfMade reports whether the node makes the certificate.
func (s *Source) selfMade() bool { return s.cfg.CertFile == "" }

// Reload reads the files again, and makes a new certificate if the node's own has come
// to its end. If it fails the one in use stays.
func (s *Source) Reload() error {
	apply, err := s.Prepare()
	if err == nil {
		apply()
	}
	return err
}

// Prepare is Reload, but the certificate comes into use only when apply is called. One that
// the node makes is in its file before.
func (s *Source) Prepare() (apply func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.fetch()
	if err != nil {
		return nil, err
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.use(next)
	}, nil
}

// reload MUST be called with the mutex held.
func (s *Source) reload() error {
	next, err := s.fetch()
	if err == nil {
		s.use(next)
	}
	return err
}

// fetch reads or makes the certificate to use. It MUST be called with the mutex held.
func (s *Source) fetch() (*loaded, error) {
	s.looked.Store(s.cfg.Now().Unix())
	stamp := s.stamp()
	cert, err := s.read()
	if s.selfMade() && (err != nil || s.ends(cert)) {
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			// What cannot be read may be somebody's: it is not overwritten.
			return nil, err
		}
		if cert, err = s.renew(); err == nil {
			stamp = s.stamp()
		}
	}
	if err != nil {
		return nil, err
	}
	return &loaded{cert, stamp}, nil
}

// use gives a certificate to the handshakes from now on.
func (s *Source) use(next *loaded) {
	if old := s.current.Load(); old == nil || Fingerprint(old.cert.Certificate[0]) != Fingerprint(next.cert.Certificate[0]) {
		s.announce(next.cert)
	}
	s.current.Store(next)
}

// announce logs a certificate that comes into use.
func (s *Source) announce(cert *tls.Certificate) {
	end := cert.Leaf.NotAfter
	s.cfg.Log.Infof("TLS certificate for miners has the SHA-256 fingerprint %s and is valid until %s",
		Fingerprint(cert.Certificate[0]), end.UTC().Format(time.DateOnly))
	if left := end.Sub(s.cfg.Now()); left < warnBefore {
		s.cfg.Log.Warnf("The TLS certificate in %s ends in %v: renew it", s.cfg.CertFile, max(0, left).Round(time.Hour))
	}
}

// read reads certificate and key.
func (s *Source) read() (*tls.Certificate, error) {
	certFile, keyFile := s.cfg.CertFile, s.cfg.KeyFile
	if s.selfMade() {
		certFile, keyFile = s.cfg.SelfFile, s.cfg.SelfFile
	}
	certPEM, err := readFile(certFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readFile(keyFile)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s do not hold a certificate and its key in PEM: %w", certFile, keyFile, err)
	}
	return &cert, nil
}

// readFile reads a file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a certificate file", path)
	}
	return os.ReadFile(path)
}

// stamp tells versions of the files apart.
type stamp [2]struct {
	changed time.Time
	size    int64
}

func (s *Source) stamp() (st stamp) {
	files := []string{s.cfg.CertFile, s.cfg.KeyFile}
	if s.selfMade() {
		files = []string{s.cfg.SelfFile}
	}
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			st[i].changed, st[i].size = info.ModTime(), info.Size()
		}
	}
	return st
}

// TLSConfig returns the configuration for servers.
func (s *Source) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.GetCertificate}
}

// GetCertificate is for tls.Config. Now and then it has a look whether the files have
// changed.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.look()
	return s.current.Load().cert, nil
}

// look reads the files again if they have changed, at most once in lookEvery. Whoever
// comes while another looks does not wait.
func (s *Source) look() {
	now, last := s.cfg.Now().Unix(), s.looked.Load()
	if now-last < int64(lookEvery/time.Second) || !s.looked.CompareAndSwap(last, now) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.current.Load()
	if s.stamp() == current.stamp && !(s.selfMade() && s.ends(current.cert)) {
		return
	}
	if err := s.reload(); err != nil {
		s.cfg.Log.Warnf("The TLS certificate for miners stays as it was: %v", err)
		// The log tells once of each version of the files.
		s.current.Store(&loaded{current.cert, s.stamp()})
	}
}

// Info describes the certificate in use.
func (s *Source) Info() Info {
	cert := s.current.Load().cert
	info := Info{Fingerprint: Fingerprint(cert.Certificate[0]), NotAfter: cert.Leaf.NotAfter, SelfMade: s.selfMade()}
	info.Names = append(info.Names, cert.Leaf.DNSNames...)
	for _, ip := range cert.Leaf.IPAddresses {
		info.Names = append(info.Names, ip.String())
	}
	return info
}

// Fingerprint is the SHA-256 of a certificate in DER, in hex.
func Fingerprint(der []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(der))
}

// ParseFingerprint returns a fingerprint in the form of Fingerprint, of one that may be
// written with colons, spaces and capital letters, as other programs do.
func ParseFingerprint(text string) (string, error) {
	f := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(text))
	if len(f) != 2*sha256.Size || strings.Trim(f, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not the SHA-256 fingerprint of a certificate, which has 64 hex digits", text)
	}
	return f, nil
}
