package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/nodes"
)

// errBitcoindURL is the whole message about a URL that cannot be parsed: the
// text itself may hold a password and must not end up in a log.
var errBitcoindURL = errors.New("write http://user:password@host:port, with any of the characters @ : / ? # % in the password as %40 %3A %2F %3F %23 %25")

// bitcoinNode is a Bitcoin node of the configuration, with user and password in the URL
// or else a cookie file.
type bitcoinNode struct{ url, cookie string }

// validateBitcoind completes URL and Cookie, so that each URL has a port, and makes nodes
// of them: the cookie files belong, in order, to the URLs without user and password.
func (c *config) validateBitcoind() error {
	b := &c.Bitcoin
	if len(b.URL) == 0 {
		b.URL = []string{"http://127.0.0.1"}
	}
	if len(b.URL) > nodes.MaxNodes {
		return c.invalid("bitcoind", fmt.Errorf("at most %d Bitcoin nodes", nodes.MaxNodes))
	}
	var bare []*bitcoinNode // those that need a cookie
	b.nodes = make([]bitcoinNode, len(b.URL))
	hosts := make(map[string]bool)
	for i, text := range b.URL {
		u, err := parseBitcoindURL(text, c.params.DefaultBitcoindPort)
		if err != nil {
			return c.invalid("bitcoind", err)
		}
		if hosts[u.Host] {
			return c.invalid("bitcoind", fmt.Errorf("%s is named twice", u.Host))
		}
		hosts[u.Host] = true
		b.URL[i] = u.String()
		b.nodes[i].url = b.URL[i]
		if u.User == nil {
			bare = append(bare, &b.nodes[i])
		}
	}
	return c.shareCookies(bare)
}

// shareCookies gives each of the nodes without user and password its cookie file. One
// alone may have the default.
func (c *config) shareCookies(bare []*bitcoinNode) error {
	b := &c.Bitcoin
	switch {
	case len(b.Cookie) > len(bare) && len(b.URL) == 1:
		if len(bare) == 1 {
			return c.invalid("bitcoindcookie", errors.New("there is one Bitcoin node; give one cookie file"))
		}
		return c.invalid("bitcoindcookie", errors.New("--bitcoind has a user and password already; use either them or the cookie"))
	case len(b.Cookie) == 0 && len(bare) == 1:
		path, err := defaultBitcoindCookie(c.params.Network)
		if err != nil {
			return c.invalid("bitcoindcookie", fmt.Errorf("the Bitcoin node's cookie file cannot be guessed (%w); name it, or put user and password into --bitcoind", err))
		}
		b.Cookie = []string{path}
	case len(b.Cookie) != len(bare):
		return c.invalid("bitcoindcookie", fmt.Errorf("%d cookie files for %d Bitcoin nodes without user and password; give one for each, in the order of --bitcoind",
			len(b.Cookie), len(bare)))
	default:
		for i, text := range b.Cookie {
			path, err := cookiePath(text)
			if err != nil {
				return c.invalid("bitcoindcookie", err)
			}
			b.Cookie[i] = path
		}
	}
	for i, node := range bare {
		node.cookie = b.Cookie[i]
	}
	return nil
}

// parseBitcoindURL checks a URL and gives it a port.
func parseBitcoindURL(text string, defaultPort uint16) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme == "", u.Host == "":
		return nil, errBitcoindURL
	case u.Scheme != "http":
		return nil, fmt.Errorf("only http is supported, not %s; reach a Bitcoin node on another machine through a tunnel", u.Scheme)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("nothing may follow the port")
	}
	host, err := hostport.Dial(u.Host, defaultPort)
	if err != nil {
		return nil, err
	}
	if password, _ := u.User.Password(); u.User != nil && (u.User.Username() == "" || password == "") {
		return nil, errors.New("give both user and password, or none and --bitcoindcookie")
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: host}, nil
}

// cookiePath checks the cookie file that the user named. It may be missing, as
// it appears only when the Bitcoin node starts, but not its directory.
func cookiePath(text string) (string, error) {
	path, err := appdir.Expand(text)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return "", fmt.Errorf("there is no directory %s", filepath.Dir(path))
		}
		return path, nil
	case err != nil:
		return "", unreadable(path, err)
	case info.IsDir():
		return "", fmt.Errorf("%s is a directory; the cookie is a file named .cookie in it", path)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	return path, f.Close()
}

// unreadable words the usual reason for which a cookie cannot be read.
func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s cannot be read by this user; let it (bitcoind's -rpccookieperms=group), or give user and password in --bitcoind", path)
	}
	return err
}

// bitcoindSubdir is the directory of each network below Bitcoin Core's data
// directory.
var bitcoindSubdir = map[chainparams.Network]string{
	chainparams.Mainnet:  "",
	chainparams.Testnet4: "testnet4",
	chainparams.Signet:   "signet",
	chainparams.Regtest:  "regtest",
}

// defaultBitcoindCookie returns where Bitcoin Core keeps its cookie. A custom
// signet uses the default signet's directory there.
func defaultBitcoindCookie(net chainparams.Network) (string, error) {
	dir := "~/.bitcoin"
	switch runtime.GOOS {
	case "darwin":
		dir = "~/Library/Application Support/Bitcoin"
	case "windows":
		dir = "~/AppData/Local/Bitcoin"
	}
	dir, err := appdir.Expand(dir)
	return filepath.Join(dir, bitcoindSubdir[net], ".cookie"), err
}

// bitcoinNodes returns the configuration of the Bitcoin nodes.
func (n *node) bitcoinNodes() []bitcoind.Config {
	var list []bitcoind.Config
	for _, node := range n.cfg.Bitcoin.nodes {
		cfg := bitcoind.Config{
			URL: node.url, CookieFile: node.cookie,
			Params: n.cfg.params.Bitcoin, SignetChallenge: n.cfg.params.SignetChallenge,
			Log: n.logs.logger(subsysBitcoin),
		}
		n.signals(&cfg, len(n.cfg.Bitcoin.nodes) > 1)
		list = append(list, cfg)
	}
	return list
}

// bitcoinPeers returns the Bitcoin nodes' ports for peers, to which found blocks are
// sent as well. What listens there need not be the same node: any will do.
func (n *node) bitcoinPeers() []string {
	b := &n.cfg.Bitcoin
	var list []string
	if b.p2p != "" {
		list = append(list, b.p2p)
	}
	if !b.findP2P {
		return list
	}
	for _, node := range b.nodes {
		if u, err := url.Parse(node.url); err == nil {
			list = append(list, net.JoinHostPort(u.Hostname(), n.cfg.params.Bitcoin.DefaultPort))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
