package rpcserver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bans is the part of fakeBackend that notes what it was asked about bans.
type bans struct{ asked string }

func (b *fakeBackend) Ban(_ context.Context, address string, until time.Time) error {
	b.bans.asked = "ban " + address
	if !until.IsZero() {
		b.bans.asked += fmt.Sprintf(" until %d", until.Unix())
	}
	if address == "all" {
		return &Error{CodeSubnet, "no address"}
	}
	return b.err
}

func (b *fakeBackend) Unban(_ context.Context, address string) error {
	b.bans.asked = "unban " + address
	return b.err
}

func (b *fakeBackend) Bans(context.Context) ([]BanInfo, error) { return nil, b.err }

func (b *fakeBackend) ClearBans(context.Context) error {
	b.bans.asked = "clear"
	return b.err
}

func (b *fakeBackend) Disconnect(_ context.Context, addr string, id uint64) error {
	b.bans.asked = fmt.Sprintf("disconnect %q %d", addr, id)
	return b.err
}

func TestBanMethods(t *testing.T) {
	b := new(fakeBackend)
	for _, tc := range []struct{ method, params, asked, result string }{
		{"setban", `["192.0.2.1","add"]`, "ban 192.0.2.1", `null`},
		{"setban", `[" 192.0.2.0/24 ","add",0]`, "ban 192.0.2.0/24", `null`},
		{"setban", `["192.0.2.1","add",4000000000,true]`, "ban 192.0.2.1 until 4000000000", `null`},
		{"setban", `{"address":"::1","command":"add","absolute":true}`, "ban ::1 until 0", `null`},
		{"setban", `["all","add"]`, "ban all", `-30: no address`},
		{"setban", `["192.0.2.1","remove"]`, "unban 192.0.2.1", `null`},
		{"setban", `["192.0.2.1","remove",5]`, "", `-32602: setban: remove takes no time`},
		{"setban", `["192.0.2.1","ban"]`, "", `-32602: setban: the command is add or remove, not "ban"`},
		{"setban", `["192.0.2.1"]`, "", `-32602: setban: the parameter command is missing; usage: setban ADDRESS COMMAND [SECONDS] [ABSOLUTE]`},
		{"setban", `["192.0.2.1","add",-1]`, "", `-32602: setban: seconds must be a whole number from 0 to 253402300799`},
		{"setban", `["192.0.2.1","add",1,1]`, "", `-32602: setban: absolute must be true or false`},
		{"setban", `["192.0.2.1","add",1,"true"]`, "", `-32602: setban: absolute must be true or false`},
		{"listbanned", `[]`, "", `[]`},
		{"clearbanned", `[]`, "clear", `null`},
		{"disconnectnode", `["192.0.2.1:9333"]`, `disconnect "192.0.2.1:9333" 0`, `null`},
		{"disconnectnode", `["",7]`, `disconnect "" 7`, `null`},
		{"disconnectnode", `{"nodeid":7}`, `disconnect "" 7`, `null`},
		{"disconnectnode", `["7"]`, `disconnect "" 7`, `null`},
		{"disconnectnode", `["0"]`, `disconnect "" 0`, `null`},
		{"disconnectnode", `["192.0.2.1:9333",7]`, "", `-32602: disconnectnode: give the address or the id, not both`},
		{"disconnectnode", `[]`, "", `-32602: disconnectnode: give the address or the id of a peer, as in getpeerinfo`},
		{"disconnectnode", `["",0]`, "", `-32602: disconnectnode: nodeid must be a whole number from 1 to 9007199254740992`},
	} {
		b.bans.asked = ""
		got := resultOf(t, b, tc.method, tc.params)
		if b.bans.asked != tc.asked || !strings.HasPrefix(got, tc.result) {
			t.Errorf("%s %s:\ngot  %q, %s\nwant %q, %s", tc.method, tc.params, b.bans.asked, got, tc.asked, tc.result)
		}
	}
	// Seconds count from now.
	before := time.Now().Unix()
	resultOf(t, b, "setban", `["192.0.2.1","add",3600]`)
	var until int64
	if _, err := fmt.Sscanf(b.bans.asked, "ban 192.0.2.1 until %d", &until); err != nil || until < before+3600 || until > time.Now().Unix()+3600 {
		t.Errorf("%s, %v", b.bans.asked, err)
	}
}

func TestEncodeBools(t *testing.T) {
	for word, want := range map[string]any{"true": true, "1": true, "false": false, "0": false} {
		if got, err := EncodeParams("setban", []string{"192.0.2.1", "add", "5", word}); err != nil || got[3] != want {
			t.Errorf("%s: %v, %v", word, got, err)
		}
	}
	_, err := EncodeParams("setban", []string{"192.0.2.1", "add", "5", "yes"})
	if want := "setban: absolute must be true or false; usage: setban ADDRESS COMMAND [SECONDS] [ABSOLUTE]"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
