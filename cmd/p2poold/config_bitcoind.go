package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
)

// errBitcoindURL is the whole message about a URL that cannot be parsed: the
// text itself may hold a password and must not end up in a log.
var errBitcoindURL = errors.New("write http://user:password@host:port, with any of the characters @ : / ? # % in the password as %40 %3A %2F %3F %23 %25")

// validateBitcoind completes URL and Cookie, so that the URL has a port and
// either it has user and password or there is a cookie file.
func (c *config) validateBitcoind() error {
	b := &c.Bitcoin
	if b.URL == "" {
		b.URL = "http://127.0.0.1"
	}
	u, err := parseBitcoindURL(b.URL, c.params.DefaultBitcoindPort)
	if err != nil {
		return c.invalid("bitcoind", err)
	}
	b.URL = u.String()
	switch {
	case b.Cookie != "" && u.User != nil:
		return c.invalid("bitcoindcookie", errors.New("--bitcoind has a user and password already; use either them or the cookie"))
	case b.Cookie != "":
		if b.Cookie, err = cookiePath(b.Cookie); err != nil {
			return c.invalid("bitcoindcookie", err)
		}
	case u.User == nil:
		if b.Cookie, err = defaultBitcoindCookie(c.params.Network); err != nil {
			return c.invalid("bitcoindcookie", fmt.Errorf("the Bitcoin node's cookie file cannot be guessed (%w); name it, or put user and password into --bitcoind", err))
		}
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
