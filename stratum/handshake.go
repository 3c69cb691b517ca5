package stratum

import (
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

// Limits of one configure.
const (
	// maxExtensions bounds the extensions; four exist.
	maxExtensions = 16
	// maxExtension bounds the name of one that is answered, in bytes of JSON: the longest
	// of those four has 21. A client has no use for the answer to what nobody knows, and
	// nobody shall make us say whatever he likes.
	maxExtension = 64
)

// subscribe answers with our half of the extranonce and the session's id, which a client
// names when it connects again. Asking twice gives the same answer twice.
func (s *session) subscribe(params [][]byte) string {
	if ua, ok := stringValue(arg(params, 0)); ok && !s.ready {
		s.userAgent = printable(string(ua), maxUserAgent)
		s.identify()
	}
	if !s.subscribed {
		s.resume()
	}
	s.subscribed = true
	id := hex.EncodeToString(s.id[:])
	return `[[["mining.set_difficulty","` + id + `"],["mining.notify","` + id + `"]],"` +
		string(appendUint32(nil, s.extranonce1)) + `",` + strconv.Itoa(extranonce2Size) + `]`
}

// identify looks up what is known of the client's device.
func (s *session) identify() {
	s.device = s.adjusted().devices.For(s.userAgent)
	if !s.classAsked {
		s.class = s.device.Class
	}
	s.atLeast(0)
	if s.device.Start > 0 {
		s.begin(byDevice, s.device.Start, time.Time{})
	}
}

// configure negotiates the extensions of BIP 310: one answer for each that the
// client names, in its order. Names that are too long get none.
func (s *session) configure(params [][]byte) (string, *stratumError) {
	var extensions []json.RawMessage
	if json.Unmarshal(arg(params, 0), &extensions) != nil || len(extensions) > maxExtensions {
		return resultNull, errBadParams
	}
	var options map[string]json.RawMessage
	if raw := arg(params, 1); raw != nil && json.Unmarshal(raw, &options) != nil {
		return resultNull, errBadParams
	}
	var b strings.Builder
	b.WriteByte('{')
	answered := make(map[string]bool)
	for _, raw := range extensions {
		name, ok := stringValue(raw)
		if !ok {
			return resultNull, errBadParams
		}
		if len(raw) > maxExtension || answered[string(name)] {
			continue // an object has each key once
		}
		answered[string(name)] = true
		if len(answered) > 1 {
			b.WriteByte(',')
		}
		b.Write(raw)
		b.WriteByte(':')
		b.WriteString(s.extension(string(name), options))
	}
	b.WriteByte('}')
	return b.String(), nil
}

// extension turns one extension on and returns its value in the answer, with
// what further members it brings.
func (s *session) extension(name string, options map[string]json.RawMessage) string {
	switch name {
	case "version-rolling":
		mask, ok := negotiateMask(options)
		if !ok {
			return resultFalse
		}
		s.mask = mask
		return `true,"version-rolling.mask":"` + string(appendUint32(nil, mask)) + `"`
	case "minimum-difficulty":
		d, ok := parseDifficulty(options["minimum-difficulty.value"])
		if !ok {
			return resultFalse
		}
		s.atLeast(d)
		// The minimum is kept to as far as possible, but true would be a promise for
		// as long as the connection lives. The share's difficulty caps the device's,
		// or shares would be lost, and falls with the pool's hashrate, to whatever
		// depth: only what the easiest target keeps to can be promised.
		if d > easiestDifficulty {
			return resultFalse
		}
		return resultTrue
	case "subscribe-extranonce", "info":
		return resultTrue
	}
	return resultFalse
}

// negotiateMask intersects the client's mask, all bits if it names none, with
// ours. It fails if fewer bits are left than the client needs, or none.
func negotiateMask(options map[string]json.RawMessage) (uint32, bool) {
	mask := versionMask
	if raw, given := options["version-rolling.mask"]; given {
		text, _ := stringValue(raw)
		client, ok := parseHex32(text)
		if !ok {
			return 0, false
		}
		mask &= client
	}
	needed := 1
	if raw, given := options["version-rolling.min-bit-count"]; given {
		if text, ok := stringValue(raw); ok {
			raw = text
		}
		n, err := strconv.Atoi(string(raw))
		if err != nil {
			return 0, false
		}
		needed = max(needed, n)
	}
	return mask, bits.OnesCount32(mask) >= needed
}

// suggest starts vardiff over at the difficulty that the client asks for. The
// client gets it with its next job, within a second.
func (s *session) suggest(raw []byte, now time.Time) (string, *stratumError) {
	d, ok := parseDifficulty(raw)
	if !ok {
		return resultNull, errBadParams
	}
	s.suggested(d, now)
	return resultTrue, nil
}

// suggestTarget is suggest with a 256-bit target in hex, most significant byte
// first.
func (s *session) suggestTarget(raw []byte, now time.Time) (string, *stratumError) {
	text, _ := stringValue(raw)
	var b [32]byte
	if len(text) != hex.EncodedLen(len(b)) {
		return resultNull, errBadParams
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return resultNull, errBadParams
	}
	var t uint256.Uint256
	if t.SetBytes(&b); t.IsZero() {
		return resultNull, errBadParams
	}
	s.suggested(min(target.Difficulty(&t), maxSuggested), now)
	return resultTrue, nil
}

func (s *session) suggested(d float64, now time.Time) {
	if !s.ready {
		now = time.Time{} // counting begins with the first job
	}
	s.begin(byClient, d, now)
}

// parseHex32 reads one to eight hex digits. Short values are padded with zeros
// on the left: some firmware prints numbers without them.
func parseHex32(text []byte) (uint32, bool) {
	if len(text) == 0 || len(text) > 8 {
		return 0, false
	}
	var v uint32
	for _, c := range text {
		var digit byte
		switch {
		case c >= '0' && c <= '9':
			digit = c - '0'
		case c >= 'a' && c <= 'f':
			digit = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			digit = c - 'A' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(digit)
	}
	return v, true
}
