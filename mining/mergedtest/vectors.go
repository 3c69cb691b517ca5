package mergedtest

import (
	"bytes"
	"embed"
	"encoding/hex"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// The files have headers of real blocks with their aux proofs of work, as the nodes
// of these chains send them.
//
//go:embed testdata/*.hex
var files embed.FS

// Vector is a published block of a merged-mined chain.
type Vector struct {
	Name    string
	Hash    string // as its chain's explorers show it
	ChainID uint32
	Header  wire.BlockHeader
	Raw     []byte // the aux proof of work
	// Explicit says that the coinbase has the magic before the root, as all have had
	// for many years.
	Explicit bool
}

// Vectors returns the published blocks. The first merged-mined block there was has a
// tree of one; 19,414 lacks the magic; 37,174 stands in slot 11 of 16, which is the
// example of the merged mining specification's rules for several chains; Crown's is
// one of 128; the one of Namecoin's test network has a coinbase without outputs.
func Vectors() []Vector {
	list := []Vector{
		{Name: "namecoin-19200", Hash: "d8a7c3e01e1e95bcee015e6fcc7583a2ca60b79e5a3aa0a171eddd344ada903d", ChainID: 1, Explicit: true},
		{Name: "namecoin-19414", Hash: "5fb89c3b18c27bc38d351d516177cbd3504c95ca0494cbbbbd52f2fb5f2ff1ec", ChainID: 1},
		{Name: "namecoin-37174", Hash: "65ef89dc3da0c0df9b3d5309f89dd2eaceb81227605ead903d8ef6619d328b39", ChainID: 1, Explicit: true},
		{Name: "namecoin-testnet-233281", Hash: "5ca6bad276325045620eb532b4008bd4220d8d6a8384ac9b1b655fcf85649acb", ChainID: 1},
		{Name: "crown-1671882", Hash: "72a79139b132951724255181232988eeabc19e9b855a87727a3d8d59b369e2f7", ChainID: 20, Explicit: true},
	}
	for i := range list {
		list[i].read()
	}
	return list
}

// read fills in what the file has. The files are part of the program, so that an
// error is a mistake in the code.
func (v *Vector) read() {
	text, err := files.ReadFile("testdata/" + v.Name + ".hex")
	if err != nil {
		panic(err)
	}
	raw, err := hex.DecodeString(string(bytes.ReplaceAll(text, []byte("\n"), nil)))
	if err != nil {
		panic(err)
	}
	r := bytes.NewReader(raw)
	if err := v.Header.Deserialize(r); err != nil {
		panic(err)
	}
	v.Raw = raw[len(raw)-r.Len():]
}

// ID returns the block's hash as it is computed from its header.
func (v *Vector) ID() chainhash.Hash { return v.Header.BlockHash() }
