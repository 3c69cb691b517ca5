package harness_test

import (
	"context"
	"sync"
	"time"

	"github.com/p2poold/p2poold/internal/harness"
)

// witness remembers the shares that a node has spoken of. Safe for concurrent use.
type witness struct {
	mu   sync.Mutex
	told map[string]uint32 // ID → height, 0 if not known yet
	news []string          // not looked for since
	tip  uint32            // greatest height
}

func (w *witness) tell(id string, height uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.told[id]; !known {
		w.news = append(w.news, id)
	}
	w.told[id] = max(w.told[id], height)
	w.tip = max(w.tip, height)
}

func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := w.news
	w.news = nil
	return news
}

// poll asks a node for its newest shares as fast as it answers, until ctx is done.
func (w *witness) poll(ctx context.Context, n *harness.Node) {
	type summary struct {
		Hash   string `json:"hash"`
		Height uint32 `json:"height"`
		Uncles []struct {
			Hash   string `json:"hash"`
			Height uint32 `json:"height"`
		} `json:"uncles"`
	}
	for ctx.Err() == nil {
		var list []summary
		if n.Call(ctx, &list, "getshares", 3) != nil {
			time.Sleep(redial)
			continue
		}
		for _, s := range list {
			w.tell(s.Hash, s.Height)
			for _, u := range s.Uncles {
				w.tell(u.Hash, u.Height)
			}
		}
	}
}
