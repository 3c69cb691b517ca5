package tlscert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

const (
	// lifetime is how long a made certificate lasts. Miners that know its fingerprint
	// have to be told of a new one, so it should outlive them.
	lifetime = 10 * 365 * 24 * time.Hour
	// renewBefore is how long before its end it is replaced.
	renewBefore = 30 * 24 * time.Hour
	// backdate is for miners whose clock is slow.
	backdate = 24 * time.Hour
	// maxHosts bounds the names in a certificate, which each handshake sends.
	maxHosts = 32
)

// ends reports whether a made certificate has to be replaced.
func (s *Source) ends(cert *tls.Certificate) bool {
	return s.cfg.Now().After(cert.Leaf.NotAfter.Add(-renewBefore))
}

// renew makes a certificate and writes it, with its key.
func (s *Source) renew() (*tls.Certificate, error) {
	content, err := create(s.cfg.Hosts, s.cfg.Now())
	if err == nil {
		err = atomicfile.Write(s.cfg.SelfFile, content)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate: %w", err)
	}
	return s.read()
}

// create returns a certificate for hosts, signed by itself, and its key, in PEM.
// ECDSA on P-256 is what all TLS 1.2 clients know and what costs the node least.
func create(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), // positive, says RFC 5280
		Subject:      pkix.Name{CommonName: "p2poold"},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts[:min(len(hosts), maxHosts)] {
		if ip, err := netip.ParseAddr(host); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.WithZone("").AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	for _, block := range []pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := pem.Encode(&file, &block); err != nil {
			return nil, err
		}
	}
	return file.Bytes(), nil
}
