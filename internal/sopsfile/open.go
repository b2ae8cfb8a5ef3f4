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
	data, err := sealedFile(ctx, v, e)
	if err != nil {
		return lcm.Secret{}, err
	}
	return o.open(e.Origin.File, data)
}

// Whole is all that a Secret's file holds.
type Whole struct {
	Type           string
	Data, Previous lcm.Secret // Previous is zero if there is none
}

// OpenWhole is Open, with what stands beside spec.data.
func (o *Opener) OpenWhole(ctx context.Context, v trust.Verified, e *tree.Entry) (Whole, error) {
	file, err := sealedFile(ctx, v, e)
	if err != nil {
		return Whole{}, err
	}
	opened, doc, err := o.openAll(e.Origin.File, file)
	if err != nil {
		return Whole{}, err
	}
	spec, _ := doc["spec"].(map[string]any)
	kind, _ := spec["type"].(string)
	data, _ := opened["data"].(map[string]any)
	previous, _ := opened["previous"].(map[string]any)
	return Whole{kind, lcm.NewSecret(data), lcm.NewSecret(previous)}, nil
}

// sealedFile reads a Secret's file, only out of a revision that was believed.
func sealedFile(ctx context.Context, v trust.Verified, e *tree.Entry) ([]byte, error) {
	switch err := ctx.Err(); {
	case err != nil:
		return nil, fmt.Errorf("opening a secret: %w", err)
	case v.IsZero():
		return nil, errors.New("opening a secret: the revision was not verified")
	case e.Kind != lcm.KindSecret:
		return nil, fmt.Errorf("%s is a %s, not a Secret", e.Address, e.Kind)
	}
	data, err := fs.ReadFile(v.FS(), e.Origin.File)
	if err != nil {
		return nil, fmt.Errorf("reading a sealed file: %w", err)
	}
	return data, nil
}
