package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"

	"github.com/jessevdk/go-flags"
)

// version is that of the source tree, by semantic versioning.
const version = "0.1.0-pre"

// defaultPort is the Stratum port of a node on Bitcoin's mainnet.
const defaultPort = "3333"

// maxThreads bounds --threads; each takes a part of the extranonce space.
const maxThreads = 1024

// options are the flags.
type options struct {
	URL      string `long:"url" short:"o" value-name:"URL" default:"stratum+tcp://127.0.0.1:3333" description:"server to mine on, stratum+tcp://HOST:PORT"`
	User     string `long:"user" short:"u" value-name:"NAME" description:"payout address, with .worker behind it if you like; the node's own address is paid if empty"`
	Pass     string `long:"pass" short:"p" value-name:"WORD" default:"x" description:"password; d=NUMBER asks for a difficulty to start from"`
	Threads  int    `long:"threads" short:"t" value-name:"N" default:"1" description:"threads to mine with, 0 for one on each core"`
	Hashrate string `long:"hashrate" value-name:"RATE" default:"0" description:"limit in hashes per second, such as 500k or 2M; 0 for none"`
	Quiet    bool   `long:"quiet" short:"q" description:"print problems only"`
	Version  bool   `long:"version" short:"V" description:"show the version and exit"`
}

// settings are the options, checked.
type settings struct {
	addr       string // host:port
	user, pass string
	threads    int
	hashrate   float64 // limit in hashes per second, 0 for none
	quiet      bool
}

// errShown ends the program without failure after text was asked for.
type errShown struct{ text string }

func (e *errShown) Error() string { return e.text }

// parseOptions reads the command line.
func parseOptions(args []string) (*settings, error) {
	var o options
	parser := flags.NewNamedParser("p2pminer", flags.HelpFlag|flags.PassDoubleDash)
	parser.ShortDescription = "CPU miner for Stratum V1"
	if _, err := parser.AddGroup("Options", "", &o); err != nil {
		return nil, err
	}
	rest, err := parser.ParseArgs(args)
	if flagErr, ok := errors.AsType[*flags.Error](err); ok && flagErr.Type == flags.ErrHelp {
		return nil, &errShown{flagErr.Message + "\n"}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; see p2pminer --help", err)
	case len(rest) > 0:
		return nil, fmt.Errorf("unexpected argument %q; see p2pminer --help", rest[0])
	case o.Version:
		return nil, &errShown{"p2pminer " + version + "\n"}
	}
	return o.check()
}

func (o *options) check() (*settings, error) {
	s := &settings{user: o.User, pass: o.Pass, threads: o.Threads, quiet: o.Quiet}
	var err error
	if s.addr, err = parseURL(o.URL); err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	if s.hashrate, err = parseRate(o.Hashrate); err != nil {
		return nil, fmt.Errorf("--hashrate: %w", err)
	}
	if o.Threads < 0 || o.Threads > maxThreads {
		return nil, fmt.Errorf("--threads: %d is not between 0 and %d", o.Threads, maxThreads)
	}
	if s.threads == 0 {
		s.threads = runtime.NumCPU()
	}
	return s, nil
}

// parseURL returns the host:port of a server's URL. Scheme and port may be
// missing.
func parseURL(url string) (string, error) {
	rest := strings.TrimSuffix(url, "/")
	if scheme, after, found := strings.Cut(rest, "://"); found {
		if scheme != "stratum+tcp" && scheme != "tcp" {
			return "", fmt.Errorf("%q has the scheme %s, only stratum+tcp is supported", url, scheme)
		}
		rest = after
	}
	if strings.ContainsAny(rest, "/@?# ") {
		return "", fmt.Errorf("%q is not of the form stratum+tcp://HOST:PORT", url)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		host, port = strings.Trim(rest, "[]"), defaultPort
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", fmt.Errorf("%q is not of the form stratum+tcp://HOST:PORT", url)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q has the port %q, which is not between 1 and 65535", url, port)
	}
	if host == "" {
		return "", fmt.Errorf("%q names no host", url)
	}
	return net.JoinHostPort(host, port), nil
}

// parseRate reads a number of hashes per second with an optional k, M or G.
func parseRate(text string) (float64, error) {
	number, scale := strings.TrimSuffix(strings.TrimSpace(text), "H/s"), 1.0
	number = strings.TrimSpace(number)
	if number != "" {
		switch number[len(number)-1] {
		case 'k', 'K':
			scale = 1e3
		case 'm', 'M':
			scale = 1e6
		case 'g', 'G':
			scale = 1e9
		}
	}
	if scale != 1 {
		number = strings.TrimSpace(number[:len(number)-1])
	}
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || !(rate >= 0) || rate > 1e12 {
		return 0, fmt.Errorf("%q is not a rate such as 500k or 2M", text)
	}
	return rate * scale, nil
}
