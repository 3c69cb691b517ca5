package stratum

import (
	"math"
	"time"
)

// lateBlocks is the number of new blocks after which what was seen of a device weighs
// 1/e: a day of Bitcoin's.
const lateBlocks = 144

// lateness estimates how long a device takes to turn to a new Bitcoin block, from when
// its job is queued to when what it submits is of that job: the network there and back,
// and the firmware's own delay. For as long as that it goes on with the old block, and
// with a hashrate H does H·t work that is late. So the late work of many blocks over
// the sum of the hashrates at each of them is t. The time to the first submission of a new
// job would tell, too, but with submissions every 3 s it takes 1,600 blocks to know that to
// 0.1 s; the late work gives it with 0.1 s at 0.3 s after a hundred.
type lateness struct {
	late   float64 // hashes, of submissions for another than the newest block
	rates  float64 // sum of the hashrates when new blocks came
	blocks float64 // new blocks, with the same weights
}

// block notes that one of a worker's n connections got its first job on a new block
// while the worker had a hashrate.
func (l *lateness) block(hashrate float64, n int) {
	if !(hashrate > 0) || n < 1 {
		return // there is nothing that could be late
	}
	part := 1 / float64(n)
	keep := math.Exp(-part / lateBlocks)
	l.late *= keep
	l.rates = l.rates*keep + hashrate*part
	l.blocks = l.blocks*keep + part
}

// value is the estimate, 0 while there is none.
func (l *lateness) value() time.Duration {
	if !(l.rates > 0) {
		return 0
	}
	seconds := min(l.late/l.rates, staleJobAge.Seconds()) // older jobs are not known
	return time.Duration(seconds * float64(time.Second))
}
