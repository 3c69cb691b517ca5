package payee

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestRotation follows a descriptor through payments, restarts and another chain.
func TestRotation(t *testing.T) {
	d := descriptor(t, "tr("+key86+"/0/*)")
	cfg := Config{Own: []Source{{Descriptor: d}}, File: filepath.Join(t.TempDir(), "payout.json"), Secret: testSecret(1)}
	p := mustNew(t, cfg)
	index := func() uint32 { return p.Addresses()[0].Index }
	at := func(i uint32) []byte {
		script, err := d.Script(i)
		if err != nil {
			t.Fatal(err)
		}
		return script
	}
	own := func() []byte {
		script, _ := p.Turn(tip(1))
		return script
	}
	pays := func(i uint32) func([]byte) bool {
		return func(script []byte) bool { return bytes.Equal(script, at(i)) }
	}
	p.Advance(1_000_000)
	if index() != 0 || !bytes.Equal(own(), at(0)) || !p.Awaits() {
		t.Fatal("an address is left that was not paid")
	}
	p.BlockFound(pays(1)) // another's
	p.Advance(1_000_000)
	if index() != 0 || !p.Awaits() {
		t.Fatal("another's payment counts")
	}
	p.BlockFound(pays(0))
	if p.Awaits() || index() != 0 {
		t.Fatal("the payment does not count, or at once")
	}
	p = mustNew(t, cfg) // restart
	if p.Awaits() || !p.Addresses()[0].Paid {
		t.Fatal("the payment is forgotten")
	}
	p.Advance(1_000_000)
	if index() != 1 || !bytes.Equal(own(), at(1)) || !p.Awaits() {
		t.Fatal("the address stays")
	}
	p.BlockFound(pays(1))
	p.Advance(1_000_000 + MinShares - 1)
	if index() != 1 {
		t.Fatal("the second address is left too early")
	}
	p = mustNew(t, cfg)
	p.Advance(1_000_000 + MinShares)
	if index() != 2 {
		t.Fatal("the second address stays")
	}
	list := p.Addresses()
	if len(list) != 3 || !list[0].Current || list[0].Paid || list[1].Current || !list[1].Paid || !bytes.Equal(list[2].Script, at(0)) {
		t.Errorf("%+v", list)
	}

	p.Advance(10) // a chain that began anew
	p.BlockFound(pays(2))
	p.Advance(10 + MinShares)
	if index() != 3 {
		t.Fatal("the third address stays on another chain")
	}

	// Another descriptor in between, and back.
	other := descriptor(t, "wpkh("+key380+"/0/*)")
	cfg.Own[0].Descriptor = other
	p = mustNew(t, cfg)
	if index() != 0 {
		t.Fatal("another descriptor goes on with the first one's index")
	}
	p.BlockFound(func([]byte) bool { return true })
	cfg.Own[0].Descriptor = d
	if p = mustNew(t, cfg); index() != 3 {
		t.Fatalf("back at the first descriptor: %d", index())
	}
}

// TestEnd: the last address stays.
func TestEnd(t *testing.T) {
	d := descriptor(t, "wpkh("+key380+"/*)")
	p := mustNew(t, Config{Own: []Source{{Descriptor: d}}})
	p.sources[0].Index = MaxIndex
	if err := p.sources[0].use(MaxIndex); err != nil {
		t.Fatal(err)
	}
	p.sources[0].Paid = true
	p.Advance(1e6)
	if list := p.Addresses(); len(list) != MaxListed || list[0].Index != MaxIndex {
		t.Errorf("%d addresses from %d on", len(list), list[0].Index)
	}
}

// TestFile: a damaged file is put aside, and one that cannot be written changes nothing.
func TestFile(t *testing.T) {
	d := descriptor(t, "wpkh("+key380+"/*)")
	dir := t.TempDir()
	path := filepath.Join(dir, "payout.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"descriptors":[{"id":"short"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Own: []Source{{Descriptor: d}}, File: path}
	p := mustNew(t, cfg)
	if p.Addresses()[0].Index != 0 {
		t.Error("it goes on")
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
	p.BlockFound(func([]byte) bool { return true })
	if entries, err := p.read(); err != nil || len(entries) != 1 || !entries[0].Paid {
		t.Errorf("%+v, %v", entries, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	cfg.File = filepath.Join(dir, "missing", "payout.json")
	p = mustNew(t, cfg)
	p.BlockFound(func([]byte) bool { return true })
	p.Advance(MinShares)
	if p.Addresses()[0].Index != 1 {
		t.Error("the address stays where it cannot be remembered")
	}
}

// FuzzDecode: no content of the file does harm.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"descriptors":[{"id":"0123456789abcdef","index":3,"since":12,"paid":true}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"descriptors":[{"id":"0123456789abcdef","index":4294967295}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := decode(b)
		if err != nil {
			return
		}
		if len(entries) > MaxSources+maxKept {
			t.Fatal("too many")
		}
		for _, e := range entries {
			if e.Index > MaxIndex || len(e.ID) != idLength {
				t.Fatalf("%+v", e)
			}
		}
	})
}
