package banman

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

// The file is JSON, with its members in this order, a line for each entry:
//
//	{"version":1,"bans":[
//	{"address":"192.0.2.0/24","created":1767225600,"until":1767312000,"reason":"…"},
//	{"address":"198.51.100.7","automatic":true,"created":…
//	]}
const (
	fileVersion = 1
	// maxLine is the length of the longest entry: a reason of which each character
	// is escaped, a Tor address of 62, two times of 12 digits, 65 for all else.
	maxLine = 2*MaxReason + 62 + 2*12 + 65
	// maxFile bounds what is read: both tables full, 10 MB.
	maxFile = (MaxManual+MaxAutomatic)*maxLine + 1024
)

// ErrDamaged is wrapped by the errors of Load about a file that is not as it was
// written.
var ErrDamaged = errors.New("the file is damaged")

// row is an entry in the file.
type row struct {
	Address   string `json:"address"`
	Automatic bool   `json:"automatic,omitempty"`
	Created   int64  `json:"created"` // Unix seconds
	Until     int64  `json:"until"`   // Unix seconds
	Reason    string `json:"reason"`
}

// Load returns the list in cfg.Path, an empty one if there is no such file yet. If
// the file cannot be read or is damaged, it returns an empty list and the error: a
// list of bans is no reason not to start. The file is renamed to path + ".damaged"
// then, so that Save does not overwrite it.
func Load(cfg Config) (*Manager, error) {
	m := New(cfg)
	if cfg.Path == "" {
		return m, nil
	}
	f, err := os.Open(cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	var entries []Entry
	if err == nil {
		entries, err = decode(f)
		f.Close()
	}
	if err == nil {
		err = m.restore(entries)
	}
	if err != nil {
		return New(cfg), errors.Join(fmt.Errorf("%s: %w", cfg.Path, err), os.Rename(cfg.Path, cfg.Path+".damaged"))
	}
	return m, nil
}

// restore fills an empty list with the entries of a file. No discouragement lasts
// longer than one that began now: the option may have changed, or the clock have
// been put right.
func (m *Manager) restore(entries []Entry) error {
	now := m.now()
	latest := wholeSeconds(now.Add(m.cfg.Duration))
	for i := range entries {
		if e := &entries[i]; e.Automatic && e.Until.After(latest) {
			e.Until = latest
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.Until.Compare(b.Until) })
	for _, e := range entries {
		t := &m.manual
		if e.Automatic {
			t = &m.automatic
		}
		t.put(e) // of several about one subject the one that ends last stays
	}
	m.sweep(now)
	for m.automatic.len() > MaxAutomatic {
		m.automatic.dropFirst()
	}
	if n := m.manual.len(); n > MaxManual {
		return fmt.Errorf("%w: it has %d bans, at most %d are allowed", ErrDamaged, n, MaxManual)
	}
	return nil
}

// decode reads a file. Each entry is checked before the next is read.
func decode(r io.Reader) ([]Entry, error) {
	dec := json.NewDecoder(io.LimitReader(r, maxFile+1))
	dec.DisallowUnknownFields()
	for _, want := range []any{json.Delim('{'), "version", float64(fileVersion), "bans", json.Delim('[')} {
		if err := expect(dec, want); err != nil {
			return nil, err
		}
	}
	var entries []Entry
	for dec.More() {
		var line row
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrDamaged, len(entries)+1, err)
		}
		e, err := line.entry()
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrDamaged, len(entries)+1, err)
		}
		if entries = append(entries, e); len(entries) > MaxManual+MaxAutomatic {
			return nil, fmt.Errorf("%w: it has more than %d entries", ErrDamaged, MaxManual+MaxAutomatic)
		}
	}
	for _, want := range []any{json.Delim(']'), json.Delim('}')} {
		if err := expect(dec, want); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != io.EOF || dec.InputOffset() > maxFile {
		return nil, fmt.Errorf("%w: it is too long", ErrDamaged)
	}
	return entries, nil
}

// expect reads a token that must be there.
func expect(dec *json.Decoder, want any) error {
	got, err := dec.Token()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w where %v belongs", ErrDamaged, err, want)
	case got != want:
		return fmt.Errorf("%w: %.40q where %v belongs; another version of p2poold may have written it", ErrDamaged, fmt.Sprint(got), want)
	}
	return nil
}

// entry checks a row.
func (r *row) entry() (Entry, error) {
	s, err := Parse(r.Address)
	switch {
	case err != nil:
		return Entry{}, err
	case r.Created < 0 || r.Created > lastTime || r.Until < 0 || r.Until > lastTime:
		return Entry{}, errors.New("a time is out of range")
	case r.Reason != tidy(r.Reason):
		return Entry{}, fmt.Errorf("the reason is not printable or has more than %d bytes", MaxReason)
	}
	return Entry{
		Subject: s, Automatic: r.Automatic, Created: time.Unix(r.Created, 0), Until: time.Unix(r.Until, 0), Reason: r.Reason,
	}, nil
}

// Save writes the list into its file if it has changed since the last time.
// Whenever the machine stops, the file has the old content or the new one.
func (m *Manager) Save() error {
	m.saving.Lock()
	defer m.saving.Unlock()
	m.mu.Lock()
	if !m.changed || m.cfg.Path == "" {
		m.mu.Unlock()
		return nil
	}
	m.changed = false
	entries := m.list()
	m.mu.Unlock()
	err := atomicfile.Write(m.cfg.Path, encode(entries))
	if err != nil {
		m.mu.Lock()
		m.changed = true
		m.mu.Unlock()
	}
	return err
}

// encode returns the content of the file.
func encode(entries []Entry) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	fmt.Fprintf(&b, "{\"version\":%d,\"bans\":[\n", fileVersion)
	for i, e := range entries {
		if i > 0 {
			b.Truncate(b.Len() - 1) // the line feed of Encode
			b.WriteString(",\n")
		}
		// It fails for values only that a row does not have.
		_ = enc.Encode(row{e.Subject.String(), e.Automatic, e.Created.Unix(), e.Until.Unix(), e.Reason})
	}
	b.WriteString("]}\n")
	return b.Bytes()
}
