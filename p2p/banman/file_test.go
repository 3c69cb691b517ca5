package banman

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func load(t testing.TB, cfg Config) *Manager {
	t.Helper()
	m, err := Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func save(t testing.TB, m *Manager) {
	t.Helper()
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
}

func TestSaveLoad(t *testing.T) {
	c := newClock()
	cfg := Config{Path: filepath.Join(t.TempDir(), "banlist.json"), Duration: time.Hour, Now: c.now}
	m := load(t, cfg)
	save(t, m)
	if _, err := os.Stat(cfg.Path); err == nil {
		t.Error("an unchanged list is written")
	}
	for i, text := range []string{"192.0.2.0/24", "2001:db8::/32", onion, i2p} {
		if err := m.Ban(subject(t, text), c.Add(time.Duration(i+1)*time.Hour), `a "reason" <&\`); err != nil {
			t.Fatal(err)
		}
	}
	m.Discourage(addr(t, "8.8.8.8"), "ErrPayouts: wrong")
	m.Discourage(addr(t, "2a00::1"), "")
	want := m.List()
	save(t, m)
	if info, err := os.Stat(cfg.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if got := load(t, cfg).List(); len(got) != 6 || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// What has ended is left out, and leaves the file with the next change.
	c.advance(time.Hour)
	m = load(t, cfg)
	if got := m.List(); len(got) != 3 {
		t.Errorf("after an hour: %v", got)
	}
	m.Clear()
	save(t, m)
	if content, err := os.ReadFile(cfg.Path); err != nil || string(content) != "{\"version\":1,\"bans\":[\n]}\n" {
		t.Errorf("%q, %v", content, err)
	}
	if got := load(t, cfg).List(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestShorterDuration: no discouragement of the file outlasts the option, so that 0
// forgets them all.
func TestShorterDuration(t *testing.T) {
	c := newClock()
	cfg := Config{Path: filepath.Join(t.TempDir(), "banlist.json"), Duration: 24 * time.Hour, Now: c.now}
	m := load(t, cfg)
	m.Discourage(addr(t, "8.8.8.8"), "")
	if err := m.Ban(subject(t, "9.9.9.9"), c.Add(24*time.Hour), ""); err != nil {
		t.Fatal(err)
	}
	save(t, m)
	for d, want := range map[time.Duration]int{0: 1, time.Minute: 2} {
		cfg.Duration = d
		list := load(t, cfg).List()
		if len(list) != want || list[0].Until.Sub(list[0].Created) != 24*time.Hour {
			t.Errorf("%v: %v", d, list)
		}
		if want == 2 && list[1].Until.Sub(list[1].Created) != time.Minute {
			t.Errorf("%v: %v", d, list[1])
		}
	}
}

const (
	head  = `{"version":1,"bans":[`
	entry = `{"address":"192.0.2.1","created":1700000000,"until":1900000000,"reason":"x"}`
)

func TestDamaged(t *testing.T) {
	change := func(old, new string) string { return head + strings.Replace(entry, old, new, 1) + "]}" }
	for name, content := range map[string]string{
		"empty":          "",
		"garbage":        "\x00\xff",
		"no list":        `{"version":1}`,
		"other version":  `{"version":2,"bans":[]}`,
		"other order":    `{"bans":[],"version":1}`,
		"other form":     `[]`,
		"ends early":     head + entry,
		"more follows":   head + entry + "]}{",
		"more members":   head + entry + `],"x":1}`,
		"comma missing":  head + entry + entry + "]}",
		"no object":      head + "5]}",
		"no address":     change("192.0.2.1", ""),
		"a name":         change("192.0.2.1", "example.org"),
		"created before": change("17", "-17"),
		"far future":     change("1900000000", "253402300800"),
		"not whole":      change("1900000000", "1900000000.5"),
		"huge number":    change("1900000000", "1e400"),
		"control":        change(`"x"`, `"\u001b"`),
		"long reason":    change(`"x"`, `"`+strings.Repeat("x", MaxReason+1)+`"`),
		"unknown field":  change(`"reason"`, `"cause"`),
		"too many":       head + strings.Repeat(entry+",", MaxManual+MaxAutomatic) + entry + "]}",
		"too many bans":  head + manyBans(MaxManual+1) + "]}",
		"too long":       head + strings.Repeat(" ", maxFile) + "]}",
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			cfg := Config{Path: filepath.Join(t.TempDir(), "banlist.json"), Now: c.now}
			if err := os.WriteFile(cfg.Path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			m, err := Load(cfg)
			if !errors.Is(err, ErrDamaged) || len(m.List()) != 0 {
				t.Fatalf("%d entries, %v", len(m.List()), err)
			}
			if kept, err := os.ReadFile(cfg.Path + ".damaged"); err != nil || string(kept) != content {
				t.Errorf("it is not kept: %v", err)
			}
			if err := m.Ban(subject(t, "1.2.3.4"), c.Add(time.Hour), ""); err != nil {
				t.Fatal(err)
			}
			save(t, m)
			if got := load(t, cfg).List(); len(got) != 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

func manyBans(n int) string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"address":"16.%d.%d.1","created":0,"until":1900000000,"reason":""}`, i>>8, i&255))
	}
	return strings.Join(lines, ",")
}

