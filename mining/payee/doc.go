// Package payee decides whom a node's jobs pay.
//
// A job pays the address that the miner's user name holds, or one of the node's own if
// it holds none. An operator may take a fee from the former, and donate a part of all:
// both by lot, a whole job at a time, so that the sharechain knows nothing of it.
// [Payees.Turn] draws that lot, and chooses among the node's own addresses.
//
// # The lot
//
// There is one lot for each share tip, HMAC-SHA256 of the tip's ID under a secret that is
// drawn at the start, and it holds for all miners of the node alike. A miner who
// connects again finds the outcome that he left. If each address had a lot of its own,
// who mines for two of them could always work for the one that has no fee to pay; so he
// can only stop until the next tip comes. While he stops he earns nothing, which costs
// him on average just what he would have paid. If he mines elsewhere in the meantime he
// saves the fee on what he mines elsewhere, as anybody does who mines elsewhere. Nobody
// can foretell a lot: the ID of a share is known once it is found, and the secret never
// leaves the node. The work between two tips does not depend on the lot, so what is
// taken is exact in expectation.
//
// # Own addresses
//
// Of several addresses each tip takes one, by another such lot. An output descriptor with
// an extended public key (BIP 380 to 386, BIP 32) gives a new address after a Bitcoin
// block has paid the present one, see [Payees.BlockFound].
//
// Who calls what: cmd/p2poold makes the Payees and tells them of blocks; stratum asks for
// turns. Methods of Payees are safe for concurrent use, and only BlockFound and Advance may
// wait for the disk. A Descriptor is immutable.
package payee
