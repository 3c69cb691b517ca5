// Package mergedtest has what tests of merged mining need: a reader and a judge of
// aux proofs of work that is written after the rules of Namecoin Core and shares no
// code with what makes them, published blocks of merged-mined chains, and a scripted
// node of such a chain.
package mergedtest
