package main

import (
	"errors"
	"fmt"

	"github.com/p2poold/p2poold/stratum"
)

// What becomes of a miner whose user name holds an address that cannot be paid.
const (
	invalidReject = "reject" // refused with a message
	invalidNode   = "node"   // mines for the node's own address, and is told
)

const (
	// leastMinDifficulty is near the one that each hash meets, maxMinDifficulty what
	// 1 EH/s meets 18 times a minute.
	leastMinDifficulty, maxMinDifficulty = 1e-9, 1e9
)

// validateMiners reads what is about miners but the addresses to listen on.
func (c *config) validateMiners() error {
	s := &c.Stratum
	switch {
	case s.InvalidAddress != invalidReject && s.InvalidAddress != invalidNode:
		return c.invalid("invalidaddress", fmt.Errorf("it must be %s or %s", invalidReject, invalidNode))
	case s.InvalidAddress == invalidNode && len(c.own) == 0:
		return c.invalid("invalidaddress", errors.New("this needs --address, which is paid then"))
	case !(s.MinDifficulty >= leastMinDifficulty && s.MinDifficulty <= maxMinDifficulty):
		return c.invalid("mindifficulty", fmt.Errorf("it must be from %g to %g", leastMinDifficulty, maxMinDifficulty))
	case len(s.Classes) > maxAddresses:
		return c.invalid("coinbaseclass", fmt.Errorf("it may be given %d times at most", maxAddresses))
	}
	var err error
	if s.devices, err = stratum.KnownDevices().WithClasses(s.Classes); err != nil {
		return c.invalid("coinbaseclass", err)
	}
	return nil
}
