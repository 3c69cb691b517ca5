package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuildMetadata(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "4f2a90c1d3e5aabbccddeeff00112233445566ff"}
	for _, tc := range []struct {
		name     string
		settings []debug.BuildSetting
		want     string
	}{
		{"no version control", nil, ""},
		{"clean", []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, "+4f2a90c1d3e5"},
		{"changed", []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}, "+4f2a90c1d3e5.dirty"},
		{"short revision", []debug.BuildSetting{{Key: "vcs.revision", Value: "123"}}, "+123"},
	} {
		if got := buildMetadata(tc.settings); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestString(t *testing.T) {
	if got := String(); !strings.HasPrefix(got, Release) {
		t.Errorf("String() = %q, want the release %q first", got, Release)
	}
	if got, want := UserAgent("p2poold"), "/p2poold:0.1.0.pre/"; got != want {
		t.Errorf("UserAgent = %q, want %q", got, want)
	}
}
