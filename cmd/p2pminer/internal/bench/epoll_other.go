//go:build !linux

package bench

func newPoller(l *loop) (poller, error) { return newNetPoller(l), nil }
