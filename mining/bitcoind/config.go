package bitcoind

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/mining"
)

// Config is what a [Client] needs to know.
type Config struct {
	// URL is the node's RPC address: http://user:pass@host:port, or http://host:port
	// with a cookie file. There is no TLS: bitcoind has none, and btcd needs --notls.
	URL string

	// CookieFile is the path of the node's cookie file; it takes the place of user and
	// password. Bitcoin Core writes it, as .cookie, into its data directory.
	CookieFile string

	// Params is the Bitcoin network that the node must be on.
	Params *chaincfg.Params

	// SignetChallenge is the block challenge of a custom signet; nil means the one of
	// the default signet. It matters on signet only. btcd doesn't report its own.
	SignetChallenge []byte

	// OnTemplate gets each new template: at once for a new block, at least every 30 s
	// for new transactions. It is called from Run, one call at a time, and must not
	// block. The template has passed its Check and must not be changed.
	OnTemplate func(*mining.Template)

	// OnTip gets a new best block before its template is here, under the same
	// conditions. A template on the block follows; one on another block means that the
	// node has changed its mind.
	OnTip func(Tip)

	// CheckHeader returns nil for a header on top of a known one that keeps Bitcoin's
	// rules. It makes news that have a header cost the node no question; without it, nil,
	// they all do. It may be called from many goroutines.
	CheckHeader func(*wire.BlockHeader) error

	// ZMQ are the addresses of Bitcoin Core's ZMQ publisher, tcp://host:port. Without
	// any, the node is asked for them.
	ZMQ []string

	// BitcoinP2P is the node's peer network port, host:port; empty for none, or for the
	// usual one on the node's machine if FindBitcoinP2P is set.
	BitcoinP2P     string
	FindBitcoinP2P bool

	// Shared says that ZMQ and BitcoinP2P may be those of another node: what they tell is
	// asked of this one.
	Shared bool

	// Speculate takes a block for the tip before the node has validated it, where the
	// node relays it so early (compact blocks, from BitcoinP2P only).
	Speculate bool

	// OnHealth gets the node's health when it changes, under the same conditions.
	OnHealth func(Health)

	// Log is the subsystem's logger; nil means none.
	Log slog.Logger
}

// endpoint is where the node is and who we are to it.
type endpoint struct {
	addr       string // host:port
	user, pass string
	cookieFile string
}

// parseEndpoint reads URL and CookieFile of a configuration.
func parseEndpoint(cfg *Config) (*endpoint, error) {
	const form = "want http://user:pass@host:port"
	u, err := url.Parse(cfg.URL)
	if err != nil {
		// The parser's own message would repeat the URL with its password.
		return nil, fmt.Errorf("--bitcoind: not a URL; %s", form)
	}
	switch {
	case u.Scheme == "https":
		return nil, errors.New("--bitcoind: https is not supported; use http " +
			"(bitcoind has no TLS, btcd needs --notls) and a tunnel for a node on another machine")
	case u.Scheme != "http" || u.Hostname() == "" || u.Port() == "":
		return nil, fmt.Errorf("--bitcoind: address is incomplete; %s", form)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("--bitcoind: nothing may follow the port; %s", form)
	}
	e := &endpoint{
		addr:       net.JoinHostPort(u.Hostname(), u.Port()),
		user:       u.User.Username(),
		cookieFile: cfg.CookieFile,
	}
	e.pass, _ = u.User.Password()
	switch {
	case e.cookieFile != "" && (e.user != "" || e.pass != ""):
		return nil, errors.New("--bitcoind has a user and password and --bitcoindcookie is given too; give one of them")
	case e.cookieFile == "" && e.pass == "":
		return nil, fmt.Errorf("--bitcoind has no password; %s, or give --bitcoindcookie=FILE", form)
	}
	return e, nil
}

// maxCookie bounds a cookie file, in bytes; Bitcoin Core's has 75.
const maxCookie = 4096

// credentials returns user and password, from the cookie file as it is now.
func (e *endpoint) credentials() (user, pass string, err error) {
	if e.cookieFile == "" {
		return e.user, e.pass, nil
	}
	info, err := os.Stat(e.cookieFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", "", newError(ErrCookie, "there is no cookie file %s; start bitcoind or correct --bitcoindcookie "+
			"(bitcoind has it in its data directory while it runs without rpcuser)", e.cookieFile)
	case err == nil && (!info.Mode().IsRegular() || info.Size() > maxCookie):
		return "", "", newError(ErrCookie, "%s is not a cookie file; correct --bitcoindcookie", e.cookieFile)
	}
	b, err := os.ReadFile(e.cookieFile)
	if err != nil {
		return "", "", newError(ErrCookie, "can't read the cookie file: %v; "+
			"let p2poold's user read it (bitcoind's -rpccookieperms=group)", err)
	}
	user, pass, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
	if !ok || pass == "" {
		return "", "", newError(ErrCookie, "%s holds no user:password; correct --bitcoindcookie", e.cookieFile)
	}
	return user, pass, nil
}
