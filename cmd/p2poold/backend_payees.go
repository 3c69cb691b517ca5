package main

import (
	"context"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// ownAddresses returns the own payout addresses that jobs pay now.
func (b backend) ownAddresses() []string {
	list := []string{}
	for _, script := range b.n.payees.Current() {
		list = append(list, rpcserver.Address(script, b.n.cfg.params.Bitcoin))
	}
	return list
}

// PayoutAddresses implements rpcserver.PayoutBackend.
func (b backend) PayoutAddresses(context.Context) ([]rpcserver.PayoutAddress, error) {
	list := []rpcserver.PayoutAddress{}
	for _, own := range b.n.payees.Addresses() {
		list = append(list, rpcserver.PayoutAddress{
			Address: rpcserver.Address(own.Script, b.n.cfg.params.Bitcoin), Source: own.Source, Derived: own.Derived,
			Index: int64(own.Index), Current: own.Current, Paid: own.Paid,
		})
	}
	return list, nil
}
