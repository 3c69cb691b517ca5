package chainparams

// seeds are where a new node hears of others first. They are no part of the
// consensus: nodes with different ones are on the same sharechain.
type seeds struct {
	// dns holds names that resolve to addresses of nodes on the default port. Who
	// runs one learns who starts a node and could name his own nodes only: it takes
	// several, run by different people.
	dns []string
	// fixed holds addresses of long-lived nodes, "host:port", for when DNS brings
	// nothing.
	fixed []string
}

// publicSeeds has the seeds of public pools. There are none so far: the first
// connection of a node is named with --addnode.
var publicSeeds = map[Network]map[string]seeds{
	Mainnet:  {"main": {}, "mini": {}},
	Testnet4: {"main": {}, "mini": {}},
	Signet:   {"main": {}, "mini": {}},
}

// seeds returns the pool's seeds. Private pools, regtest and custom signets have
// none.
func (p *Params) seeds() seeds {
	if !p.Public() {
		return seeds{}
	}
	return publicSeeds[p.Network][p.Pool]
}

// DNSSeeds returns the names of the pool's DNS seeds. The slice must not be
// changed.
func (p *Params) DNSSeeds() []string { return p.seeds().dns }

// FixedSeeds returns addresses, "host:port", of nodes of the pool that were there
// when this version was made. The slice must not be changed.
func (p *Params) FixedSeeds() []string { return p.seeds().fixed }
