package stratum

import (
	"strings"

	"github.com/p2poold/p2poold/blockchain/share"
)

// maxUserAgent is where a user agent is cut, in bytes.
const maxUserAgent = 100

// devices maps beginnings of user agents, in lower case, to the largest
// coinbase that they carry. Whatever is not listed may be a stock Antminer and
// gets the smallest class. Only clients whose limit is known to lie higher
// belong here: cpuminer takes any coinbase that its line buffer holds, our own
// miner every one.
var devices = []struct {
	prefix string
	class  share.Class
}{
	{"p2pminer/", share.Class1152},
	{"cpuminer/", share.Class288},
}

// DefaultClass is the output class for a client that calls itself userAgent, at
// most what the device is known to hash. It is pure.
func DefaultClass(userAgent string) share.Class {
	ua := strings.ToLower(userAgent)
	for _, d := range devices {
		if strings.HasPrefix(ua, d.prefix) {
			return d.class
		}
	}
	return share.Class12
}
