package lan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/decred/slog"
)

// Config configures a Finder.
type Config struct {
	ChainID []byte // of the pool
	// Port is the one that the node listens on; 0: it does not, and only looks for
	// others.
	Port uint16
	// OnFound is called with the address of a node of the pool each time it is heard
	// of. It must return at once.
	OnFound func(netip.AddrPort)
	Log     slog.Logger // nil: silent
}

// Finder finds nodes in the local network. Make it with New, then call Run.
type Finder struct {
	cfg    Config
	self   identity
	system system
}

// New returns a Finder that does nothing yet.
func New(cfg Config) *Finder {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	name := make([]byte, nameBytes)
	_, _ = rand.Read(name) // never fails
	return &Finder{cfg: cfg, self: newIdentity(cfg.ChainID, name, cfg.Port), system: host{}}
}

// Run looks for nodes and answers them until the context ends. Then it takes leave,
// which takes no time. It returns nil.
func (f *Finder) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil {
		list, err := f.system.interfaces()
		if err == nil {
			err = f.session(ctx, list)
		}
		if err == nil {
			continue // there are other interfaces now
		}
		if text := err.Error(); text != said {
			said = text
			f.cfg.Log.Debugf("No search for nodes in the local network: %v", err)
		}
		wait(ctx, watchInterval)
	}
	return nil
}

// open opens a socket on the first interface that can be used.
func (f *Finder) open(list []iface) (s socket, err error) {
	for _, i := range list {
		if s, err = f.system.open(i); err == nil {
			return s, nil
		}
	}
	return nil, err // interfaces returns no empty list
}

// session works on some interfaces until they change, which gives nil, or the socket
// fails.
func (f *Finder) session(ctx context.Context, list []iface) error {
	s, err := f.open(list)
	if err != nil {
		return err
	}
	var joined []iface
	for _, i := range list {
		if err := s.join(i); err != nil {
			f.cfg.Log.Debugf("No search for nodes on %s: %v", i.name, err)
			continue
		}
		joined = append(joined, i)
	}
	if len(joined) == 0 {
		return errors.Join(errors.New("no interface can be used"), s.Close())
	}
	r := newReader(f, s, joined)
	var failure error // why the reader ended; to be read after done
	done := make(chan struct{})
	go func() {
		defer close(done)
		failure = r.run()
	}()
	t := newTalk(f, s, joined)
	err = t.run(ctx, list, r.asked, done)
	if ctx.Err() != nil {
		t.leave()
	}
	select {
	case <-done:
		err = fmt.Errorf("the socket fails: %w", failure)
	default:
	}
	s.Close()
	<-done
	return err
}

// wait sleeps until the time or the context is over.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
