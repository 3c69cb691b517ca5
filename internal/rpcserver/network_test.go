package rpcserver

import (
	"strings"
	"testing"
)

func TestGetNetworkInfo(t *testing.T) {
	b := new(fakeBackend)
	got := resultOf(t, b, "getnetworkinfo", `[]`)
	for _, part := range []string{`"name":"onion"`, `"proxy":"127.0.0.1:9050"`, `"connectionsin":0`, `"localaddresses":`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	if got := resultOf(t, b, "getnetworkinfo", `[1]`); !strings.Contains(got, "too many parameters") {
		t.Error(got)
	}
	b.err = errBackend
	if got := resultOf(t, b, "getnetworkinfo", `[]`); !strings.HasPrefix(got, "-32603") {
		t.Error(got)
	}
}
