// Package chainparams names the networks and pools a sharechain can belong to
// and holds the constants of its consensus rules.
//
// A sharechain is identified by its ChainID, a hash over the Bitcoin network,
// the pool's name and every consensus constant. The ChainID is part of each
// share's commitment and gives the peer protocol its magic, so nodes with
// different rules or pools never meet, and no share is worth anything on a
// chain other than its own. Params are immutable after New.
package chainparams
