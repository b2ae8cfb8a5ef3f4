package vault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
)

func TestOutages(t *testing.T) {
	for err, want := range map[error]bool{
		errConnection:     true,
		&statusError{500}: true, &statusError{502}: true, &statusError{503}: true, &statusError{429}: true,
		&statusError{501}: false, &statusError{400}: false, &statusError{403}: false, &statusError{404}: false, &statusError{412}: false, &statusError{413}: false,
		errAbsent: false, errAnswer: false, errTooLarge: false, store.ErrConflict: false,
	} {
		if got := errors.Is(fmt.Errorf("listing: %w", err), store.ErrOutage); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}
