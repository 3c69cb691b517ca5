package payee

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

const (
	// fileVersion is the form of the file.
	fileVersion = 1
	// maxFile bounds what is read of it, in bytes: MaxSources+maxKept entries of some 80.
	maxFile = 64 << 10
	// maxKept bounds the descriptors that are remembered although they are not in use: who
	// comes back to one goes on where he was.
	maxKept = 100
	// idLength is that of Descriptor.ID.
	idLength = 16
)

// state is the content of the file.
type state struct {
	Version     int     `json:"version"`
	Descriptors []entry `json:"descriptors"`
}

// errDamaged means that the file is not as it was written.
var errDamaged = errors.New("the file is damaged")

// decode reads the content of the file.
func decode(b []byte) ([]entry, error) {
	var s state
	if err := json.Unmarshal(b, &s); err != nil || s.Version != fileVersion || len(s.Descriptors) > MaxSources+maxKept {
		return nil, errDamaged
	}
	for i := range s.Descriptors {
		e := &s.Descriptors[i]
		if len(e.ID) != idLength || e.Index > MaxIndex {
			return nil, errDamaged
		}
	}
	return s.Descriptors, nil
}

// load reads the file.
func (p *Payees) load() {
	entries, err := p.read()
	if err != nil {
		p.cfg.Log.Warnf("Payout addresses begin with the first of each descriptor again: %v", err)
		return
	}
	for _, e := range entries {
		used := false
		for _, s := range p.sources {
			if s.descriptor == nil || s.ID != e.ID || !s.ranged() {
				continue
			}
			used = true
			if err := s.use(e.Index); err != nil {
				p.cfg.Log.Warnf("The %v begins with its first address again: %v", s, err)
				continue
			}
			s.Since, s.Paid = e.Since, e.Paid && s.Index == e.Index
		}
		if !used && !slices.ContainsFunc(p.kept, func(k entry) bool { return k.ID == e.ID }) {
			p.kept = append(p.kept, e)
		}
	}
}

// read returns what the file holds, nothing if there is none. A damaged one is renamed.
func (p *Payees) read() ([]entry, error) {
	path := p.cfg.File
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	entries, err := decode(b)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), os.Rename(path, path+".damaged"))
	}
	return entries, nil
}

// state returns what to write. It MUST be called with both locks held.
func (p *Payees) state() state {
	s := state{Version: fileVersion}
	for _, source := range p.sources {
		if source.ranged() {
			s.Descriptors = append(s.Descriptors, source.entry)
		}
	}
	s.Descriptors = append(s.Descriptors, p.kept[:min(len(p.kept), maxKept)]...)
	return s
}

// save writes the file. It MUST be called with fileMu held.
func (p *Payees) save(s state) {
	if p.cfg.File == "" {
		return
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = atomicfile.Write(p.cfg.File, append(b, '\n'))
	}
	if err != nil {
		p.cfg.Log.Errorf("The payout addresses in use cannot be remembered: %v", err)
	}
}
