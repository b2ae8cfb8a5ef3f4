package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/yannh/kubeconform/pkg/validator"
)

// validate holds the manifests against the schemas: a field that no schema knows is an error, and a kind without one, too.
func validate(manifests []manifest, schemas string) error {
	v, err := validator.New([]string{schemas + "/{{.ResourceKind}}{{.KindSuffix}}.json"}, validator.Opts{Strict: true})
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range manifests {
		for _, r := range v.Validate(m.name, io.NopCloser(strings.NewReader(m.content))) {
			if r.Status == validator.Valid || r.Status == validator.Empty {
				continue
			}
			errs = append(errs, fmt.Errorf("%s: %v", m.name, r.Err))
			for _, e := range r.ValidationErrors {
				errs = append(errs, fmt.Errorf("%s: %s: %s", m.name, e.Path, e.Msg))
			}
		}
	}
	return errors.Join(errs...)
}
