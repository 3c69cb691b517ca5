//go:build race

package database

// raceDetector says whether the tests run under the race detector.
const raceDetector = true
