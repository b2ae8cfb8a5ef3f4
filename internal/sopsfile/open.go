package sopsfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Open opens the Secret that an entry resolves to, out of a revision that was believed. The Secret
// holds the fields of spec.data as string, int64, float64, bool, []any or map[string]any. What is
// wrong with the file comes as an *Error.
func (o *Opener) Open(ctx context.Context, v trust.Verified, e *tree.Entry) (lcm.Secret, error) {
	switch err := ctx.Err(); {
	case err != nil:
		return lcm.Secret{}, fmt.Errorf("opening a secret: %w", err)
	case v.IsZero():
		return lcm.Secret{}, errors.New("opening a secret: the revision was not verified")
	case e.Kind != lcm.KindSecret:
		return lcm.Secret{}, fmt.Errorf("%s is a %s, not a Secret", e.Address, e.Kind)
	}
	data, err := fs.ReadFile(v.FS(), e.Origin.File)
	if err != nil {
		return lcm.Secret{}, fmt.Errorf("reading a sealed file: %w", err)
	}
	return o.open(e.Origin.File, data)
}
