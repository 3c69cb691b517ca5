package main

import (
	"errors"
	"slices"
	"testing"
)

// TestTakeOver: nothing is applied unless everything can be.
func TestTakeOver(t *testing.T) {
	var did []string
	hook := func(name string, err error) reloadHook {
		return func(*config) (func(), error) {
			did = append(did, "prepare "+name)
			return func() { did = append(did, "apply "+name) }, err
		}
	}
	nothing := func(*config) (func(), error) { return nil, nil }
	fault := errors.New("fault")
	if err := takeOver(nil, []reloadHook{hook("a", nil), nothing, hook("b", fault)}); !errors.Is(err, fault) {
		t.Error(err)
	}
	if want := []string{"prepare a", "prepare b"}; !slices.Equal(did, want) {
		t.Errorf("%q", did)
	}
	did = nil
	if err := takeOver(nil, []reloadHook{hook("a", nil), nothing, hook("b", nil)}); err != nil {
		t.Error(err)
	}
	if want := []string{"prepare a", "prepare b", "apply a", "apply b"}; !slices.Equal(did, want) {
		t.Errorf("%q", did)
	}
}
