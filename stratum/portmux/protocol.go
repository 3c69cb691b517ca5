package portmux

import (
	"bytes"
	"strings"
)

// Protocol is what a client speaks.
type Protocol uint8

// Protocols.
const (
	Unknown Protocol = iota
	Stratum          // a line of JSON
	TLS              // a handshake record
	HTTP             // a request of HTTP/1
	Proxy            // a header of the PROXY protocol, version 1 or 2
)

// String returns the protocol's name.
func (p Protocol) String() string {
	return [...]string{"unknown", "Stratum", "TLS", "HTTP", "PROXY"}[p]
}

// maxSniff is how many bytes tell the protocol at most: the longest signature, that of
// PROXY version 2, has 12 bytes.
const maxSniff = 16

// signatures of protocols that begin with fixed bytes. A TLS record begins with its type,
// handshake, and the major version of SSL 3 and everything since.
var signatures = []struct {
	bytes    string
	protocol Protocol
}{
	{"\x16\x03", TLS},
	{"PROXY ", Proxy},
	{"\r\n\r\n\x00\r\nQUIT\n", Proxy},
	{"GET ", HTTP}, {"HEAD ", HTTP}, {"POST ", HTTP}, {"PUT ", HTTP}, {"PATCH ", HTTP},
	{"DELETE ", HTTP}, {"OPTIONS ", HTTP}, {"TRACE ", HTTP}, {"CONNECT ", HTTP},
}

// Detect tells the protocol from the beginning of a connection. While more bytes are
// needed decided is false. It looks at maxSniff bytes, which are always enough.
func Detect(b []byte) (p Protocol, decided bool) {
	b = b[:min(len(b), maxSniff)]
	partial := false
	for _, s := range signatures {
		if bytes.HasPrefix(b, []byte(s.bytes)) {
			return s.protocol, true
		}
		partial = partial || strings.HasPrefix(s.bytes, string(b))
	}
	text := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(text) > 0 && text[0] == '{':
		return Stratum, true
	case len(text) == 0 && len(b) >= maxSniff:
		return Stratum, true // the session has limits for what is no message
	case len(text) == 0 || partial:
		return Unknown, false
	}
	return Unknown, true
}
