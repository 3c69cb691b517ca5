package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/jessevdk/go-flags"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/conffile"
	"github.com/p2poold/p2poold/mining/merged"
	"github.com/p2poold/p2poold/mining/payee"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/stratum"
)

// config is everything that can be set by flags and the conf file. Each group
// has its own type with its validator in config_*.go. The unexported fields are
// worked out by validate; the node uses them rather than the raw texts.
type config struct {
	General generalConfig `group:"General"`
	Bitcoin bitcoinConfig `group:"Bitcoin node"`
	Merged  mergedConfig  `group:"Merged mining"`
	P2P     p2pConfig     `group:"Pool network"`
	Stratum stratumConfig `group:"Miners"`
	RPC     rpcConfig     `group:"Control (RPC)"`
	Log     logConfig     `group:"Logging"`

	params *chainparams.Params
	netDir string         // DATADIR/NETWORK-POOL, absolute
	barren string         // why no block can be found on this network, "" if one can
	own    []payee.Source // of --address
	donee  []byte         // output script of --donationaddress, nil without one

	now func() time.Time // for tests; nil: time.Now

	control *control // of the process; nil in some tests
	args    []string // that it was made of

	confFile string            // that was read, "" if there is none
	origin   map[string]string // option name → where it was set, for error messages
}

// generalConfig is what everything else depends on.
type generalConfig struct {
	ConfigFile      string   `short:"C" long:"configfile" value-name:"FILE" description:"Conf file to read (default: p2pool.conf in the data directory)" no-ini:"true"`
	Version         bool     `short:"V" long:"version" description:"Show the version and exit" no-ini:"true"`
	CheckConfig     bool     `long:"checkconfig" description:"Check arguments, conf file and the miners' certificate, and exit" no-ini:"true"`
	CheckDB         bool     `long:"checkdb" description:"Verify the stored sharechain, report, and exit" no-ini:"true"`
	Reindex         bool     `long:"reindex" description:"Rebuild the database from what can be read of it, then run; the old one is kept" no-ini:"true"`
	Network         string   `long:"network" value-name:"NAME" description:"Bitcoin network: mainnet, testnet4, signet or regtest"`
	SignetChallenge string   `long:"signetchallenge" value-name:"HEX" description:"Block challenge of a custom signet"`
	Pool            string   `long:"pool" value-name:"NAME" description:"Pool: main, mini, or the name of a private pool"`
	DataDir         string   `long:"datadir" value-name:"DIR" description:"Where everything is kept, in one directory per network and pool"`
	Address         []string `long:"address" value-name:"ADDRESS" description:"Payout address of this node, or descriptor such as wpkh(xpub.../0/*), may be repeated; without one, miners must log in with an address of their own"`
	Fee             float64  `long:"fee" value-name:"PERCENT" description:"Part of the jobs of miners with an address of their own that pays this node's instead, by lot"`
	Donation        float64  `long:"donation" value-name:"PERCENT" description:"Part of all jobs that pays --donationaddress, by lot"`
	Donee           string   `long:"donationaddress" value-name:"ADDRESS" description:"Address that --donation is for; there is none unless you name one"`
	Tag             string   `long:"tag" value-name:"TEXT" description:"Text of up to 16 characters to put into the coinbase of found blocks"`
	MinFree         int      `long:"minfreespace" value-name:"MIB" description:"Give miners no work while the disk has less free space than this, in MiB; 0 doesn't look"`
}

// bitcoinConfig says how to reach the Bitcoin node.
type bitcoinConfig struct {
	URL       []string `long:"bitcoind" value-name:"URL" unquote:"false" description:"RPC address of the Bitcoin node, http://[USER:PASSWORD@]HOST[:PORT] (default: this machine, the network's usual port); may be repeated, the preferred node first"`
	Cookie    []string `long:"bitcoindcookie" value-name:"FILE" description:"Cookie file of the Bitcoin node (default: where Bitcoin Core keeps it, if the URL has no password); of several nodes, one for each URL without a password, in their order"`
	ZMQ       []string `long:"zmq" value-name:"ADDR" description:"Where Bitcoin Core publishes blocks by ZMQ, tcp://HOST:PORT, may be repeated (default: as it says itself)"`
	P2P       string   `long:"bitcoinp2p" value-name:"ADDR" description:"The Bitcoin node's port for peers, where it tells of new blocks (default: the usual one on its machine, none on regtest); 0 uses none"`
	Speculate bool     `long:"speculate" description:"Work on a block before the Bitcoin node has checked more than its proof of work; needs --bitcoinp2p"`

	nodes   []bitcoinNode
	p2p     string // of P2P, with port; empty if that is not given
	findP2P bool   // try the usual port
}

