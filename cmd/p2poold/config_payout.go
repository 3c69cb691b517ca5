package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/mining/payee"
)

// validatePayout sets own and donee, and checks fee and donation.
func (c *config) validatePayout() error {
	g := &c.General
	// An empty one takes back those before it, as for options with one value.
	for i, text := range slices.Backward(g.Address) {
		if text == "" {
			g.Address = g.Address[i+1:]
			break
		}
	}
	if len(g.Address) > payee.MaxSources {
		return c.invalid("address", fmt.Errorf("it may be given %d times at most", payee.MaxSources))
	}
	for _, text := range g.Address {
		source, err := c.payoutSource(text)
		if err != nil {
			return c.invalid("address", err)
		}
		c.own = append(c.own, source)
	}
	if g.Donee != "" {
		var err error
		if payee.IsDescriptor(g.Donee) {
			err = errors.New("one address is needed here, not a descriptor")
		} else {
			c.donee, err = payeeScript(g.Donee, c.params)
		}
		if err != nil {
			return c.invalid("donationaddress", err)
		}
	}
	return c.validateTerms()
}

// payoutSource reads an address or a descriptor.
func (c *config) payoutSource(text string) (payee.Source, error) {
	if payee.IsDescriptor(text) {
		d, err := payee.ParseDescriptor(text, c.params.Bitcoin)
		return payee.Source{Descriptor: d}, err
	}
	script, err := payeeScript(text, c.params)
	return payee.Source{Script: script}, err
}

// validateTerms checks what the node takes of the miners' work.
func (c *config) validateTerms() error {
	g := &c.General
	switch {
	case !(g.Fee >= 0 && g.Fee <= 100): // NaN included
		return c.invalid("fee", errors.New("it must be from 0 to 100 percent"))
	case !(g.Donation >= 0 && g.Donation <= 100):
		return c.invalid("donation", errors.New("it must be from 0 to 100 percent"))
	case g.Fee+g.Donation > 100:
		return c.invalid("fee", errors.New("with --donation it makes more than 100 percent"))
	case g.Fee > 0 && len(c.own) == 0:
		return c.invalid("fee", errors.New("this needs --address, to which the fee is paid"))
	case g.Donation > 0 && c.donee == nil:
		return c.invalid("donation", errors.New("this needs --donationaddress: name the address of whom you want to give to"))
	}
	_, err := payee.New(c.payees()) // what is left are addresses named twice
	if err != nil {
		return c.invalid("address", err)
	}
	return nil
}

// payees is the configuration of whom jobs pay, but for what it needs to run.
func (c *config) payees() payee.Config {
	return payee.Config{Own: c.own, Fee: c.General.Fee, Donation: c.General.Donation, Donee: c.donee}
}

// payoutFile is where the addresses in use of descriptors are kept.
func (c *config) payoutFile() string { return filepath.Join(c.netDir, appdir.Payout) }

// payoutTerms says in the log whom this node's jobs pay.
func (c *config) payoutTerms() []string {
	g := &c.General
	var lines []string
	if len(c.own) == 0 {
		lines = append(lines, "No --address is set: miners must log in with an address of their own")
	}
	if g.Fee > 0 {
		lines = append(lines, fmt.Sprintf("Fee: %s of the jobs of miners with an address of their own pay this node", payee.Percent(g.Fee)))
	}
	if g.Donation > 0 {
		lines = append(lines, fmt.Sprintf("Donation: %s of all jobs pay %s", payee.Percent(g.Donation), g.Donee))
	}
	return lines
}

// payoutNotice is what miners with an address of their own are told of it.
func (c *config) payoutNotice() string {
	switch fee, donation := c.General.Fee, c.General.Donation; {
	case fee > 0 && donation > 0:
		return fmt.Sprintf("this node keeps a fee of %s and donates %s of your work, by lot", payee.Percent(fee), payee.Percent(donation))
	case fee > 0:
		return fmt.Sprintf("this node keeps a fee of %s of your work, by lot", payee.Percent(fee))
	case donation > 0:
		return fmt.Sprintf("this node donates %s of your work, by lot", payee.Percent(donation))
	}
	return ""
}
