package solutions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// TestUnwritable: a directory that can't be written costs no block its submission, and
// Health says so until it can be written again.
func TestUnwritable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions")
	}
	f := newFixture(t)
	f.dir = filepath.Join(t.TempDir(), "file", "blocks-found")
	if err := os.WriteFile(filepath.Dir(f.dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.open()
	if h := f.Health(); !strings.Contains(h, f.dir) || !strings.Contains(h, "not a directory") {
		t.Errorf("health %q", h)
	}
	start := time.Now()
	f.submit(f.solve(true))
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	f.check(Accepted, 1, false)
	if f.Health() == "" {
		t.Error("healthy")
	}
	if err := os.Remove(filepath.Dir(f.dir)); err != nil {
		t.Fatal(err)
	}
	f.pass(lookInterval)
	f.check(Accepted, 1, false)
	if h := f.Health(); h != "" {
		t.Errorf("still %q", h)
	}
	f.check(Accepted, 1, false)                                     // the history was perhaps saved before the directory was back
	if names, blocks := f.files(); len(names) != 2 || blocks != 1 { // and the history
		t.Errorf("files %v", names)
	}
}

// TestFullDisk: a write that fails half-way leaves no half of a block.
func TestFullDisk(t *testing.T) {
	f := newFixture(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	full.Close()
	b := f.solve(true)
	r := Record{Hash: b.Share.ID(), Height: 1}
	if err := os.Symlink("/dev/full", filepath.Join(f.dir, fileName(&r)+newSuffix)); err != nil {
		t.Fatal(err)
	}
	f.Keep(b)
	f.writers.Wait()
	if h := f.Health(); !strings.Contains(h, "no space left") {
		t.Errorf("health %q", h)
	}
	f.wantFiles(0)
}

// TestHangingDisk: the submission waits for a disk no longer than it should, and blocks
// don't pile up.
func TestHangingDisk(t *testing.T) {
	f := newFixture(t)
	for range maxWriting {
		f.writing <- struct{}{} // as if that many writes hung
	}
	start := time.Now()
	f.Keep(f.solve(true))
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
	if h := f.Health(); !strings.Contains(h, "wait for the disk") {
		t.Errorf("health %q", h)
	}
	for range maxWriting {
		<-f.writing
	}

	// A named pipe hangs whoever opens it until there is a reader.
	b := f.solve(true)
	r := Record{Hash: b.Share.ID(), Height: b.Share.Data.BitcoinHeight}
	path := filepath.Join(f.dir, fileName(&r)+newSuffix)
	if err := makePipe(path); err != nil {
		t.Skip(err)
	}
	for range 2 { // a second submission waits for the same file
		start = time.Now()
		f.Keep(b)
		if d := time.Since(start); d < writtenWait || d > writtenWait+time.Second {
			t.Errorf("took %v", d)
		}
	}
	if h := f.Health(); !strings.Contains(h, "hangs") {
		t.Errorf("health %q", h)
	}
	f.release(path)
}

// release lets the writers end that hang on a named pipe. The reader stays until they
// have: they open the pipe once more, to make it durable.
func (f *fixture) release(pipe string) {
	f.Helper()
	reader, err := os.Open(pipe)
	if err != nil {
		f.Fatal(err)
	}
	defer reader.Close()
	go io.Copy(io.Discard, reader)
	f.writers.Wait()
}

// TestDamage: what is damaged on disk is told of, and not used.
func TestDamage(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	f.pass(time.Hour)
	f.save()
	names, _ := f.files()
	path := filepath.Join(f.dir, names[0])
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r, block, err := decodeFile(content); err != nil || r.Worker != "rig" || !bytes.Equal(block, b.Raw.Bytes()) {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range content {
		if _, _, err := decodeFile(content[:i]); err == nil {
			t.Fatalf("the first %d bytes of %d taken", i, len(content))
		}
		for bit := range 8 {
			damaged := bytes.Clone(content)
			damaged[i] ^= 1 << bit
			if _, _, err := decodeFile(damaged); err == nil {
				t.Fatalf("damage to bit %d at %d not noticed", bit, i)
			}
		}
	}
	if err := os.WriteFile(path, content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, historyFile), []byte(`{"version":1,"blocks":[{`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.open()
	if list := f.List(1); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	for _, bad := range []string{filepath.Join(f.dir, historyFile), path} {
		if _, err := os.Stat(bad + badSuffix); err != nil {
			t.Error(err)
		}
	}
	f.wantFiles(0) // it is told of once
}

// TestLimits: records and files are bounded; what is settled goes first.
func TestLimits(t *testing.T) {
	f := newFixture(t)
	for i := range maxRecords + 10 {
		r := Record{Hash: chainhash.Hash{byte(i), byte(i >> 8), 1}, Height: uint32(i), Status: Matured, Final: i >= 100, Own: true}
		f.Journal.mu.Lock()
		f.add(r)
		f.Journal.mu.Unlock()
	}
	list := f.List(2 * maxRecords)
	if len(list) != maxRecords || list[len(list)-1].Height != 0 {
		t.Errorf("%d records, the oldest of height %d", len(list), list[len(list)-1].Height)
	}
	f.save()
	if records, err := loadHistory(f.dir); err != nil || len(records) != maxRecords {
		t.Errorf("%d records, %v", len(records), err)
	}

	f.Journal.mu.Lock()
	n := 0
	for _, e := range f.blocks {
		if n++; n <= maxFiles+50 {
			e.file, e.size, e.Confirmations = fmt.Sprint(n, blockSuffix), 1000, int64(n)
		} else if n <= maxFiles+100 {
			e.file, e.size, e.Status, e.Confirmations = fmt.Sprint(n, blockSuffix), 1000, Rejected, 0
		}
	}
	f.limitFiles()
	files, rejected, most := 0, 0, int64(0)
	for _, e := range f.blocks {
		if e.file != "" {
			files++
			most = max(most, e.Confirmations)
			if e.Status == Rejected {
				rejected++
			}
		}
	}
	f.Journal.mu.Unlock()
	if files > maxFiles || rejected != maxRejectedFiles || most >= maxFiles+50 {
		t.Errorf("%d files, %d of rejected blocks, %d confirmations at most", files, rejected, most)
	}
}

// TestParseHistory: the file's limits.
func TestParseHistory(t *testing.T) {
	good, err := formatHistory([]Record{{Status: Pending, Height: 5, Payee: Script{1}}, {Status: Matured, Worker: "ü\"\n"}})
	if err != nil {
		t.Fatal(err)
	}
	if records, err := parseHistory(good); err != nil || len(records) != 2 || records[1].Worker != "ü\"\n" {
		t.Errorf("%+v, %v", records, err)
	}
	for name, text := range map[string]string{
		"empty": ``, "version": `{"version":3,"blocks":[]}`, "no version": `{"blocks":[]}`,
		"checksum": `{"version":2,"blocks":[{"status":"pending","crc32c":1}]}`, "no checksum": `{"version":2,"blocks":[{"status":"pending"}]}`, "none": `{}`, "list": `[]`,
		"many":   `{"version":1,"blocks":[` + strings.Repeat(`{},`, maxRecords) + `{}]}`,
		"status": `{"version":1,"blocks":[{"status":"odd"}]}`,
		"worker": `{"version":1,"blocks":[{"status":"pending","worker":"` + strings.Repeat("x", maxWorker+1) + `"}]}`,
		"payee":  `{"version":1,"blocks":[{"status":"pending","payee":"` + strings.Repeat("00", maxScript+1) + `"}]}`,
	} {
		if _, err := parseHistory([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzHistory: no content of the history file does harm, and what is read is written
// alike.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"version":1,"blocks":[{"status":"pending","payee":"0102"}]}`))
	f.Add([]byte(`{"version":1,"blocks":[{"hash":"00","status":"matured","height":-1}]}`))
	f.Add([]byte(`{"version":1,"blocks":[7,null]}`))
	f.Add([]byte(`{"version":2,"blocks":[` + string(seal([]byte(`{"status":"pending"}`))) + `]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parseHistory(b)
		if err != nil {
			return
		}
		text, err := formatHistory(records)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseHistory(text)
		if err != nil || len(again) != len(records) {
			t.Fatalf("%d records became %d: %v", len(records), len(again), err)
		}
	})
}

// FuzzBlockFile: no content of a block file does harm.
func FuzzBlockFile(f *testing.F) {
	var buf bytes.Buffer
	if err := chaincfg.RegressionNetParams.GenesisBlock.Serialize(&buf); err != nil {
		f.Fatal(err)
	}
	block := buf.Bytes()
	line, err := encodeLine(&Record{Hash: *chaincfg.RegressionNetParams.GenesisHash, Height: 486604799, Status: Pending}, mining.RawBlock{block}, &share.Share{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(line, block...)) // its coinbase begins with 486604799
	if _, _, err := decodeFile(append(line, block...)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"size":-1}` + "\nx"))
	name := fileName(&Record{Hash: *chaincfg.RegressionNetParams.GenesisHash, Height: 486604799})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, again, ok := salvage(name, b); ok && !bytes.Equal(again, block) {
			t.Fatal("another block salvaged")
		}
		r, block, err := decodeFile(b)
		if err != nil {
			return
		}
		if chainhash.DoubleHashH(block[:80]) != r.Hash {
			t.Fatal("another block")
		}
		if _, err := json.Marshal(&r); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkKeep measures what the writing of a 4 MB block costs its submission.
func BenchmarkKeep(b *testing.B) {
	j := Open(Config{Dir: b.TempDir()})
	raw := make([]byte, 4_000_000)
	var worst time.Duration
	for i := 0; b.Loop(); i++ {
		s := &mining.SolvedBlock{Share: &share.Share{}, Raw: mining.RawBlock{raw}, Own: true}
		s.Share.Header.Nonce = uint32(i)
		start := time.Now()
		j.Keep(s)
		worst = max(worst, time.Since(start))
		b.StopTimer()
		j.writers.Wait()
		os.Remove(filepath.Join(j.cfg.Dir, fileName(&Record{Hash: s.Share.ID()})))
		b.StartTimer()
	}
	b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
	j.writers.Wait()
}
