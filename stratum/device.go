package stratum

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/p2poold/p2poold/blockchain/share"
)

// maxUserAgent is where a user agent is cut, in bytes.
const maxUserAgent = 100

// maxRules bounds the rules of Devices.
const maxRules = 1000

//go:embed devices.txt
var devicesFile string

// Device is what is known of the device behind a user agent.
type Device struct {
	// Class is the largest coinbase that it carries.
	Class share.Class
	// Start is the difficulty to begin with, Least the one it never gets below
	// unless shares are easier. 0 stands for the server's.
	Start, Least float64
}

// Devices knows devices by their user agents. It is immutable. Devices that it does not
// know get the smallest class.
type Devices struct {
	classes []classRule // the operator's, before those of rules
	rules   []deviceRule
}

// agentPattern fits user agents that begin with or contain a text, in any case.
type agentPattern struct {
	text     string // in lower case
	anywhere bool
}

type deviceRule struct {
	agentPattern
	Device
}

type classRule struct {
	agentPattern
	class share.Class
}

// KnownDevices returns the devices of devices.txt.
func KnownDevices() Devices {
	d, err := parseDevices(devicesFile)
	if err != nil {
		panic(err) // a mistake in the file, which the tests find
	}
	return d
}

// WithClasses returns d with other classes for some user agents: "UA:CLASS", where UA is
// as in devices.txt, or nothing for all. The first that fits counts.
func (d Devices) WithClasses(rules []string) (Devices, error) {
	if len(rules) > maxRules {
		return Devices{}, fmt.Errorf("more than %d devices", maxRules)
	}
	for _, rule := range rules {
		i := strings.LastIndexByte(rule, ':')
		if i < 0 {
			return Devices{}, fmt.Errorf("%q: write USERAGENT:CLASS, such as whatsminer/:144", rule)
		}
		class, err := share.ParseClass(strings.TrimSpace(rule[i+1:]))
		if err != nil {
			return Devices{}, err
		}
		d.classes = append(d.classes[:len(d.classes):len(d.classes)], classRule{newAgentPattern(rule[:i]), class})
	}
	return d, nil
}

// For returns what is known of the device that calls itself userAgent.
func (d Devices) For(userAgent string) Device {
	agent := strings.ToLower(userAgent)
	var device Device // Class12
	for i := range d.rules {
		if d.rules[i].fits(agent) {
			device = d.rules[i].Device
			break
		}
	}
	for i := range d.classes {
		if d.classes[i].fits(agent) {
			device.Class = d.classes[i].class
			break
		}
	}
	return device
}

func newAgentPattern(s string) agentPattern {
	text, anywhere := strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "*")
	return agentPattern{text, anywhere}
}

// fits reports whether the pattern fits a user agent in lower case.
func (p *agentPattern) fits(agent string) bool {
	if p.anywhere {
		return strings.Contains(agent, p.text)
	}
	return strings.HasPrefix(agent, p.text)
}

// parseDevices reads text in the format of devices.txt.
func parseDevices(text string) (Devices, error) {
	var d Devices
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rule, err := parseDeviceRule(line)
		if err == nil && len(d.rules) == maxRules {
			err = fmt.Errorf("more than %d devices", maxRules)
		}
		if err != nil {
			return Devices{}, fmt.Errorf("line %d: %w", n, err)
		}
		d.rules = append(d.rules, rule)
	}
	return d, nil
}

func parseDeviceRule(line string) (deviceRule, error) {
	var r deviceRule
	var fields [3]string
	for i := range fields {
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			return r, errors.New("class, start, least and user agent are needed")
		}
		fields[i], line = line[:end], strings.TrimLeft(line[end:], " \t")
	}
	var err error
	if r.Class, err = share.ParseClass(fields[0]); err != nil {
		return r, err
	}
	for i, d := range []*float64{&r.Start, &r.Least} {
		if text := fields[i+1]; text != "-" {
			var ok bool
			if *d, ok = parseDifficulty([]byte(text)); !ok {
				return r, fmt.Errorf("%q is not a difficulty", text)
			}
		}
	}
	r.agentPattern = newAgentPattern(line)
	return r, nil
}
