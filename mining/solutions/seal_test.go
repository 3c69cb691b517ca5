package solutions

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/mining"
)

// blockPath is where a block's file is.
func (f *fixture) blockPath(b *mining.SolvedBlock) string {
	return filepath.Join(f.dir, fileName(&Record{Hash: b.Share.ID(), Height: b.Share.Data.BitcoinHeight}))
}

// writeOld writes a block's file as the first version did, with the height given.
func (f *fixture) writeOld(b *mining.SolvedBlock, path string, height uint32) {
	f.Helper()
	raw := b.Raw.Bytes()
	line, err := json.Marshal(struct {
		Record
		Size  int    `json:"size"`
		CRC   uint32 `json:"crc32c"`
		Share string `json:"share,omitempty"`
	}{
		Record{Hash: b.Share.ID(), Height: height, Own: true, Worker: "rig", Status: Pending},
		len(raw), crc32.Checksum(raw, castagnoli), hex.EncodeToString(b.Share.Encode()),
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, append(append(line, '\n'), raw...), fileMode); err != nil {
		f.Fatal(err)
	}
}

// settle makes the node's chain so long that any block on it is there for good, and looks.
func (f *fixture) settle(blocks int) {
	f.Helper()
	f.fake.Mine(blocks)
	f.pass(time.Hour)
	f.Refresh(f.Context())
	f.writers.Wait()
}

// TestOldFiles: files of the first version are still read.
func TestOldFiles(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.writeOld(b, f.blockPath(b), 1)
	history := fmt.Sprintf(`{"version":1,"blocks":[{"hash":"%v","height":1,"own":true,"worker":"name","status":"pending"}]}`, b.Share.ID())
	if err := os.WriteFile(filepath.Join(f.dir, historyFile), []byte(history), fileMode); err != nil {
		t.Fatal(err)
	}
	f.open()
	if r := f.check(Pending, 0, false); r.Worker != "name" || !r.Own {
		t.Errorf("%+v", r)
	}
	f.check(Accepted, 1, false)
	if left := f.LeftShares(); len(left) != 1 {
		t.Errorf("%d shares", len(left))
	}
}

// TestWrongHeight: a block isn't given up because of a height that isn't its own, whoever
// has it wrong.
func TestWrongHeight(t *testing.T) {
	f := newFixture(t)
	f.fake.Mine(50)
	f.away.Mine(300) // a better chain, still unknown
	b := f.solve(true)
	f.writeOld(b, f.blockPath(b), 101)
	f.open()
	f.settle(160)
	if r := f.List(1)[0]; r.Height != 301 || r.Status != Pending || r.Final {
		t.Errorf("%+v", r)
	}
	if n := f.fake.Calls("submitblock"); n != 1 {
		t.Errorf("submitted %d times", n)
	}
	if err := os.Remove(f.blockPath(b)); err != nil {
		t.Fatal(err)
	}

	// Line and name are wrong.
	f.writeOld(b, filepath.Join(f.dir, fileName(&Record{Hash: b.Share.ID(), Height: 101})), 101)
	if err := os.Remove(filepath.Join(f.dir, historyFile)); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.settle(1)
	if list := f.List(1); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	f.wantFiles(0)
	if names, _ := f.files(); len(names) != 1 || !strings.HasSuffix(names[0], badSuffix) { // for people to look at
		t.Errorf("files %v", names)
	}

	// The history is wrong, the file isn't.
	f.writeOld(b, f.blockPath(b), 301)
	history := fmt.Sprintf(`{"version":1,"blocks":[{"hash":"%v","height":101,"own":true,"status":"orphaned","final":true}]}`, b.Share.ID())
	if err := os.WriteFile(filepath.Join(f.dir, historyFile), []byte(history), fileMode); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.settle(1)
	if r := f.List(1)[0]; r.Height != 301 || r.Status != Pending || r.Final {
		t.Errorf("%+v", r)
	}
	if n := f.fake.Calls("submitblock"); n != 2 {
		t.Errorf("submitted %d times", n)
	}
}

// TestFlippedHeight: one bit of the line is enough to notice.
func TestFlippedHeight(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	content, err := os.ReadFile(f.blockPath(b))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"height":`, `"value":`, `"share":"`} {
		damaged := bytes.Clone(content)
		damaged[bytes.Index(content, []byte(field))+len(field)] ^= 2
		if _, _, err := decodeFile(damaged); err == nil || err.Error() != "damaged block" {
			t.Errorf("%s: %v", field, err)
		}
	}

	// The block is used all the same, whatever bit it is, but not a block that is damaged.
	for i := 0; i < len(content); i += 7 {
		damaged := bytes.Clone(content)
		damaged[i] ^= 2
		l, block, ok := salvage(filepath.Base(f.blockPath(b)), damaged)
		if inLine := i < len(content)-len(b.Raw.Bytes()); ok != inLine {
			t.Fatalf("byte %d: salvaged: %v", i, ok)
		}
		if ok && (l.Hash != b.Share.ID() || l.Height != 1 || l.Value != 50e8 || !bytes.Equal(block, b.Raw.Bytes())) {
			t.Fatalf("byte %d: %+v", i, l)
		}
	}
	for i := 0; i < len(content); i += 7 {
		if _, _, ok := salvage(filepath.Base(f.blockPath(b)), content[:i]); ok {
			t.Fatalf("the first %d bytes of %d taken", i, len(content))
		}
	}
	content[bytes.Index(content, []byte(`"height":`))+9] ^= 2
	if err := os.WriteFile(f.blockPath(b), content, fileMode); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.pass(time.Hour)
	f.check(Pending, 0, false)
	f.check(Accepted, 1, false)

	// A record of the history that is damaged goes, the others stay.
	text, err := formatHistory([]Record{{Status: Pending, Height: 301}, {Status: Matured, Height: 5}})
	if err != nil {
		t.Fatal(err)
	}
	records, err := parseHistory(bytes.Replace(text, []byte("301"), []byte("101"), 1))
	if err == nil || len(records) != 1 || records[0].Height != 5 {
		t.Errorf("%+v, %v", records, err)
	}
}
