package main

import (
	"net"
	"reflect"
	"strings"
	"testing"
)

func TestInheritedSockets(t *testing.T) {
	own := []socket{{5, portsStratum, "127.0.0.1:3333"}, {7, portsRPC, "[fe80::1%eth0]:9332"}, {9, portsP2P, ":9333"}}
	for name, tc := range map[string]struct {
		env  map[string]string
		want []socket
		ok   bool
	}{
		"nothing":              {nil, nil, true},
		"own":                  {map[string]string{envSockets: formatSockets(own, 42)}, own, true},
		"another process's":    {map[string]string{envSockets: formatSockets(own, 41)}, nil, true},
		"systemd":              {map[string]string{envPID: "42", envFDs: "2"}, []socket{{fd: 3}, {fd: 4}}, true},
		"systemd for another":  {map[string]string{envPID: "41", envFDs: "2"}, nil, true},
		"systemd, no number":   {map[string]string{envPID: "42", envFDs: "many"}, nil, false},
		"systemd, negative":    {map[string]string{envPID: "42", envFDs: "-1"}, nil, false},
		"systemd, too many":    {map[string]string{envPID: "42", envFDs: "1000000"}, nil, false},
		"standard descriptors": {map[string]string{envSockets: "42 2,rpc,:1"}, nil, false},
		"damaged":              {map[string]string{envSockets: "42 5,rpc"}, nil, false},
		"white space":          {map[string]string{envSockets: " "}, nil, false},
	} {
		got, err := inheritedSockets(func(name string) string { return tc.env[name] }, 42)
		if (err == nil) != tc.ok || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestServes(t *testing.T) {
	any4, any6 := &net.TCPAddr{IP: net.IPv4zero, Port: 3333}, &net.TCPAddr{IP: net.IPv6unspecified, Port: 3333}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3333}
	for _, tc := range []struct {
		bound net.Addr
		addr  string
		want  bool
	}{
		{any6, ":3333", true}, {any4, ":3333", true}, {any4, "0.0.0.0:3333", true}, {local, "127.0.0.1:3333", true}, {local, "localhost:3333", true},
		{any6, ":3334", false}, {local, ":3333", false}, {any6, "127.0.0.1:3333", false}, {local, "127.0.0.1:0", false},
		{local, "nonsense", false}, {&net.UnixAddr{Name: "/x"}, ":3333", false},
	} {
		if got := serves(tc.bound, tc.addr); got != tc.want {
			t.Errorf("%v for %s: %v", tc.bound, tc.addr, got)
		}
	}
}

// TestPorts: an inherited socket is taken once, by whom it is for.
func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &ports{inherited: []inheritedPort{{socket{0, portsRPC, "127.0.0.1:0"}, l}}}
	other, err := p.listener(portsStratum, nil)("tcp", "127.0.0.1:0")
	if err != nil || other == l {
		t.Fatalf("%v, %v", other, err)
	}
	defer other.Close()
	if got, err := p.listener(portsRPC, nil)("tcp", "127.0.0.1:0"); err != nil || got != l {
		t.Errorf("%v, %v", got, err)
	}
	if len(p.inherited) != 0 || len(p.open) != 2 {
		t.Errorf("%+v", p)
	}
	var none *control
	if none.listener(portsP2P, nil) != nil {
		t.Error("without a control the part's own function is to be used")
	}
}

func FuzzSockets(f *testing.F) {
	f.Add("42 5,stratum,127.0.0.1:3333 6,rpc,:1")
	f.Add("42 99999999999,a,b")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseSockets(text, 42)
		if err != nil {
			return
		}
		for _, s := range list {
			if s.fd < firstFD || strings.ContainsAny(s.part+s.addr, " \n") {
				t.Fatalf("%+v", s)
			}
		}
		if again, err := parseSockets(formatSockets(list, 42), 42); err != nil || len(again) != len(list) || len(list) > 0 && !reflect.DeepEqual(again, list) {
			t.Fatalf("%v, %v", again, err)
		}
	})
}
