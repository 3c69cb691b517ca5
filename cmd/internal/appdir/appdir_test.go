package appdir

import (
	"path/filepath"
	"testing"
)

func TestExpand(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	here := t.TempDir()
	t.Chdir(here)
	for in, want := range map[string]string{
		"~":            home,
		"~/x/y":        filepath.Join(home, "x", "y"),
		"x":            filepath.Join(here, "x"),
		"~user/x":      filepath.Join(here, "~user", "x"),
		home + "/../z": filepath.Join(filepath.Dir(home), "z"),
	} {
		if got, err := Expand(in); got != want || err != nil {
			t.Errorf("Expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := Expand(""); err == nil {
		t.Error("the empty path was accepted")
	}
}

func TestExpandWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if got, err := Expand("~/x"); err == nil {
		t.Errorf("got %q without a home directory", got)
	}
}

func TestConfPath(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		configFile, want string
		explicit         bool
	}{
		{"", filepath.Join(dir, ConfFile), false},
		{filepath.Join(dir, "other.conf"), filepath.Join(dir, "other.conf"), true},
	} {
		path, explicit, err := ConfPath(tc.configFile, dir)
		if path != tc.want || explicit != tc.explicit || err != nil {
			t.Errorf("ConfPath(%q) = %q, %v, %v", tc.configFile, path, explicit, err)
		}
	}
}