// TestByHand: what an editor leaves behind is read, and of two entries about one
// subject the later end counts.
func TestByHand(t *testing.T) {
	other := strings.Replace(entry, "1900000000", "1950000000", 1)
	for _, content := range []string{
		" {\n\t\"version\" : 1,\r\n \"bans\" : [ " + entry + " , " + other + " ] }\n\n",
		head + other + "," + entry + "," + strings.Replace(entry, "192.0.2.1", "::ffff:192.0.2.1", 1) + "]}",
	} {
		c := newClock()
		cfg := Config{Path: filepath.Join(t.TempDir(), "banlist.json"), Now: c.now}
		if err := os.WriteFile(cfg.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := load(t, cfg).List(); len(got) != 1 || got[0].Until.Unix() != 1950000000 {
			t.Errorf("%v", got)
		}
	}
}

// TestUnwritable: a list that cannot be saved is tried again, and leaves nothing
// behind.
func TestUnwritable(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	cfg := Config{Path: filepath.Join(dir, "later", "banlist.json"), Duration: time.Hour, Now: c.now}
	m := load(t, cfg)
	m.Discourage(nth(1), "")
	for range 2 {
		if m.Save() == nil {
			t.Fatal("saved into a directory that is not there")
		}
	}
	if err := os.Mkdir(filepath.Dir(cfg.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, m)
	if got := load(t, cfg).List(); len(got) != 1 {
		t.Errorf("%v", got)
	}
	// A directory stands where the file belongs.
	blocked := Config{Path: filepath.Join(dir, "blocked"), Duration: time.Hour, Now: c.now}
	m = load(t, blocked)
	if err := os.MkdirAll(filepath.Join(blocked.Path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.Discourage(nth(1), "")
	if m.Save() == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Stat(blocked.Path + ".new"); err == nil {
		t.Error("a file is left behind")
	}
	if m, err := Load(blocked); err == nil || len(m.List()) != 0 {
		t.Errorf("a directory is no list: %v", err)
	}
	memory := New(Config{Duration: time.Hour})
	memory.Discourage(nth(1), "")
	save(t, memory)
}

// TestFullFile: both tables full, with the longest entries, read back.
func TestFullFile(t *testing.T) {
	c := newClock()
	cfg := Config{Path: filepath.Join(t.TempDir(), "banlist.json"), Duration: time.Hour, Now: c.now}
	m := load(t, cfg)
	long := strings.Repeat(`"`, 2*MaxReason)
	for i := range MaxManual {
		if err := m.Ban(Host(nth(i)), c.Add(time.Hour), long); err != nil {
			t.Fatal(err)
		}
		m.Discourage(nth(i), long)
	}
	save(t, m)
	info, err := os.Stat(cfg.Path)
	if err != nil || info.Size() > maxFile {
		t.Fatalf("%v, %v", info.Size(), err)
	}
	if got := len(load(t, cfg).List()); got != MaxManual+MaxAutomatic {
		t.Errorf("%d entries", got)
	}
	onionLine := encode([]Entry{{Subject: subject(t, onion), Automatic: true, Created: time.Unix(lastTime, 0), Until: time.Unix(lastTime, 0), Reason: long[:MaxReason]}})
	if n := len(onionLine) - len("{\"version\":1,\"bans\":[\n]}\n"); n+len(",") != maxLine {
		t.Errorf("the longest entry has %d bytes, maxLine is %d", n, maxLine)
	}
	t.Logf("full file: %d bytes", info.Size())
}

// FuzzDecode: no file makes it fail otherwise than with an error, and what it
// accepts reads back as the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "{", head + "]}", head + entry + "]}", head + entry + "," + entry + "]}",
		head + `{"address":"` + onion + `","automatic":true,"created":0,"until":1,"reason":"\\"}]}`, `{"version":1e0,"bans":[null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := decode(bytes.NewReader(content))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		again, err := decode(bytes.NewReader(encode(entries)))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatalf("%v reads back as %v, %v", entries, again, err)
		}
	})
}

// FuzzParse: what is taken for a subject reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "1.2.3.0/24", "::/0", "::ffff:1.2.3.4/100", "::ffff:1.2.3.4/95", onion, i2p, "[::1]", "fe80::1%x", "1.2.3.4:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(s.String()); err != nil || again != s || !s.IsValid() || !s.Contains(s) {
			t.Fatalf("%q gives %v, then %v, %v", text, s, again, err)
		}
	})
}
