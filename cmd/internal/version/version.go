// Package version names the version of the programs.
package version

import (
	"runtime/debug"
	"strings"
)

// Release is the version of the source tree, by semantic versioning.
const Release = "0.1.0-pre"

// revisionDigits is the length to which the commit hash is cut.
const revisionDigits = 12

// String returns the release and the commit that the program was built from,
// such as "0.1.0-pre+4f2a90c1d3e5", with ".dirty" if files had been changed.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Release
	}
	return Release + buildMetadata(info.Settings)
}

// UserAgent is how a program names itself to others on the network, in the form
// of BIP 14.
func UserAgent(program string) string {
	return "/" + program + ":" + strings.ReplaceAll(Release, "-", ".") + "/"
}

// buildMetadata returns the suffix that names the commit, the empty string if the
// build doesn't know it.
func buildMetadata(settings []debug.BuildSetting) string {
	var revision, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return "+" + revision[:min(revisionDigits, len(revision))] + dirty
}
