package reconcile

import (
	"context"
	"time"
)

// A pass that is told to stop stops at once where it only reads, and begins with no further namespace. What it is writing
// it may write to the end, for so long as Config.Grace: half-written namespaces are mended by the next pass, but until
// then readers do without.

// bounds say how long a pass may go on. The context that all else has ends a moment after begin does.
type bounds struct {
	begin context.Context // no namespace is begun once this has ended
	last  context.Context // of what is being written
}

// outlive returns a context that ends so much later than ctx, and never without what ends it being called.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel(context.Cause(ctx))
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel(context.Canceled) }
}

// until returns ctx, which ends when stop does as well.
func until(ctx, stop context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })
	return out, func() { release(); cancel(context.Canceled) }
}

// writing is a context for what is being written: it lasts as long as last, and has the values of that of the pass.
type writing struct {
	context.Context
	pass context.Context
}

// Value implements context.Context.
func (w writing) Value(key any) any { return w.pass.Value(key) }
