package merged

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Endpoint is where the node of another chain is, and what to ask it for.
type Endpoint struct {
	// CookieFile is the path of a file with user and password, as the text has it; "" if
	// they are given.
	CookieFile string

	url     url.URL // without login and options
	user    string
	pass    string
	address string // to pay, "" to leave it to the node's wallet
	chainID int64  // that it must have, -1 if any
}

// endpointForm is what ParseURL takes, for messages.
const endpointForm = "write http://USER:PASSWORD@HOST:PORT/?address=ADDRESS, " +
	"with any of the characters @ : / ? # % & + in user and password as %40 %3A %2F %3F %23 %25 %26 %2B"

// ParseURL reads an address of the form
//
//	http://USER:PASSWORD@HOST:PORT/PATH?address=ADDRESS&chainid=ID&cookie=FILE
//
// PATH and the options behind the question mark may be left out. The address is that
// of the other chain which its blocks pay; without one the node's wallet is paid
// (getauxblock). A chain id other than the one given is refused. The cookie file stands
// in for user and password. Errors do not repeat the text, which may have a password.
func ParseURL(text string) (*Endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errors.New(endpointForm)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "http":
		return nil, errors.New("only http is supported; reach a node on another machine through a tunnel")
	case u.Hostname() == "" || err != nil || port == 0:
		return nil, errors.New("host or port is missing; " + endpointForm)
	case u.Fragment != "":
		return nil, errors.New("nothing may follow a #; " + endpointForm)
	}
	e := &Endpoint{
		url:  url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), u.Port()), Path: u.Path},
		user: u.User.Username(), chainID: -1,
	}
	if e.url.Path == "" {
		e.url.Path = "/"
	}
	e.pass, _ = u.User.Password()
	if err := e.setOptions(u.RawQuery); err != nil {
		return nil, err
	}
	switch given := e.user != "" || e.pass != ""; {
	case given && e.CookieFile != "":
		return nil, errors.New("there are both a user and password and a cookie file; give one of them")
	case !given && e.CookieFile == "", given && (e.user == "" || e.pass == ""):
		return nil, errors.New("give both user and password, or cookie=FILE behind the question mark")
	}
	return e, nil
}

// setOptions reads what stands behind the question mark.
func (e *Endpoint) setOptions(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the options behind the question mark cannot be read; " + endpointForm)
	}
	for name, list := range values {
		if len(list) != 1 || list[0] == "" {
			return fmt.Errorf("%.20q must be there once, with a value", name)
		}
		switch value := list[0]; name {
		case "address":
			e.address = value
		case "cookie":
			e.CookieFile = value
		case "chainid":
			id, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return fmt.Errorf("chainid must be a number from 0 to %d", math.MaxInt32)
			}
			e.chainID = int64(id)
		default:
			return fmt.Errorf("there is no option %.20q; there are address, chainid and cookie", name)
		}
	}
	return nil
}

// String returns the address without login and options, for people.
func (e *Endpoint) String() string { return e.url.String() }

// maxCookie bounds a cookie file, in bytes; Namecoin Core's has 75.
const maxCookie = 4096

// credentials returns user and password, from the cookie file as it is now.
func (e *Endpoint) credentials() (user, pass string, err error) {
	if e.CookieFile == "" {
		return e.user, e.pass, nil
	}
	info, err := os.Stat(e.CookieFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", "", fmt.Errorf("there is no cookie file %s: the node does not run, or keeps it elsewhere", e.CookieFile)
	case err != nil:
		return "", "", err
	case !info.Mode().IsRegular() || info.Size() > maxCookie:
		return "", "", fmt.Errorf("%s is not a cookie file", e.CookieFile)
	}
	b, err := os.ReadFile(e.CookieFile)
	if err != nil {
		return "", "", err
	}
	user, pass, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
	if !ok || pass == "" {
		return "", "", fmt.Errorf("%s is not a cookie file", e.CookieFile)
	}
	return user, pass, nil
}
