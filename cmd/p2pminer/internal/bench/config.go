package bench

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mode says what the clients do after they have logged in.
type Mode string

// The modes.
const (
	Idle   Mode = "idle"   // stay connected
	Submit Mode = "submit" // hand in solutions
	Login  Mode = "login"  // nothing: only the logins count
	Cycle  Mode = "cycle"  // disconnect, and so on with the next
	Slow   Mode = "slow"   // as Submit, beside clients that never read
)

// Modes are all of them.
var Modes = []Mode{Idle, Submit, Login, Cycle, Slow}

// Limits of Config.
const (
	// MaxConnections is what one process can have descriptors for on most systems
	// if told to, with room for more than any server is known to hold.
	MaxConnections = 1_000_000
	// MaxRate is above what one machine can send, in submissions per second.
	MaxRate = 10_000_000
	// MaxDuration bounds a run: it ends by itself.
	MaxDuration = 24 * time.Hour
	// MaxDepth is how many submissions of one connection may wait for an answer.
	MaxDepth = 256
	// MaxThreads bounds the event loops.
	MaxThreads = 64
	// MaxSources bounds the local addresses: 127.0.0.1 and on.
	MaxSources = 250
)

// Config says what to do to which server. Run does not change it.
type Config struct {
	Mode Mode
	// Addr is the server, host:port.
	Addr string
	// TLS encrypts. The certificate is not checked: nothing of value is sent.
	TLS bool
	// Permitted is to be set for hosts that are neither this machine nor in a
	// private network: their owner allows the load.
	Permitted bool
	// User gets ".NUMBER" behind it for each client unless it has a point already.
	User, Pass, UserAgent string
	// Connections is how many clients there are; of Cycle how many in all.
	Connections int
	// SlowReaders is how many more never read what they are sent.
	SlowReaders int
	// LoginRate is how many logins begin a second, 0 for no limit but Parallel.
	LoginRate float64
	// Parallel is how many logins are under way at once.
	Parallel int
	// Timeout bounds a login, and the wait for the last answers.
	Timeout time.Duration
	// Rate is how many submissions all clients together hand in a second, whatever
	// the server does. 0: each client keeps Depth of them unanswered.
	Rate  float64
	Depth int
	// Duration is how long to submit, or to be idle.
	Duration time.Duration
	// Difficulty is what clients suggest; 0: nothing.
	Difficulty float64
	// Prepare is how long solutions may be looked for before submitting begins.
	Prepare time.Duration
	// Sources is how many local addresses to connect from, 0 for as many as needed.
	// Only loopback has more than one.
	Sources int
	// Threads is the number of event loops.
	Threads int
	// PID is the server's process on this machine, 0 if unknown.
	PID int
	// Progress gets a line now and then; nil: nobody does.
	Progress func(line string)

	settle time.Duration // settleTime if 0
}

// Check returns what is wrong with the configuration, and fills in what depends on
// the mode.
func (c *Config) Check() error {
	if c.Mode == Slow {
		c.SlowReaders = cmp.Or(c.SlowReaders, defaultSlowReaders)
	}
	c.settle = cmp.Or(c.settle, settleTime)
	in := func(v, low, high float64) bool { return v >= low && v <= high }
	switch {
	case !validMode(c.Mode):
		return fmt.Errorf("--bench: %q is not one of %s", c.Mode, modeNames())
	case !in(float64(c.Connections), 1, MaxConnections):
		return fmt.Errorf("--connections: %d is not between 1 and %d", c.Connections, MaxConnections)
	case !in(float64(c.SlowReaders), 0, MaxConnections):
		return fmt.Errorf("--slowreaders: %d is not between 0 and %d", c.SlowReaders, MaxConnections)
	case !in(c.LoginRate, 0, MaxRate):
		return fmt.Errorf("--loginrate: %g is not between 0 and %d", c.LoginRate, MaxRate)
	case !in(c.Rate, 0, MaxRate):
		return fmt.Errorf("--rate: %g is not between 0 and %d", c.Rate, MaxRate)
	case !in(float64(c.Depth), 1, MaxDepth):
		return fmt.Errorf("--depth: %d is not between 1 and %d", c.Depth, MaxDepth)
	case !in(float64(c.Parallel), 1, MaxConnections):
		return fmt.Errorf("--parallel: %d is not between 1 and %d", c.Parallel, MaxConnections)
	case !in(float64(c.Threads), 1, MaxThreads):
		return fmt.Errorf("--threads: %d is not between 1 and %d", c.Threads, MaxThreads)
	case !in(float64(c.Sources), 0, MaxSources):
		return fmt.Errorf("--sources: %d is not between 0 and %d", c.Sources, MaxSources)
	case !in(c.Difficulty, 0, 1e18):
		return fmt.Errorf("--difficulty: %g is not between 0 and 1e18", c.Difficulty)
	case c.PID < 0:
		return fmt.Errorf("--pid: %d is not a process", c.PID)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{{"duration", c.Duration, time.Millisecond}, {"timeout", c.Timeout, time.Millisecond}, {"prepare", c.Prepare, 0}} {
		if d.value < d.least || d.value > MaxDuration {
			return fmt.Errorf("--%s: %v is not between %v and %v", d.name, d.value, d.least, MaxDuration)
		}
	}
	return c.checkTexts()
}

// checkTexts refuses what would have to be escaped in JSON.
func (c *Config) checkTexts() error {
	for _, s := range []string{c.User, c.Pass, c.UserAgent} {
		if len(s) > 512 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			return errors.New("user, password and user agent must be short and of printable ASCII, without quotes and backslashes")
		}
	}
	return nil
}

func validMode(m Mode) bool { return slices.Contains(Modes, m) }

func modeNames() string {
	var names []string
	for _, m := range Modes {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// submits reports whether the clients hand in solutions.
func (c *Config) submits() bool { return c.Mode == Submit || c.Mode == Slow }

// total is the number of clients of all kinds.
func (c *Config) total() int { return c.Connections + c.SlowReaders }
