package rpcserver

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator("user", "password")
		for _, tc := range []struct {
			user, password string
			want           bool
		}{
			{"user", "password", true},
			{"user", "", false},
			{"", "password", false},
			{"user", "password ", false},
			{"user:password", "", false},
			{"userx", "password", false},
		} {
			begin := time.Now()
			got := a.check(t.Context(), nil, tc.user, tc.password)
			took := time.Since(begin)
			if got != tc.want || got && took != 0 || !got && took != failDelay {
				t.Errorf("%q, %q: %v after %v", tc.user, tc.password, got, took)
			}
		}
	})
}

// TestGuessRate sends a thousand wrong passwords at once: they are checked no
// faster than maxAttempts per failDelay, also when the clients have hung up.
func TestGuessRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator("user", "password")
		const guesses = 1000
		begin := time.Now()
		var wg sync.WaitGroup
		for range guesses {
			wg.Go(func() {
				if a.check(t.Context(), nil, "user", "guess") {
					t.Error("a wrong password was accepted")
				}
			})
		}
		wg.Wait()
		if took, want := time.Since(begin), failDelay*guesses/maxAttempts; took < want {
			t.Errorf("%d guesses took %v, want at least %v", guesses, took, want)
		}
	})
}

// TestGuessesDelayOthersLittle logs in while every slot is taken by a wrong
// password.
func TestGuessesDelayOthersLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator("user", "password")
		for range maxAttempts {
			go a.check(t.Context(), nil, "user", "guess")
		}
		synctest.Wait()
		begin := time.Now()
		if !a.check(t.Context(), nil, "user", "password") || time.Since(begin) > failDelay {
			t.Errorf("login took %v", time.Since(begin))
		}
	})
}

// TestAuthenticatorEnds ends waiting checks by eviction and by shutdown.
func TestAuthenticatorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator("user", "password")
		life, cancel := context.WithCancel(t.Context())
		for range maxAttempts {
			go a.check(life, nil, "user", "guess")
		}
		synctest.Wait()
		begin := time.Now()
		evicted := make(chan struct{})
		close(evicted)
		if a.check(life, evicted, "user", "password") || time.Since(begin) != 0 {
			t.Errorf("an evicted client waited %v", time.Since(begin))
		}
		cancel()
		synctest.Wait()
		if len(a.attempts) != 0 || time.Since(begin) != 0 {
			t.Errorf("%d checks outlived the server", len(a.attempts))
		}
	})
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		if ok, n := th.allow(time.Now()); !ok || n != 0 {
			t.Errorf("first event: %v, %d", ok, n)
		}
		for range 5 {
			if ok, _ := th.allow(time.Now()); ok {
				t.Error("an event too many")
			}
		}
		time.Sleep(throttleInterval)
		if ok, n := th.allow(time.Now()); !ok || n != 5 {
			t.Errorf("after the interval: %v, %d", ok, n)
		}
	})
}
