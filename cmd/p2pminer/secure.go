package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/p2poold/p2poold/stratum/tlscert"
)

// trust says which servers an encrypted connection may lead to. The zero value asks the
// authorities that the system trusts.
type trust struct {
	roots       *x509.CertPool // of --cafile; nil: the system's
	fingerprint string         // of --fingerprint; empty: any
	anybody     bool           // --insecure
}

// parseTrust reads the options about the server's certificate.
func (o *options) parseTrust() (t trust, err error) {
	given := 0
	for _, set := range []bool{o.CAFile != "", o.Fingerprint != "", o.Insecure} {
		if set {
			given++
		}
	}
	if given > 1 {
		return t, errors.New("--cafile, --fingerprint and --insecure exclude each other")
	}
	t.anybody = o.Insecure
	if o.Fingerprint != "" {
		if t.fingerprint, err = tlscert.ParseFingerprint(o.Fingerprint); err != nil {
			return t, fmt.Errorf("--fingerprint: %w", err)
		}
	}
	if o.CAFile != "" {
		content, err := os.ReadFile(o.CAFile)
		if err != nil {
			return t, fmt.Errorf("--cafile: %w", err)
		}
		if t.roots = x509.NewCertPool(); !t.roots.AppendCertsFromPEM(content) {
			return t, fmt.Errorf("--cafile: %s holds no certificate in PEM", o.CAFile)
		}
	}
	return t, nil
}

// config returns what a client with this trust needs to connect to addr, host:port.
func (t *trust) config(addr string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: t.roots}
	switch {
	case t.anybody:
		cfg.InsecureSkipVerify = true
	case t.fingerprint != "":
		cfg.InsecureSkipVerify = true // instead of which:
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			if got := tlscert.Fingerprint(state.PeerCertificates[0].Raw); got != t.fingerprint {
				return fmt.Errorf("%w: its certificate has the fingerprint %s, not that of --fingerprint", errDistrusted, got)
			}
			return nil
		}
	}
	return cfg, nil
}

// errDistrusted wraps what is wrong with the server's certificate. It will not pass, and
// may be somebody between us and the server.
var errDistrusted = errors.New("the server is not trusted")

// dialTLS connects to a server that is trusted.
func (t *trust) dialTLS(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
	cfg, err := t.config(addr)
	if err != nil {
		return nil, err
	}
	conn, err := (&tls.Dialer{NetDialer: d, Config: cfg}).DialContext(ctx, "tcp", addr)
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(refused.UnverifiedCertificates) > 0 {
		sum := sha256.Sum256(refused.UnverifiedCertificates[0].Raw)
		return nil, fmt.Errorf("%w: %w; if the server is yours, compare the fingerprint with what its p2pctl getstratuminfo shows and give --fingerprint=%x", errDistrusted, err, sum)
	}
	if err != nil && strings.Contains(err.Error(), "first record does not look like a TLS handshake") {
		return nil, fmt.Errorf("%w: the server does not encrypt there", err)
	}
	return conn, err
}
