package rpcserver

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CookieUser is the user name in a cookie file, the same as Bitcoin Core's.
const CookieUser = "__cookie__"

const (
	cookieSecretSize = 32  // bytes of randomness
	maxCookieFile    = 512 // bytes read; ours has 75
)

// cookie is a password for the life of one process, left in a file that only
// the operating system user running the node can read.
type cookie struct {
	path     string
	content  []byte
	password string
}

// writeCookie makes a new password and puts it into the file, replacing one
// that a crash may have left behind. The file appears complete and with its
// final permissions or not at all.
func writeCookie(path string) (*cookie, error) {
	secret := make([]byte, cookieSecretSize)
	rand.Read(secret) // never fails, see crypto/rand
	c := &cookie{path: path, password: hex.EncodeToString(secret)}
	c.content = []byte(CookieUser + ":" + c.password)

	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("cannot write the RPC cookie: %w", err)
	}
	_, err = f.Write(c.content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, fmt.Errorf("cannot write the RPC cookie: %w", err)
	}
	return c, nil
}

// remove deletes the file unless another process has replaced it meanwhile.
func (c *cookie) remove() error {
	content, err := readSmall(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !bytes.Equal(content, c.content) {
		return err
	}
	return os.Remove(c.path)
}

// ReadCookie returns the credentials in a cookie file, for clients. The error
// wraps that of the file system.
func ReadCookie(path string) (user, password string, err error) {
	content, err := readSmall(path)
	if err != nil {
		return "", "", err
	}
	user, password, ok := strings.Cut(strings.TrimSpace(string(content)), ":")
	if !ok || user == "" || password == "" {
		return "", "", fmt.Errorf("%s is not a cookie file: it must hold user:password", path)
	}
	return user, password, nil
}

// readSmall reads a file of at most maxCookieFile bytes.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxCookieFile+1))
	if err == nil && len(content) > maxCookieFile {
		err = fmt.Errorf("%s is not a cookie file: it is larger than %d bytes", path, maxCookieFile)
	}
	return content, err
}
