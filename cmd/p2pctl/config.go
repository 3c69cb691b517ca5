package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/jessevdk/go-flags"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/conffile"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/cmd/internal/version"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// config is everything that can be set by flags and the conf file; the names are
// p2poold's. The unexported fields are worked out by validate.
type config struct {
	ConfigFile      string        `short:"C" long:"configfile" value-name:"FILE" description:"Conf file of the node (default: p2pool.conf in the data directory)" no-ini:"true"`
	Version         bool          `short:"V" long:"version" description:"Show the version and exit" no-ini:"true"`
	Network         string        `long:"network" value-name:"NAME" description:"Bitcoin network of the node: mainnet, testnet4, signet or regtest"`
	SignetChallenge string        `long:"signetchallenge" value-name:"HEX" description:"Block challenge of a custom signet"`
	Pool            string        `long:"pool" value-name:"NAME" description:"Pool of the node"`
	DataDir         string        `long:"datadir" value-name:"DIR" description:"Data directory of the node, where its cookie is"`
	Server          string        `long:"rpcserver" value-name:"ADDR" description:"Where the node accepts commands (default: this machine, or rpclisten of the conf file)" no-ini:"true"`
	User            string        `long:"rpcuser" value-name:"NAME" unquote:"false" description:"User name, if the node has one; else its cookie is used"`
	Pass            string        `long:"rpcpass" value-name:"PASSWORD" unquote:"false" default-mask:"-" description:"Password; better kept in the conf file, as other users can see it here"`
	CookieFile      string        `long:"rpccookiefile" value-name:"FILE" description:"Cookie file of the node (default: .cookie in the network's data directory)"`
	Timeout         time.Duration `long:"timeout" value-name:"TIME" description:"How long to wait for the answer" no-ini:"true"`
	JSON            bool          `long:"json" description:"Print the answer as JSON" no-ini:"true"`

	Listen []string `long:"rpclisten" hidden:"true"` // from the node's conf file only

	method string
	args   []string

	params         *chainparams.Params
	server         string // "host:port"
	user, password string
}

// defaultTimeout is longer than the node's own limit for a command, so that its
// error message arrives.
const defaultTimeout = 60 * time.Second

func defaultConfig() config {
	return config{Network: "mainnet", Pool: "main", DataDir: appdir.Default, Timeout: defaultTimeout}
}

// errShown is returned by loadConfig when the arguments ask only for text, which
// it carries.
type errShown struct{ text string }

func (e *errShown) Error() string { return "only a text was asked for" }

// loadConfig builds the configuration from the defaults, the node's conf file and
// the arguments, each overriding the one before.
func loadConfig(args []string) (*config, error) {
	first := defaultConfig()
	if err := parseFlags(&first, args); err != nil {
		return nil, err
	}
	path, explicit, err := appdir.ConfPath(first.ConfigFile, first.DataDir)
	if err != nil {
		return nil, err
	}
	cfg := defaultConfig()
	_, err = conffile.Load(path, newParser(&cfg), conffile.Lenient)
	switch {
	case errors.Is(err, fs.ErrNotExist) && explicit:
		return nil, fmt.Errorf("there is no conf file %s", path)
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("conf file: %w", err)
	}
	// The node's conf file has either login; a flag for one replaces the other.
	if first.CookieFile != "" {
		cfg.User, cfg.Pass = "", ""
	}
	if first.User != "" {
		cfg.CookieFile = ""
	}
	if err := parseFlags(&cfg, args); err != nil {
		return nil, err
	}
	return &cfg, cfg.validate()
}

func newParser(cfg *config) *flags.Parser {
	p := flags.NewNamedParser("p2pctl", conffile.ParserOptions)
	p.Usage = "[options] METHOD [PARAMETER...]"
	p.LongDescription = "Sends a command to a running p2poold and prints the answer."
	if _, err := p.AddGroup("Options", "", cfg); err != nil {
		panic(err) // a mistake in the struct tags, which the tests find
	}
	return p
}

