package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/p2poold/p2poold/stratum/tlscert"
)

// What --checkconfig looks at besides arguments and conf file. For a restart that is all
// that the new program would end by and that can be tried while the old one runs: what
// it ends by later, nobody comes back from.

// envHeld tells the installed program that its --checkconfig is for a restart, and which
// ports it would inherit, in the form of envSockets with the process that asks. Their
// descriptors mean nothing.
const envHeld = "P2POOLD_HELD"

// held returns the open ports, for envHeld.
func (p *ports) held() []socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []socket
	for _, port := range p.open {
		list = append(list, socket{firstFD, port.part, port.addr})
	}
	return list
}

// checkPlaces looks at the files and, for a restart, the places and ports that the
// configuration names. parent is the number of the process that may have asked.
func (c *config) checkPlaces(getenv func(string) string, parent int) error {
	if err := c.checkCert(); err != nil {
		return err
	}
	text := getenv(envHeld)
	if text == "" {
		return nil
	}
	held, err := parseSockets(text, parent)
	if err != nil {
		return errors.New(envHeld + " is damaged; unset it")
	}
	if held == nil {
		return nil // another process's, or there is one between: who has which port?
	}
	_, err = c.minerPlaces(openFiles())
	return errors.Join(err, c.checkDirs(), c.checkPorts(held))
}

// checkCert reads the miners' certificate.
func (c *config) checkCert() error {
	if c.Stratum.NoTLS {
		return nil
	}
	err := tlscert.Check(tlscert.Config{CertFile: c.Stratum.Cert, KeyFile: c.Stratum.Key, SelfFile: c.certFile()})
	if err != nil && c.Stratum.Cert != "" {
		return c.invalid("stratumcert", err)
	}
	return err
}

// checkDirs makes sure that the files of the node can be written.
func (c *config) checkDirs() error {
	if err := writable(c.netDir); err != nil {
		return c.invalid("datadir", err)
	}
	if !c.Log.NoFile {
		if err := errors.Join(writable(c.Log.Dir), appendable(filepath.Join(c.Log.Dir, logFile))); err != nil {
			return c.invalid("logdir", err)
		}
	}
	if c.RPC.Disable || c.RPC.User != "" {
		return nil
	}
	dir := filepath.Dir(c.RPC.CookieFile)
	if _, err := os.Stat(dir); err != nil && dir != c.netDir { // which is made
		return c.invalid("rpccookiefile", err)
	}
	if info, err := os.Stat(c.RPC.CookieFile); err == nil && info.IsDir() {
		return c.invalid("rpccookiefile", fmt.Errorf("%s is a directory", c.RPC.CookieFile))
	}
	if err := writable(dir); err != nil {
		return c.invalid("rpccookiefile", err)
	}
	return nil
}

// writable makes sure that files can be created in a directory, or that it can be made.
func writable(dir string) error {
	for {
		if _, err := os.Stat(dir); err == nil || !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".check-*")
	if err != nil {
		return fmt.Errorf("cannot write to the directory: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// appendable makes sure that a file can be written if it is there.
func appendable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// checkPorts binds the addresses to listen on that are not held already.
func (c *config) checkPorts(held []socket) error {
	var errs []error
	for _, part := range []struct {
		name, option string
		addrs        []string
	}{
		{portsP2P, "listen", c.P2P.listens()},
		{portsStratum, "stratumlisten", c.Stratum.Listen},
		{portsStratum, "stratumtlslisten", c.Stratum.TLSListen},
		{portsRPC, "rpclisten", c.RPC.Listen},
	} {
		for _, addr := range part.addrs {
			if slices.Contains(held, socket{firstFD, part.name, addr}) {
				continue
			}
			l, err := net.Listen("tcp", addr)
			if err != nil {
				errs = append(errs, c.invalid(part.option, err))
				continue
			}
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}
