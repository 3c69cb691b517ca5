// Package floors holds the test that keeps the packages of this module on their
// floors. Imports only go down: a package may import what lies on a lower floor,
// nothing above it and nothing beside it but its own kin. What packages on the
// same floor need of each other is a small interface declared by the one that
// needs it and joined up in cmd/p2poold.
//
// The test also knows the sole importers of some libraries, and keeps helpers of
// tests out of the programs. A new package fails it until it has been given its
// place in the table of floors_test.go.
package floors
