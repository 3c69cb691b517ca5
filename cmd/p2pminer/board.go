package main

import (
	"context"
	"sync"
	"sync/atomic"
)

// board shows the newest work to the miners. Safe for concurrent use.
type board struct {
	current atomic.Pointer[work] // nil while there is none

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// show replaces the work; nil means to pause.
func (b *board) show(w *work) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current.Store(w)
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait returns the newest work as soon as there is any, or nil when ctx is done.
func (b *board) wait(ctx context.Context) *work {
	for {
		b.mu.Lock()
		w, changed := b.current.Load(), b.changed
		b.mu.Unlock()
		if w != nil {
			return w
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
