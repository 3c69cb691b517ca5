//go:build race

package chainman

// raceDetector says whether the tests run under the race detector.
const raceDetector = true
