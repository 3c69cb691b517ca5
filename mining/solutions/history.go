package solutions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// maxRecords bounds the blocks that are remembered, the oldest final ones go first.
	// A pool with a block a day needs 13 years for that.
	maxRecords = 5_000

	// maxHistory bounds the history file, in bytes: 500 for each record, and room for
	// long names.
	maxHistory = 8 << 20

	historyFile    = "history.json"
	historyVersion = 2 // 1 had no checksums
)

// history is the content of the history file.
type history struct {
	Version int               `json:"version"`
	Blocks  []json.RawMessage `json:"blocks"`
}

// parseHistory reads the history file. Records that can't be read are left out, and
// counted in the error.
func parseHistory(b []byte) ([]Record, error) {
	var h history
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	if h.Version < 1 || h.Version > historyVersion {
		return nil, fmt.Errorf("version %d, want %d", h.Version, historyVersion)
	}
	if len(h.Blocks) > maxRecords {
		return nil, fmt.Errorf("%d blocks, at most %d", len(h.Blocks), maxRecords)
	}
	var records []Record
	var bad []error
	for _, raw := range h.Blocks {
		r, err := parseRecord(raw)
		if err == nil && h.Version > 1 && !sealed(raw) {
			err = fmt.Errorf("block %v has a wrong checksum", r.Hash)
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		records = append(records, r)
	}
	if bad != nil {
		return records, fmt.Errorf("%d records can't be read, the first: %w", len(bad), bad[0])
	}
	return records, nil
}

// formatHistory is the reverse, with a line for each block.
func formatHistory(records []Record) ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "{\"version\":%d,\"blocks\":[", historyVersion)
	for i := range records {
		line, err := json.Marshal(&records[i])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.WriteByte('\n')
		buf.Write(seal(line))
	}
	buf.WriteString("\n]}\n")
	return buf.Bytes(), nil
}

// loadHistory reads the history of a directory; a missing one is empty. A damaged file is
// put aside, so that it can be looked at.
func loadHistory(dir string) ([]Record, error) {
	path := filepath.Join(dir, historyFile)
	b, err := readLimited(path, maxHistory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var records []Record
	if err == nil {
		records, err = parseHistory(b)
	}
	if err == nil {
		return records, nil
	}
	aside := path + ".bad"
	if renameErr := os.Rename(path, aside); renameErr != nil {
		return records, errors.Join(err, renameErr)
	}
	return records, fmt.Errorf("%w; the file is now %s", err, aside)
}
