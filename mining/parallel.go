package mining

import (
	"runtime"
	"sync"
)

// parallelChunk is the least number of items that are worth a goroutine of their own:
// at some microseconds each they take longer than starting it.
const parallelChunk = 128

// InParallel calls f for each number below n, on as many cores as there are, and
// returns an error of f for the lowest number that has one in its part. f must be safe
// for concurrent use.
func InParallel(n int, f func(i int) error) error {
	parts := max(1, min(runtime.GOMAXPROCS(0), n/parallelChunk))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			for i := n * p / parts; i < n*(p+1)/parts && errs[p] == nil; i++ {
				errs[p] = f(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
