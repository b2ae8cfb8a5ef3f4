package lcm

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "250ms": 250 * time.Millisecond, "60s": time.Minute, "15m": 15 * time.Minute,
		"24h": 24 * time.Hour, "30d": 720 * time.Hour, "2w": 336 * time.Hour} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "5", "-5m", "+5m", "1.5h", "5 m", "1h30m", "5M", "1y", "99999999999999999999s", "999999999999w", "５m"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
