package bitcoind

import (
	"errors"
	"fmt"
	"time"
)

// Health tells whether the node can be mined on.
type Health struct {
	// OK is true while templates arrive.
	OK bool

	// Kind and Reason say what is wrong, for programs and for people; empty while OK.
	Kind   ErrorKind
	Reason string

	// Since is when the node got into this state.
	Since time.Time
}

// Health returns the present health. Before Run's first contact it is not OK.
func (c *Client) Health() Health {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.health
}

// setHealth records err, nil for a healthy node, and reports a change of state.
//
// The time goes into the reason so that it stays true while the state lasts; a
// repetition of the same kind of failure is no change.
func (c *Client) setHealth(err error) {
	h := Health{OK: err == nil, Since: time.Now()}
	if err != nil {
		h.Kind = kindOf(err)
		h.Reason = fmt.Sprintf("Bitcoin node not usable since %s: %v", h.Since.Format(time.DateTime), err)
		if errors.Is(err, ErrUnreachable) {
			h.Reason = fmt.Sprintf("Bitcoin node unreachable since %s: %v", h.Since.Format(time.DateTime), err)
		}
	}

	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()

	c.stateMu.Lock()
	old := c.health
	changed := old.Since.IsZero() || old.OK != h.OK || old.Kind != h.Kind
	if changed {
		c.health = h
	}
	c.stateMu.Unlock()

	switch {
	case !changed:
		return
	case h.OK:
		c.log.Infof("Bitcoin node at %s is ready", c.end.addr)
	default:
		c.log.Warnf("%s", h.Reason)
	}
	c.cfg.OnHealth(h)
}
