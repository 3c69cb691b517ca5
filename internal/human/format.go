package human

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// HashRate writes a rate with a prefix: "1.23 TH/s".
func HashRate(rate float64) string { return WithPrefix(rate) + "H/s" }

// Difficulty writes a difficulty with a prefix: "4.56 k".
func Difficulty(d float64) string { return strings.TrimSpace(WithPrefix(d)) }

// WithPrefix writes a number with three digits and the SI prefix that fits,
// followed by a space or the prefix: "1.23 k", "12.0 ".
func WithPrefix(v float64) string {
	if v <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return "0 "
	}
	prefixes := []string{"", "k", "M", "G", "T", "P", "E", "Z", "Y"}
	i := 0
	for v >= 999.5 && i < len(prefixes)-1 {
		v /= 1000
		i++
	}
	switch {
	case v < 0.01:
		return strconv.FormatFloat(v, 'g', 3, 64) + " " + prefixes[i]
	case v < 9.995:
		return fmt.Sprintf("%.2f %s", v, prefixes[i])
	case v < 99.95:
		return fmt.Sprintf("%.1f %s", v, prefixes[i])
	}
	return fmt.Sprintf("%.0f %s", v, prefixes[i])
}

// satPerBTC is the number of satoshis in a bitcoin.
const satPerBTC = 100_000_000

// Bitcoins writes an amount of satoshis in bitcoins, exactly.
func Bitcoins(sat int64) string {
	sign := ""
	u := uint64(sat)
	if sat < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%08d", sign, u/satPerBTC, u%satPerBTC)
}

// Span writes a duration in its two largest units: "3d 4h".
func Span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 0:
		return "0s"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh %dm", s/3600, s/60%60)
	}
	if days := s / (24 * 3600); days >= 2*365 {
		return fmt.Sprintf("%dy %dd", days/365, days%365)
	}
	return fmt.Sprintf("%dd %dh", s/(24*3600), s/3600%24)
}

// Ago writes a Unix time as its age; 0 is "never".
func Ago(unix int64, now time.Time) string {
	if unix == 0 {
		return "never"
	}
	return Span(now.Sub(time.Unix(unix, 0)))
}

// ShortHash cuts a hash to its distinctive end: the front of a share's hash is zeros.
func ShortHash(hash string) string {
	const digits = 16
	if len(hash) <= digits {
		return hash
	}
	return "…" + hash[len(hash)-digits:]
}

// Percent writes a probability or a part, in [0, 1], in at most seven characters:
// "80.0%". What is neither nothing nor all is not written as such.
func Percent(part float64) string {
	switch p := part * 100; {
	case part <= 0 || math.IsNaN(part):
		return "0%"
	case part >= 1:
		return "100%"
	case p < 0.001:
		return "<0.001%"
	case p < 0.9995:
		return fmt.Sprintf("%.3f%%", p)
	case p < 9.995:
		return fmt.Sprintf("%.2f%%", p)
	case p < 99.95:
		return fmt.Sprintf("%.1f%%", p)
	}
	return ">99.9%"
}

// Middle takes the middle out of a text that is longer than most characters. Of
// an address, both ends are left to tell it from others.
func Middle(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most/2-1] + "…" + text[len(text)-most/2:]
}

// Plural writes a count with its noun.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
