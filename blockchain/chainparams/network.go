package chainparams

import (
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"
)

// Network is a Bitcoin network.
type Network uint8

// The Bitcoin networks a pool can work on.
const (
	Mainnet Network = iota
	Testnet4
	Signet // the default signet, or a custom one with WithSignetChallenge
	Regtest
)

var networkNames = [...]string{Mainnet: "mainnet", Testnet4: "testnet4", Signet: "signet", Regtest: "regtest"}

// String returns the name used in --network, in paths and in the ChainID.
func (n Network) String() string {
	if int(n) < len(networkNames) {
		return networkNames[n]
	}
	return fmt.Sprintf("network(%d)", uint8(n))
}

// ParseNetwork is the inverse of String.
func ParseNetwork(name string) (Network, error) {
	for n, s := range networkNames {
		if s == name {
			return Network(n), nil
		}
	}
	return 0, fmt.Errorf("unknown network %q: choose one of %s", name, strings.Join(networkNames[:], ", "))
}

// ports are the default TCP ports of one network. Test networks are offset from
// mainnet's by a round number so that all of them fit on one machine.
type ports struct{ p2p, stratum, rpc, bitcoind uint16 }

var defaultPorts = [...]ports{
	Mainnet:  {p2p: 9333, stratum: 3333, rpc: 9332, bitcoind: 8332},
	Testnet4: {p2p: 19333, stratum: 13333, rpc: 19332, bitcoind: 48332},
	Signet:   {p2p: 39333, stratum: 33333, rpc: 39332, bitcoind: 38332},
	Regtest:  {p2p: 29333, stratum: 23333, rpc: 29332, bitcoind: 18443},
}

func bitcoinParams(n Network, signetChallenge []byte) *chaincfg.Params {
	var p chaincfg.Params
	switch n {
	case Testnet4:
		p = chaincfg.TestNet4Params
	case Signet:
		p = chaincfg.SigNetParams
		if len(signetChallenge) > 0 {
			p = chaincfg.CustomSignetParams(signetChallenge, nil)
		}
	case Regtest:
		p = chaincfg.RegressionNetParams
	default:
		p = chaincfg.MainNetParams
	}
	return &p
}