// mergedConfig says what to mine besides Bitcoin.
type mergedConfig struct {
	URL []string `long:"mergedmining" value-name:"URL" unquote:"false" default-mask:"-" description:"Mine the chain of this node too, http://USER:PASSWORD@HOST:PORT/?address=ADDRESS, where the address is one of that chain; may be repeated"`

	nodes []*merged.Endpoint
}

// p2pConfig is about the connections to other nodes of the pool.
type p2pConfig struct {
	Listen   []string `long:"listen" value-name:"ADDR" description:"Address to accept other nodes on, may be repeated (default: all interfaces, the network's port); with =onion or =i2p behind it, for a hidden service"`
	NoListen bool     `long:"nolisten" description:"Accept no connections from other nodes; the same follows from --connect and --proxy unless --listen is given too"`
	Connect  []string `long:"connect" value-name:"ADDR" description:"Connect to this node and to no others that are not named so, may be repeated"`
	AddNode  []string `long:"addnode" value-name:"ADDR" description:"Connect to this node besides those found otherwise, may be repeated"`
	Solo     bool     `long:"solo" description:"Give miners work on a public pool although no other node is connected; what they find alone is worth nothing to the others"`
	MaxPeers int      `long:"maxpeers" value-name:"N" description:"Most connections to other nodes, both directions together"`
	White    []string `long:"whitelist" value-name:"ADDR" description:"Never ban or discourage peers at this address or network (10.0.0.0/8), nor limit the connections of miners there, may be repeated"`
	BanTime  string   `long:"banduration" value-name:"TIME" description:"How long a peer that broke a rule is kept at a distance, such as 24h; 0 only disconnects it"`
	External []string `long:"externalip" value-name:"ADDR" description:"Address at which others reach this node, for them to pass on, may be repeated (default: the one they see)"`
	NoSeeds  bool     `long:"nodnsseed" description:"Don't ask the DNS for addresses of nodes"`
	V2       bool     `long:"v2transport" description:"Encrypt connections to nodes that can (BIP 324); 0 encrypts none"`
	Verify   bool     `long:"verifytemplates" description:"Have the Bitcoin node judge the blocks that others' shares would be, and disconnect who sends invalid ones; costs the node half a second each"`
	Proxy    string   `long:"proxy" value-name:"ADDR" description:"SOCKS5 proxy for connections to other nodes, such as Tor's; it resolves their names, and nobody can connect to this node unless --listen is given too"`
	Onion    string   `long:"onion" value-name:"ADDR" description:"SOCKS5 port of Tor, for nodes in Tor only (default: --proxy); 0 connects to none there"`
	I2P      string   `long:"i2p" value-name:"ADDR" description:"SOCKS5 port of an I2P router, for nodes in I2P only"`
	OnlyNet  []string `long:"onlynet" value-name:"NET" description:"Find nodes in this network only, ipv4, ipv6, onion or i2p; may be repeated"`
	UPnP     bool     `long:"upnp" description:"Have the router forward the port to this node, by UPnP"`
	NATPMP   bool     `long:"natpmp" description:"Have the router forward the port to this node, by NAT-PMP, which is tried before --upnp"`
	NoMDNS   bool     `long:"nomdns" description:"Don't look for nodes in the local network, and don't show this one there (default on regtest; the same follows from --connect, --proxy, and --onlynet without ipv4)"`

	external  []netaddr.Addr
	whitelist []netip.Prefix
	banTime   time.Duration
	hidden    []p2p.HiddenService // of --listen=…=onion
	only      []netaddr.Network
	mdns      bool // nodes are looked for in the local network
}

// stratumConfig is about the connections of miners.
type stratumConfig struct {
	Listen         []string `long:"stratumlisten" value-name:"ADDR" description:"Address to accept miners on, may be repeated (default: all interfaces, the network's port)"`
	TLSListen      []string `long:"stratumtlslisten" value-name:"ADDR" description:"Address to accept miners on that encrypt, and no others, may be repeated; --stratumlisten accepts both"`
	Cert           string   `long:"stratumcert" value-name:"FILE" description:"Certificate for miners that encrypt, in PEM (default: one that the node makes)"`
	Key            string   `long:"stratumkey" value-name:"FILE" description:"Its key, in PEM"`
	NoTLS          bool     `long:"nostratumtls" description:"Don't accept encrypted connections of miners"`
	NoStatus       bool     `long:"nostatuspage" description:"Don't show the node's state to browsers on the miners' port"`
	Proxies        []string `long:"proxyprotocol" value-name:"ADDR" description:"Address or network (10.0.0.0/8) of a proxy, such as HAProxy, that is believed when it tells a miner's address by the PROXY protocol, may be repeated"`
	MaxMiners      int      `long:"maxminers" value-name:"N" description:"Most connections of miners; 0: 20000, or fewer as the limit on open files allows"`
	MaxPerIP       int      `long:"maxminersperip" value-name:"N" description:"Most connections of miners from one IP address; 0: a quarter of --maxminers"`
	InvalidAddress string   `long:"invalidaddress" value-name:"WHAT" description:"What becomes of miners whose user name holds an address that cannot be paid: reject, or node, to mine for this node"`
	MinDifficulty  float64  `long:"mindifficulty" value-name:"D" description:"Least difficulty that miners are given, except where shares are easier"`
	Classes        []string `long:"coinbaseclass" value-name:"UA:CLASS" description:"Output class of devices whose user agent begins with UA, or contains it with * in front, such as whatsminer/:36; may be repeated"`

	devices stratum.Devices
	proxies []netip.Prefix
}

