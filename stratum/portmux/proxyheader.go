package portmux

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/pires/go-proxyproto"
)

const (
	// maxHeaderV1 is the longest line of version 1, with its line feed, as the
	// specification works it out.
	maxHeaderV1 = 107
	// fixedHeaderV2 is the part of version 2 that has a fixed length, and ends with
	// that of the rest.
	fixedHeaderV2 = 16
	// maxHeaderV2 bounds a header of version 2. Addresses have 36 bytes; proxies may
	// add what they know of the client's TLS certificate, some 2 kB.
	maxHeaderV2 = fixedHeaderV2 + 4096
)

var errBadProxyHeader = errors.New("malformed PROXY header")

// readProxyHeader reads a header, the first bytes of which are read already. It returns
// what was read beyond it, and the client's address; nil: the proxy speaks for itself.
// The library parses what is whole only, so that a header may come in pieces.
func readProxyHeader(r io.Reader, b []byte) (client net.Addr, beyond []byte, err error) {
	for {
		length, err := proxyHeaderLength(b)
		if err != nil {
			return nil, nil, err
		}
		if length > 0 && len(b) >= length {
			client, err = parseProxyHeader(b[:length])
			return client, b[length:], err
		}
		if b, err = readMore(r, b, max(length, maxHeaderV1)); err != nil {
			return nil, nil, err
		}
	}
}

// readMore appends what comes, up to a length.
func readMore(r io.Reader, b []byte, limit int) ([]byte, error) {
	if cap(b) < limit {
		b = append(make([]byte, 0, limit), b...)
	}
	n, err := r.Read(b[len(b):limit])
	if n > 0 {
		err = nil
	}
	return b[:len(b)+n], err
}

// proxyHeaderLength returns how long a header is, 0 while that is not known.
func proxyHeaderLength(b []byte) (int, error) {
	if len(b) > 0 && b[0] == 'P' {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i + 1, nil
		}
		if len(b) >= maxHeaderV1 {
			return 0, errBadProxyHeader
		}
		return 0, nil
	}
	if len(b) < fixedHeaderV2 {
		return 0, nil
	}
	length := fixedHeaderV2 + int(binary.BigEndian.Uint16(b[fixedHeaderV2-2:]))
	if length > maxHeaderV2 {
		return 0, errBadProxyHeader
	}
	return length, nil
}

// parseProxyHeader parses a whole header.
func parseProxyHeader(b []byte) (net.Addr, error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), len(b)))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBadProxyHeader, err)
	case h.Command.IsLocal():
		return nil, nil // the proxy's own health check
	}
	client, _, ok := h.TCPAddrs()
	if !ok {
		return nil, nil // a client of which the proxy does not tell an address
	}
	return client, nil
}
