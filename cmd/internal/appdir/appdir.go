// Package appdir knows where p2poold keeps its files, for p2poold itself and for
// p2pctl, which must find the conf file and the RPC cookie.
//
//	~/.p2poold/                  the data directory, --datadir
//	    p2pool.conf              the conf file
//	    regtest-main/            one directory per network and pool
//	        .cookie              RPC password of the running node
//	        .lock                held by the running node
//	        banlist.json         banned and discouraged addresses
//	        blocks-found/        Bitcoin blocks of the pool
//	        logs/                log files
//	        miners.dat           statistics and sessions of miners
//	        payout.json          which addresses of descriptors are in use
//	        peers.dat            addresses of other nodes
//	        sharechain/          database
//	        stratum.pem          certificate for miners that the node made, with its key
package appdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Names inside the data directory.
const (
	ConfFile   = "p2pool.conf"
	CookieFile = ".cookie"
	LockFile   = ".lock"
	LogDir     = "logs"
	Database   = "sharechain"
	Peers      = "peers.dat"
	Bans       = "banlist.json"
	Payout     = "payout.json"
	Miners     = "miners.dat"

	FoundBlocks = "blocks-found"
	StratumCert = "stratum.pem"
)

// Default is the data directory unless --datadir names another, in the form
// that help and the sample conf file show.
const Default = "~/.p2poold"

// Expand makes a path of the user's absolute, with "~/" standing for the home
// directory, also where no shell has replaced it, as in the conf file.
func Expand(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	if path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%s: the home directory is not known (%w); give a path without ~", path, err)
		}
		path = filepath.Join(home, path[1:])
	}
	return filepath.Abs(path)
}

// ConfPath returns the conf file to read: the one named with -C, else the one in
// the data directory. explicit tells that the user named it, so that it must
// exist.
func ConfPath(configFile, dataDir string) (path string, explicit bool, err error) {
	if configFile != "" {
		path, err = Expand(configFile)
		return path, true, err
	}
	dir, err := Expand(dataDir)
	return filepath.Join(dir, ConfFile), false, err
}
