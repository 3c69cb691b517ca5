package lan

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// inNamespace is set in the child process of TestSockets.
const inNamespace = "P2POOL_LAN_NAMESPACE"

// TestSockets has two nodes of one machine find each other over real sockets, in a
// network of its own that leads nowhere.
func TestSockets(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("unshare", "--net", "true").CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %v %s", err, out)
		}
		cmd := exec.Command("unshare", "--net", "--", self, "-test.run=^TestSockets$", "-test.v", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, args := range [][]string{
		{"link", "add", "lan0", "type", "veth", "peer", "name", "lan1"},
		{"addr", "add", "10.77.0.1/24", "dev", "lan0"},
		{"addr", "add", "192.0.2.1/24", "dev", "lan1"}, // not a private one
		{"link", "set", "lan0", "up"},
		{"link", "set", "lan1", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("no network can be made: %v %s", err, out)
		}
	}
	list, err := host{}.interfaces()
	if err != nil || len(list) != 1 || list[0].name != "lan0" {
		t.Fatalf("%+v, %v", list, err)
	}
	a, foundA := newFinder(host{}, chainID, 9333)
	b, foundB := newFinder(host{}, chainID, 9334)
	stop := run(t, a, b)
	for range 1000 {
		if foundA.len() > 0 && foundB.len() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond) // the kernel's time is real
	}
	stop()
	equalStrings(t, foundA.distinct(), "10.77.0.1:9334")
	equalStrings(t, foundB.distinct(), "10.77.0.1:9333")
}
