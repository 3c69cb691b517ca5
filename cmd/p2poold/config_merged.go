package main

import (
	"fmt"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/mining/merged"
)

// validateMerged reads the addresses of the nodes of other chains. The tag has been
// checked for what it may be without them.
func (c *config) validateMerged() error {
	m := &c.Merged
	if len(m.URL) > merged.MaxChains {
		return c.invalid("mergedmining", fmt.Errorf("%d nodes are given, at most %d are allowed", len(m.URL), merged.MaxChains))
	}
	for _, text := range m.URL {
		end, err := merged.ParseURL(text)
		if err != nil {
			return c.invalid("mergedmining", err)
		}
		if end.CookieFile != "" {
			if end.CookieFile, err = appdir.Expand(end.CookieFile); err != nil {
				return c.invalid("mergedmining", err)
			}
		}
		m.nodes = append(m.nodes, end)
	}
	if n := len(c.General.Tag); len(m.nodes) > 0 && n > share.MaxTagMerged {
		return c.invalid("tag", fmt.Errorf("it has %d characters; with --mergedmining %d are allowed, as the commitment to the other chains takes the room in the coinbase", n, share.MaxTagMerged))
	}
	return nil
}

// longTagWarning warns of what some devices cannot hash: class 12 has up to 755 bytes with
// three characters and 756 with four (protocol.md).
const longTagWarning = "Stock Antminers hash at most 755 bytes of coinbase; with --mergedmining, a --tag of 3 characters makes sure of that, one of 4 does not"
