package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for url, want := range map[string]string{
		"stratum+tcp://127.0.0.1:3333":  "127.0.0.1:3333",
		"stratum+tcp://pool.example:1/": "pool.example:1",
		"tcp://host":                    "host:3333",
		"host":                          "host:3333",
		"host:25":                       "host:25",
		"[::1]:25":                      "[::1]:25",
		"::1":                           "[::1]:3333",
		"stratum+ssl://host:1":          "host:1",
		"http://host":                   "",
		"host:0":                        "",
		"host:99999":                    "",
		"host:x":                        "",
		":3333":                         "",
		"":                              "",
		"user@host:1":                   "",
		"stratum+tcp://host:1/path":     "",
	} {
		got, secure, err := parseURL(url)
		if got != want || (err == nil) != (want != "") || secure != strings.Contains(url, "ssl") {
			t.Errorf("%q: %q, %v", url, got, err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "500k": 500e3, "2M": 2e6, "1.5 kH/s": 1500, "100": 100, "1G": 1e9,
		"": -1, "k": -1, "-1": -1, "NaN": -1, "1e300": -1, "500q": -1,
	} {
		got, err := parseRate(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %g, %v", text, got, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args        string
		code        int
		out, errOut string
	}{
		{"--version", exitOK, "p2pminer " + version, ""},
		{"--help", exitOK, "--hashrate", ""},
		{"--nonsense", exitUsage, "", "unknown flag `nonsense'"},
		{"extra", exitUsage, "", "unexpected argument"},
		{"--threads=-1", exitUsage, "", "--threads"},
		{"--threads=two", exitUsage, "", "threads"},
		{"--hashrate=fast", exitUsage, "", "--hashrate"},
		{"--url=stratum2+tcp://host", exitUsage, "", "only stratum+tcp"},
		{"--help", exitOK, "--loginrate", ""},
		{"--rate=5", exitUsage, "", "--rate is for --bench only"},
		{"--bench=fast", exitUsage, "", "not one of idle, submit, login, cycle, slow"},
		{"--bench --connections=0", exitUsage, "", "--connections"},
		{"--bench --rate=-1", exitUsage, "", "--rate"},
		{"--bench --rate=NaN", exitUsage, "", "--rate"},
		{"--bench --duration=0s", exitUsage, "", "--duration"},
		{"--bench --duration=1000h", exitUsage, "", "--duration"},
		{"--bench --depth=0", exitUsage, "", "--depth"},
		{"--bench --user=a\"b", exitUsage, "", "printable ASCII"},
		{"--bench --pid=-1", exitUsage, "", "--pid"},
		{"--bench --url=192.0.2.1:3333", exitRun, "", "--permitted"},
	}
	for _, test := range tests {
		var out, errOut bytes.Buffer
		code := run(strings.Fields(test.args), &out, &errOut)
		if code != test.code || !strings.Contains(out.String(), test.out) || !strings.Contains(errOut.String(), test.errOut) {
			t.Errorf("%s: exit code %d, output %q, errors %q", test.args, code, out.String(), errOut.String())
		}
	}
}

func TestFormatRate(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0 H/s", 999: "999 H/s", 999.9: "1 kH/s", 500e3: "500 kH/s", 1.234e6: "1.23 MH/s", 5e12: "5 TH/s",
	} {
		if got := formatRate(rate); got != want {
			t.Errorf("%g: %q, want %q", rate, got, want)
		}
	}
}
