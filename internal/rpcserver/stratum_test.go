package rpcserver

import (
	"strings"
	"testing"
)

func TestGetStratumInfo(t *testing.T) {
	b := new(fakeBackend)
	got := resultOf(t, b, "getstratuminfo", `[]`)
	for _, part := range []string{`"miners":5`, `"evicted":6`, `"fingerprint":""`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	if got := resultOf(t, b, "getstratuminfo", `[1]`); !strings.Contains(got, "too many parameters") {
		t.Error(got)
	}
}
