package rpcserver

import (
	"context"
	"strings"
	"testing"
)

func (b *fakeBackend) MergedMining(context.Context) ([]MergedChain, error) {
	return []MergedChain{{URL: "http://127.0.0.1:8336/", ChainID: 1, Accepted: 7}}, b.err
}

func TestGetMergedMining(t *testing.T) {
	got := resultOf(t, new(fakeBackend), "getmergedmining", `[]`)
	for _, part := range []string{`[{"url":"http://127.0.0.1:8336/"`, `"chainid":1`, `"accepted":7`, `"healthy":false`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
}
