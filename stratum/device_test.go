package stratum

import (
	"strings"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
)

func TestKnownDevices(t *testing.T) {
	known := KnownDevices()
	for ua, want := range map[string]Device{
		"":                                  {Class: share.Class12},
		"bmminer/2.0.0":                     {share.Class12, 4096, 256},
		"cgminer/4.11.1":                    {Class: share.Class12, Least: 1},
		"cpuminer/2.5.1":                    {Class: share.Class288, Start: 0.01},
		"notcpuminer/1":                     {Class: share.Class12},
		"p2pminer/0.1.0":                    {Class: share.Class1152, Start: 0.01},
		"NiceHash/1.0.0":                    {share.Class12, 524288, 524288},
		"MiningRigRentals/1.0":              {share.Class12, 1e6, 1e6},
		"Antminer S21/Mon Mar 18":           {share.Class36, 4096, 256},
		"Antminer S21 Pro/Mon Mar 18":       {share.Class12, 4096, 256},
		"bosminer-plus-tuner 0.9.0":         {share.Class36, 4096, 256},
		"stratum bosminer-plus-tuner 22.08": {share.Class36, 4096, 256},
		"whatsminer/v1.1":                   {share.Class144, 4096, 256},
		"PowerPlay-BM/1.0":                  {share.Class288, 4096, 256},
		"xminer-1.2.6":                      {share.Class288, 4096, 256},
		"bitaxe/BM1370/v2.9.0":              {Class: share.Class36, Start: 512},
		"NerdMinerV2/1.8.1":                 {Class: share.Class12, Start: 0.0001},
		strings.Repeat("x", 2*maxUserAgent): {Class: share.Class12},
	} {
		if got := known.For(ua); got != want {
			t.Errorf("%q: %+v, want %+v", ua, got, want)
		}
	}
	if got := (Devices{}).For("p2pminer/1"); got != (Device{}) {
		t.Errorf("nothing known: %+v", got)
	}
}

// TestClassOverrides: the operator's classes come before the known ones and leave
// difficulties alone; of several the first that fits counts.
func TestClassOverrides(t *testing.T) {
	known := KnownDevices()
	d, err := known.WithClasses([]string{"Whatsminer/v1:12", "http://x:1/:36", "*TUNER: 144", ":288", "cpuminer/:12"})
	if err != nil {
		t.Fatal(err)
	}
	for ua, want := range map[string]Device{
		"whatsminer/v1.1":         {share.Class12, 4096, 256},
		"http://x:1/y":            {Class: share.Class36},
		"a bosminer-plus-tuner b": {share.Class144, 4096, 256},
		"cpuminer/2":              {Class: share.Class288, Start: 0.01},
		"anything":                {Class: share.Class288},
	} {
		if got := d.For(ua); got != want {
			t.Errorf("%q: %+v, want %+v", ua, got, want)
		}
	}
	if got := known.For("anything").Class; got != share.Class12 {
		t.Errorf("the original has class %v, too", got)
	}
	for _, rule := range []string{"", "cpuminer", "cpuminer:", "cpuminer:13", "cpuminer/288"} {
		if _, err := known.WithClasses([]string{rule}); err == nil {
			t.Errorf("%q is accepted", rule)
		}
	}
	if _, err := known.WithClasses(make([]string, maxRules+1)); err == nil {
		t.Error("too many rules are accepted")
	}
}

func TestParseDevicesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"#\n\n12 - -":                            "line 3: class, start, least and user agent",
		"13 - - x":                               "unknown output class",
		"12 0 - x":                               "\"0\" is not a difficulty",
		"12 - -1 x":                              "\"-1\" is not a difficulty",
		"nonsense":                               "are needed",
		strings.Repeat("12 - - x\n", maxRules+1): "more than",
	} {
		if _, err := parseDevices(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseDevices(f *testing.F) {
	f.Add("12 - 5 x y\n", "A")
	f.Add("1152\t1e3 0.5 *Tuner\r\n# c\n", "x")
	f.Fuzz(func(t *testing.T, text, ua string) {
		d, err := parseDevices(text)
		if err != nil {
			return
		}
		device := d.For(ua)
		if !device.Class.Valid() || device.Start < 0 || device.Least < 0 || len(d.rules) > maxRules {
			t.Fatalf("%+v of %d rules", device, len(d.rules))
		}
	})
}