// parseFlags sets cfg from the arguments.
func parseFlags(cfg *config, args []string) error {
	parser := newParser(cfg)
	rest, err := parser.ParseArgs(args)
	if e, ok := errors.AsType[*flags.Error](err); ok && e.Type == flags.ErrHelp {
		return &errShown{e.Message + "\n" + methodList()}
	}
	if err != nil {
		return conffile.FlagError(parser, err)
	}
	if cfg.Version {
		return &errShown{"p2pctl " + version.String() + "\n"}
	}
	if len(rest) == 0 {
		return errNoMethod
	}
	cfg.method, cfg.args = rest[0], rest[1:]
	return nil
}

// errNoMethod means that there are options at most.
var errNoMethod = errors.New("no method is given")

// usage is what is shown to somebody who gave no method.
func usage() string {
	return "Usage:\n  p2pctl [options] METHOD [PARAMETER...]\n\n" + methodList() +
		"\np2pctl help METHOD explains one of them, p2pctl --help shows the options.\n"
}

// methodList lists the methods with a heading.
func methodList() string {
	list, err := rpcserver.Help("")
	if err != nil {
		panic(err) // only about an unknown method
	}
	return "Methods:\n\n" + list + "\n"
}

// validate works out where the node is and how to log in.
func (c *config) validate() error {
	net, err := chainparams.ParseNetwork(c.Network)
	if err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	var opts []chainparams.Option
	if c.SignetChallenge != "" {
		script, err := hex.DecodeString(c.SignetChallenge)
		if err != nil {
			return errors.New("--signetchallenge: this must be hex")
		}
		opts = append(opts, chainparams.WithSignetChallenge(script))
	}
	if c.params, err = chainparams.New(net, c.Pool, opts...); err != nil {
		return fmt.Errorf("--pool: %w", err)
	}
	if c.server, err = c.serverAddr(); err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return errors.New("--timeout: it must be positive, for example 30s")
	}
	return c.findLogin()
}

// serverAddr is --rpcserver, else where the conf file has the node listen, else
// the network's default.
func (c *config) serverAddr() (string, error) {
	if c.Server == "" && len(c.Listen) > 0 {
		c.Server = reachable(c.Listen[0], c.params.DefaultRPCPort)
	}
	if c.Server == "" {
		c.Server = "127.0.0.1"
	}
	addr, err := hostport.Dial(c.Server, c.params.DefaultRPCPort)
	if err != nil {
		return "", fmt.Errorf("--rpcserver: %w", err)
	}
	return addr, nil
}

// reachable turns an address to listen on into one to connect to: for all
// interfaces it is loopback.
func reachable(listen string, port uint16) string {
	full, err := hostport.Listen(listen, port)
	if err != nil {
		return listen // to be complained about as --rpcserver
	}
	host, text, err := net.SplitHostPort(full)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip == netip.IPv4Unspecified() {
		host = "127.0.0.1"
	} else if err == nil && ip == netip.IPv6Unspecified() {
		host = "::1"
	}
	return net.JoinHostPort(host, text)
}

// findLogin sets user and password, from the options or the cookie.
func (c *config) findLogin() error {
	switch {
	case (c.User == "") != (c.Pass == ""):
		return errors.New("--rpcuser and --rpcpass go together; without both the node's cookie is used")
	case c.User != "" && c.CookieFile != "":
		return errors.New("--rpccookiefile and --rpcuser exclude each other")
	case c.User != "":
		c.user, c.password = c.User, c.Pass
		return nil
	}
	if c.CookieFile == "" {
		c.CookieFile = filepath.Join(c.DataDir, c.params.DataDirName(), appdir.CookieFile)
	}
	path, err := appdir.Expand(c.CookieFile)
	if err != nil {
		return fmt.Errorf("--rpccookiefile: %w", err)
	}
	c.CookieFile = path
	return nil
}