// rpcConfig is about the control interface.
type rpcConfig struct {
	Listen     []string `long:"rpclisten" value-name:"ADDR" description:"Address to accept commands on, may be repeated (default: this machine only, the network's port)"`
	User       string   `long:"rpcuser" value-name:"NAME" unquote:"false" description:"User name for commands; without one, a cookie file is used"`
	Pass       string   `long:"rpcpass" value-name:"PASSWORD" unquote:"false" default-mask:"-" description:"Password for commands"`
	CookieFile string   `long:"rpccookiefile" value-name:"FILE" description:"Where to write the cookie (default: .cookie in the network's data directory)"`
	AllowIP    []string `long:"rpcallowip" value-name:"ADDR" description:"Accept commands from this address or network (10.0.0.0/8) too, may be repeated"`
	Disable    bool     `long:"norpc" description:"Accept no commands at all"`

	allow []netip.Prefix
}

// logConfig is about logging.
type logConfig struct {
	Level    string `long:"debuglevel" value-name:"SPEC" description:"Log level: trace, debug, info, warn, error, critical or off, and others for single subsystems: info,PEER=debug,STRM=trace"`
	Dir      string `long:"logdir" value-name:"DIR" description:"Where to write log files (default: logs in the network's data directory)"`
	NoFile   bool   `long:"nofilelogging" description:"Log to standard output only"`
	MaxSize  int    `long:"maxlogsize" value-name:"MIB" description:"Size in MiB at which the log file is compressed and a new one begun"`
	MaxFiles int    `long:"maxlogfiles" value-name:"N" description:"How many old log files to keep; 0 keeps all"`
}

// defaultMaxPeers is 8 full, 2 share-only and 1 feeler connection outbound and
// 114 inbound, as in Bitcoin Core.
const defaultMaxPeers = 8 + 2 + 1 + 114

// defaultConfig returns the defaults that do not depend on the network; validate
// adds the others.
func defaultConfig() config {
	return config{
		General: generalConfig{Network: "mainnet", Pool: "main", DataDir: appdir.Default, MinFree: defaultMinFree},
		P2P:     p2pConfig{MaxPeers: defaultMaxPeers, BanTime: defaultBanTime, V2: true},
		Stratum: stratumConfig{InvalidAddress: invalidReject, MinDifficulty: stratum.DefaultMinDifficulty},
		Log:     logConfig{Level: "info", MaxSize: 10, MaxFiles: 10},
	}
}

// errShown is returned by loadConfig when the arguments ask only for text, which
// it carries.
type errShown struct{ text string }

func (e *errShown) Error() string { return "only a text was asked for" }

