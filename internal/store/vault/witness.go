package vault

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

var _ store.Witness = (*Target)(nil)

// LastChange tells who wrote the newest version of an entry, as far as this Vault keeps it, and when.
func (t *Target) LastChange(ctx context.Context, addr lcm.Address) (who string, at time.Time, err error) {
	if err := store.CheckAddress(addr); err != nil {
		return "", time.Time{}, err
	}
	e, err := t.inspect(ctx, addr.String())
	if err != nil {
		return "", time.Time{}, err
	}
	at, err = time.Parse(time.RFC3339Nano, e.created)
	return actor(e.by), at, err
}

// actor reads created_by, which Vault keeps from 1.21 on; "" if there is none.
func actor(by json.RawMessage) string {
	var a struct {
		Actor  string `json:"actor"`
		Entity string `json:"entity_id"`
	}
	if json.Unmarshal(by, &a) != nil {
		return ""
	}
	if a.Entity != "" {
		a.Actor += " (entity " + a.Entity + ")"
	}
	return printable(a.Actor)
}

// printable keeps what may stand on a line of a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s[:min(len(s), 200)])
}
