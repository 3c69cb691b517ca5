package portmap

import "testing"

// TestSystem: what this machine tells of itself is usable, whatever it is.
func TestSystem(t *testing.T) {
	gateway, err := defaultGateway()
	if err == nil && (!gateway.IsValid() || gateway.IsUnspecified()) {
		t.Errorf("gateway %v", gateway)
	}
	t.Logf("gateway %v, %v", gateway, err)
	list, err := localNetworks()
	if (err == nil) != (len(list) > 0) || len(list) > maxNetworks {
		t.Errorf("%v, %v", list, err)
	}
	for _, p := range list {
		if !p.IsValid() || !isLocal(p.Addr()) {
			t.Errorf("network %v", p)
		}
	}
	t.Logf("networks %v, %v", list, err)
}