// loadConfig builds the configuration from the defaults, the conf file and the
// arguments, each overriding the one before, and validates it. The error is an
// *errShown for --help and --version, else something the user must correct.
func loadConfig(args []string) (*config, error) {
	// A first pass finds the conf file, whose values the flags must then
	// override.
	first := defaultConfig()
	if _, err := parseFlags(&first, args); err != nil {
		return nil, err
	}
	if first.General.Version {
		return nil, &errShown{"p2poold " + version() + "\n"}
	}
	path, explicit, err := appdir.ConfPath(first.General.ConfigFile, first.General.DataDir)
	if err != nil {
		return nil, err
	}
	cfg := defaultConfig()
	cfg.args = args
	lines, err := conffile.Load(path, newParser(&cfg), conffile.Strict)
	switch {
	case errors.Is(err, fs.ErrNotExist) && explicit:
		return nil, fmt.Errorf("there is no conf file %s", path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return nil, fmt.Errorf("conf file: %w", err)
	default:
		cfg.confFile = path
	}
	parser, err := parseFlags(&cfg, args)
	if err != nil {
		return nil, err
	}
	cfg.setOrigin(parser, path, lines)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &cfg, nil
}

func newParser(cfg *config) *flags.Parser {
	p := flags.NewNamedParser("p2poold", conffile.ParserOptions)
	p.Usage = "[options]"
	p.LongDescription = "A node of a decentralised Bitcoin mining pool. It needs a running Bitcoin node and, for the miners' pay, --address. Options may also be set in the conf file, without the dashes: see sample-p2pool.conf. p2pctl talks to the running node."
	if _, err := p.AddGroup("", "", cfg); err != nil {
		panic(err) // a mistake in the struct tags, which the tests find
	}
	return p
}

// parseFlags sets cfg from the arguments.
func parseFlags(cfg *config, args []string) (*flags.Parser, error) {
	parser := newParser(cfg)
	rest, err := parser.ParseArgs(args)
	if e, ok := errors.AsType[*flags.Error](err); ok && e.Type == flags.ErrHelp {
		return nil, &errShown{e.Message + "\n"}
	}
	if err != nil {
		return nil, flagError(parser, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q: options begin with --", rest[0])
	}
	return parser, nil
}

// flagError words go-flags' errors for somebody who doesn't know Go.
func flagError(parser *flags.Parser, err error) error {
	e, ok := errors.AsType[*flags.Error](err)
	if !ok || e.Type != flags.ErrExpectedArgument && e.Type != flags.ErrMarshal {
		return conffile.FlagError(parser, err)
	}
	// go-flags puts the option between these quotes, "-C, --configfile" if it has
	// a short form.
	_, name, _ := strings.Cut(e.Message, "`")
	name, _, _ = strings.Cut(name, "'")
	name = name[strings.LastIndex(name, "-")+1:]
	opt := parser.FindOptionByLongName(name)
	switch {
	case opt == nil:
		return err
	case e.Type == flags.ErrExpectedArgument:
		return fmt.Errorf("--%s needs a value: --%s=%s", name, name, opt.ValueName)
	case opt.Field().Type.Kind() == reflect.Bool:
		return fmt.Errorf("--%s: write --%s, or --%s=0 to override the conf file", name, name, name)
	}
	if opt.Field().Type.Kind() == reflect.Float64 {
		return fmt.Errorf("--%s: it must be a number, such as 1.5", name)
	}
	return fmt.Errorf("--%s: it must be a whole number", name)
}

// setOrigin remembers where each option was set.
func (c *config) setOrigin(parser *flags.Parser, path string, lines map[string]int) {
	c.origin = make(map[string]string)
	for name, line := range lines {
		c.origin[name] = fmt.Sprintf("%s, line %d: %s", path, line, name)
	}
	for _, name := range conffile.Names(parser) {
		if parser.FindOptionByLongName(name).IsSet() {
			c.origin[name] = "--" + name
		}
	}
}

// invalid words an error about an option so that it names the flag, or the line
// of the conf file, that has to be changed.
func (c *config) invalid(option string, err error) error {
	origin, ok := c.origin[option]
	if !ok {
		origin = "--" + option
	}
	return fmt.Errorf("%s: %w", origin, err)
}

// validate checks all groups in the order of their dependence and works out what
// follows from the options.
func (c *config) validate() error {
	for _, check := range []func() error{
		c.validateNetwork,
		c.validateDataDir,
		c.validatePayout,
		c.validateTag,
		c.validateDisk,
		c.validateBitcoind,
		c.validateMerged,
		c.validateSignals,
		c.validateP2P,
		c.validateStratum,
		c.validateRPC,
		c.validateLog,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// validateDataDir sets netDir.
func (c *config) validateDataDir() error {
	if c.General.CheckDB && c.General.Reindex {
		return errors.New("--checkdb changes nothing and --reindex rebuilds: use one at a time")
	}
	dir, err := appdir.Expand(c.General.DataDir)
	if err != nil {
		return c.invalid("datadir", err)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return c.invalid("datadir", fmt.Errorf("%s is not a directory", dir))
	}
	c.netDir = filepath.Join(dir, c.params.DataDirName())
	return nil
}

// confNote tells in the log whether a conf file was read.
func (c *config) confNote() string {
	if c.confFile == "" {
		return "no conf file"
	}
	return "conf file " + c.confFile
}

// databaseDir is where the database lives.
func (c *config) databaseDir() string { return filepath.Join(c.netDir, appdir.Database) }

// peersFile is where the addresses of other nodes are kept.
func (c *config) peersFile() string { return filepath.Join(c.netDir, appdir.Peers) }

// certFile is where the certificate for miners is kept that the node makes.
func (c *config) certFile() string { return filepath.Join(c.netDir, appdir.StratumCert) }

// minersFile is where the miners' statistics and sessions are kept.
func (c *config) minersFile() string { return filepath.Join(c.netDir, appdir.Miners) }

// foundDir is where found blocks are kept.
func (c *config) foundDir() string { return filepath.Join(c.netDir, appdir.FoundBlocks) }
