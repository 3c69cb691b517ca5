package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMergedOptions(t *testing.T) {
	home := withHome(t)
	const node = "http://u:p@127.0.0.1:8336/?address=N1"
	cfg := mustLoad(t, "--tag=abcd", "--mergedmining="+node, "--mergedmining=http://127.0.0.1:1/?cookie=~/.namecoin/.cookie")
	if len(cfg.Merged.nodes) != 2 || cfg.Merged.nodes[0].String() != "http://127.0.0.1:8336/" ||
		cfg.Merged.nodes[1].CookieFile != filepath.Join(home, ".namecoin", ".cookie") {
		t.Errorf("%+v", cfg.Merged.nodes)
	}
	conf := writeConf(t, "mergedmining=http://u:p@127.0.0.1:8336\nmergedmining=http://u:p%23@127.0.0.1:8337\n")
	if cfg := mustLoad(t, "-C", conf); len(cfg.Merged.nodes) != 2 {
		t.Errorf("%+v", cfg.Merged.nodes)
	}
	wantError(t, "--mergedmining: only http", "--mergedmining=https://u:p@h:1")
	wantError(t, "--mergedmining: write http://", "--mergedmining=namecoin")
	wantError(t, "--tag: it has 5 characters; with --mergedmining 4 are allowed", "--tag=abcde", "--mergedmining="+node)
	wantError(t, "33 nodes are given, at most 32", slices.Repeat([]string{"--mergedmining=" + node}, 33)...)
	if _, err := loadConfig([]string{"--mergedmining=http://u:s3cret@h"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
