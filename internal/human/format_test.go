package human

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 H/s", -1: "0 H/s", math.NaN(): "0 H/s", math.Inf(1): "0 H/s", 0.5: "0.50 H/s", 0.001: "0.001 H/s",
		1: "1.00 H/s", 999: "999 H/s", 999.6: "1.00 kH/s", 12_345: "12.3 kH/s", 1e12: "1.00 TH/s", 6e20: "600 EH/s", 1e30: "1e+06 YH/s",
	} {
		if got := HashRate(v); got != want && !(v == 1e30 && strings.HasSuffix(got, " YH/s")) {
			t.Errorf("HashRate(%v) = %q, want %q", v, got, want)
		}
	}
	for sat, want := range map[int64]string{0: "0.00000000", 1: "0.00000001", -150_000_000: "-1.50000000",
		math.MinInt64: "-92233720368.54775808"} {
		if got := Bitcoins(sat); got != want {
			t.Errorf("Bitcoins(%d) = %q, want %q", sat, got, want)
		}
	}
	for v, want := range map[float64]string{-1: "0%", 0: "0%", math.NaN(): "0%", 1e-300: "<0.001%", 1e-5: "0.001%", 0.0099949: "0.999%",
		0.01: "1.00%", 0.0994: "9.94%", 0.09999: "10.0%", 0.125: "12.5%", 2. / 3: "66.7%", 0.9994: "99.9%", 0.99951: ">99.9%",
		math.Nextafter(1, 0): ">99.9%", 1: "100%", math.Inf(1): "100%"} {
		if got := Percent(v); got != want {
			t.Errorf("Percent(%v) = %q, want %q", v, got, want)
		}
	}
	for text, want := range map[string]string{"": "", "12345678": "12345678", "123456789": "123…6789"} {
		if got := Middle(text, 8); got != want {
			t.Errorf("Middle(%q) = %q, want %q", text, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59 * time.Second: "59s", time.Hour: "1h 0m", 50 * time.Hour: "2d 2h",
		729 * 24 * time.Hour: "729d 0h", 740 * 24 * time.Hour: "2y 10d", math.MaxInt64: "292y 171d"} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}
