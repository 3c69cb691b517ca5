package hostport

import (
	"strings"
	"testing"
)

func TestListenAndDial(t *testing.T) {
	const port = 9333
	for _, tc := range []struct{ in, listen, dial string }{
		{"pool.example.org", "pool.example.org:9333", "pool.example.org:9333"},
		{"pool.example.org:1", "pool.example.org:1", "pool.example.org:1"},
		{" 10.0.0.1 ", "10.0.0.1:9333", "10.0.0.1:9333"},
		{"10.0.0.1:65535", "10.0.0.1:65535", "10.0.0.1:65535"},
		{"::1", "[::1]:9333", "[::1]:9333"},
		{"[::1]", "[::1]:9333", "[::1]:9333"},
		{"[2001:db8::1]:5", "[2001:db8::1]:5", "[2001:db8::1]:5"},
		{"fe80::1%eth0", "[fe80::1%eth0]:9333", "[fe80::1%eth0]:9333"},
		{":8000", ":8000", ""},
		{"localhost:0", "localhost:0", ""},
		{"my_host", "my_host:9333", "my_host:9333"},
		{"", "", ""},
		{"host:", "", ""},
		{"host:65536", "", ""},
		{"host:-1", "", ""},
		{"host:http", "", ""},
		{"a:b:c", "", ""},
		{"[host]:1", "", ""},
		{"[::1", "", ""},
		{"[10.0.0.1]", "", ""},
		{"http://host:1", "", ""},
		{"ho st", "", ""},
		{"host/path", "", ""},
		{"user@host", "", ""},
		{"10.0.0.256", "", ""},
		{"1.2.3", "", ""},
		{strings.Repeat("a", 254), "", ""},
	} {
		check := func(name string, f func(string, uint16) (string, error), want string) {
			got, err := f(tc.in, port)
			if got != want || (err == nil) != (want != "") {
				t.Errorf("%s(%q) = %q, %v; want %q", name, tc.in, got, err, want)
			}
		}
		check("Listen", Listen, tc.listen)
		check("Dial", Dial, tc.dial)
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"host:1", "[::1]:2", ":3", "::1", "[]", "a%b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		full, err := Dial(addr, 1)
		if err != nil {
			return
		}
		// A completed address is complete.
		if again, err := Dial(full, 2); err != nil || again != full {
			t.Fatalf("%q became %q and then %q, %v", addr, full, again, err)
		}
	})
}
