package etcd

import (
	"time"

	"google.golang.org/grpc"
)

// Through has all requests of the target go through i, behind what the client itself does with them. It is called
// before the target is used.
func (t *Target) Through(i grpc.UnaryClientInterceptor) {
	t.etcd.config.DialOptions = append(t.etcd.config.DialOptions, grpc.WithChainUnaryInterceptor(i))
}

// Hurry makes the target give up soon where it would try again.
func (t *Target) Hurry() { t.etcd.pause, t.etcd.holds = 10*time.Millisecond, 0 }
