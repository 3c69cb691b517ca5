// Package target holds the proof-of-work arithmetic of the sharechain: the
// compact form of a 256-bit target, the work a target stands for, and the
// aserti3-2d difficulty algorithm.
//
// Everything that consensus depends on is integer arithmetic on values
// (uint256.Uint256); the two functions that use floating point, Difficulty and
// FromDifficulty, serve displays and the Stratum protocol only. The package has
// no state, so all of it may be called concurrently.
package target
