package redis

import (
	"errors"
	"fmt"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
)

func TestOutages(t *testing.T) {
	for text, want := range map[string]bool{
		"READONLY You can't write against a read only replica.": true,
		"LOADING Redis is loading the dataset in memory":        true,
		"MASTERDOWN Link with MASTER is down":                   true,
		"CLUSTERDOWN The cluster is down":                       true,
		"OOM command not allowed":                               true,
		"ERR max number of clients reached":                     true,
		"NOPERM User has no permissions":                        false,
		"WRONGPASS invalid username-password pair":              false,
		"NOAUTH Authentication required.":                       false,
		"CROSSSLOT Keys in request":                             false,
		"WRONGTYPE Operation against a key":                     false,
		"ERR unknown command 'FCALL'":                           false,
		"something else":                                        false,
	} {
		if err := meaning(text); errors.Is(fmt.Errorf("listing: %w", err), store.ErrOutage) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if !errors.Is(fmt.Errorf("%w: the connection broke", errConnection), store.ErrOutage) || errors.Is(store.ErrConflict, store.ErrOutage) {
		t.Error("no answer is an outage, a conflict is none")
	}
}
