package lcm

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

var units = []struct {
	suffix string
	length time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}}

// ParseDuration reads a duration as documents and settings write it: [0-9]+(ms|s|m|h|d|w), a day being
// 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	for _, u := range units {
		if err == nil && s[digits:] == u.suffix && n <= math.MaxInt64/int64(u.length) {
			return time.Duration(n) * u.length, nil
		}
	}
	return 0, fmt.Errorf("%.40q is not a duration such as 60s, 24h or 30d", s)
}
