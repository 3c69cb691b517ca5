package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/bench"
)

// version is that of the source tree, by semantic versioning.
const version = "0.1.0-pre"

// defaultPort is the Stratum port of a node on Bitcoin's mainnet.
const defaultPort = "3333"

// maxThreads bounds --threads; each takes a part of the extranonce space.
const maxThreads = 1024

// options are the flags.
type options struct {
	URL      string `long:"url" short:"o" value-name:"URL" default:"stratum+tcp://127.0.0.1:3333" description:"server to mine on, stratum+tcp://HOST:PORT or stratum+ssl://HOST:PORT"`
	User     string `long:"user" short:"u" value-name:"NAME" description:"payout address, with .worker behind it if you like; the node's own address is paid if empty"`
	Pass     string `long:"pass" short:"p" value-name:"WORD" default:"x" description:"password; d=NUMBER asks for a difficulty to start from"`
	Threads  int    `long:"threads" short:"t" value-name:"N" default:"1" description:"threads to mine with, or to generate load with, 0 for one on each core"`
	Hashrate string `long:"hashrate" value-name:"RATE" default:"0" description:"limit in hashes per second, such as 500k or 2M; 0 for none"`
	Quiet    bool   `long:"quiet" short:"q" description:"print problems only"`
	TLS      bool   `long:"tls" description:"encrypt, as with stratum+ssl:// in --url"`

	CAFile      string `long:"cafile" value-name:"FILE" description:"certificates in PEM, one of which the server must have or have its own from; instead of those that the system trusts"`
	Fingerprint string `long:"fingerprint" value-name:"HEX" description:"SHA-256 fingerprint that the server's certificate must have, whoever issued it"`
	Insecure    bool   `long:"insecure" description:"don't check the server's certificate"`

	Version bool `long:"version" short:"V" description:"show the version and exit"`
}

// benchOptions are the flags of the load generator.
type benchOptions struct {
	Bench       string        `long:"bench" value-name:"MODE" optional:"yes" optional-value:"submit" description:"do not mine but put load on your own server and measure it, in the mode submit, idle, login, cycle or slow; submit if none is named"`
	Connections int           `long:"connections" value-name:"N" default:"1000" description:"clients; with cycle, logins in all"`
	Rate        float64       `long:"rate" value-name:"N" default:"0" description:"submissions a second of all clients together; 0: each submits as soon as it has its answer"`
	Depth       int           `long:"depth" value-name:"N" default:"1" description:"without --rate, submissions of each client that wait for an answer"`
	Duration    time.Duration `long:"duration" value-name:"TIME" default:"30s" description:"how long to submit, or to be idle"`
	LoginRate   float64       `long:"loginrate" value-name:"N" default:"0" description:"logins begun a second; 0: as many as --parallel allows"`
	Parallel    int           `long:"parallel" value-name:"N" default:"1000" description:"logins under way at once"`
	Timeout     time.Duration `long:"timeout" value-name:"TIME" default:"30s" description:"longest time for a login, and for the last answers"`
	Difficulty  float64       `long:"difficulty" value-name:"D" default:"1e-9" description:"difficulty that clients suggest; 0: none"`
	Prepare     time.Duration `long:"prepare" value-name:"TIME" default:"10s" description:"longest time to look for solutions before submitting begins"`
	SlowReaders int           `long:"slowreaders" value-name:"N" default:"0" description:"clients besides that never read; 10 with slow if it is 0"`
	UserAgent   string        `long:"useragent" value-name:"TEXT" description:"how clients name themselves; by default p2pminer-bench and the version"`
	Sources     int           `long:"sources" value-name:"N" default:"0" description:"local addresses to connect from, 127.0.0.1 and on; 0: one for 10,000 clients"`
	PID         int           `long:"pid" value-name:"N" default:"0" description:"the server's process on this machine, to tell what it uses"`
	JSON        bool          `long:"json" description:"print the figures as JSON"`
	Permitted   bool          `long:"permitted" description:"the owner of the server allows the load; needed unless it is on this machine or in a private network"`
}

// settings are the options, checked.
type settings struct {
	addr       string // host:port
	user, pass string
	threads    int
	hashrate   float64 // limit in hashes per second, 0 for none
	quiet      bool
	tls        bool
	trust      trust

	bench *bench.Config // nil: mine
	json  bool
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
	var b benchOptions
	benchGroup, err := parser.AddGroup("Load generator", "", &b)
	if err != nil {
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
	s, err := o.check()
	if err != nil {
		return nil, err
	}
	if b.Bench == "" {
		for _, option := range benchGroup.Options() {
			if option.IsSet() && !option.IsSetDefault() {
				return nil, fmt.Errorf("--%s is for --bench only", option.LongName)
			}
		}
		return s, nil
	}
	s.bench, s.json = b.config(s), b.JSON
	return s, s.bench.Check()
}

// config is what the load generator is told.
func (b *benchOptions) config(s *settings) *bench.Config {
	return &bench.Config{
		Mode: bench.Mode(b.Bench), Addr: s.addr, TLS: s.tls, Permitted: b.Permitted,
		User: s.user, Pass: s.pass, UserAgent: cmp.Or(b.UserAgent, benchUserAgent),
		Connections: b.Connections, SlowReaders: b.SlowReaders,
		LoginRate: b.LoginRate, Parallel: b.Parallel, Timeout: b.Timeout,
		Rate: b.Rate, Depth: b.Depth, Duration: b.Duration, Difficulty: b.Difficulty, Prepare: b.Prepare,
		Sources: b.Sources, Threads: s.threads, PID: b.PID,
	}
}

func (o *options) check() (*settings, error) {
	s := &settings{user: o.User, pass: o.Pass, threads: o.Threads, quiet: o.Quiet}
	var err error
	if s.addr, s.tls, err = parseURL(o.URL); err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	s.tls = s.tls || o.TLS
	if s.trust, err = o.parseTrust(); err != nil {
		return nil, err
	}
	if !s.tls && (o.CAFile != "" || o.Fingerprint != "" || o.Insecure) {
		return nil, errors.New("--cafile, --fingerprint and --insecure are for encrypted connections; give --tls, or stratum+ssl:// in --url")
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

// parseURL returns the host:port of a server's URL, and whether it is to be
// encrypted. Scheme and port may be missing.
func parseURL(url string) (addr string, secure bool, err error) {
	rest := strings.TrimSuffix(url, "/")
	if scheme, after, found := strings.Cut(rest, "://"); found {
		switch scheme {
		case "stratum+tcp", "tcp":
		case "stratum+ssl", "stratum+tls", "ssl", "tls":
			secure = true
		default:
			return "", false, fmt.Errorf("%q has the scheme %s, only stratum+tcp and stratum+ssl are supported", url, scheme)
		}
		rest = after
	}
	if strings.ContainsAny(rest, "/@?# ") {
		return "", false, fmt.Errorf("%q is not of the form stratum+tcp://HOST:PORT", url)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		host, port = strings.Trim(rest, "[]"), defaultPort
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", false, fmt.Errorf("%q is not of the form stratum+tcp://HOST:PORT", url)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false, fmt.Errorf("%q has the port %q, which is not between 1 and 65535", url, port)
	}
	if host == "" {
		return "", false, fmt.Errorf("%q names no host", url)
	}
	return net.JoinHostPort(host, port), secure, nil
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
