package etcd

import (
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/llm-config-manager/lcm/internal/store"
)

func TestOutages(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{rpctypes.ErrNoLeader, true},
		{rpctypes.ErrTimeout, true},
		{rpctypes.ErrStopped, true},
		{rpctypes.ErrNoSpace, true},
		{rpctypes.ErrTooManyRequests, true},
		{status.Error(codes.Unavailable, "gone"), true},
		{status.Error(codes.DeadlineExceeded, "late"), true},
		{rpctypes.ErrPermissionDenied, false},
		{rpctypes.ErrAuthFailed, false},
		{rpctypes.ErrRequestTooLarge, false},
		{rpctypes.ErrCompacted, false},
		{status.Error(codes.Unimplemented, "what?"), false},
		{store.ErrConflict, false},
	} {
		if err := translate(t.Context(), c.err); errors.Is(err, store.ErrOutage) != c.want {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
