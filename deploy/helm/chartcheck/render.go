package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// manifest is one rendered template.
type manifest struct{ name, content string }

// render does what `helm template lcm CHART --values …` does. Values are checked against values.schema.json.
func render(chartDir string, files []string) ([]manifest, error) {
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	given := map[string]any{}
	for _, f := range files {
		v, err := chartutil.ReadValuesFile(f)
		if err != nil {
			return nil, fmt.Errorf("reading the values %s: %w", f, err)
		}
		given = chartutil.MergeTables(v, given)
	}
	release := chartutil.ReleaseOptions{Name: "lcm", Namespace: "lcm", Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(c, given, release, capabilities())
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true}.Render(c, values)
	if err != nil {
		return nil, err
	}
	var out []manifest
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if ext := path.Ext(name); ext == ".yaml" && strings.TrimSpace(rendered[name]) != "" {
			out = append(out, manifest{name, strings.TrimSpace(rendered[name])})
		}
	}
	return out, nil
}

// capabilities are those of a cluster that has the Prometheus operator's kinds.
func capabilities() *chartutil.Capabilities {
	c := *chartutil.DefaultCapabilities
	c.APIVersions = append(slices.Clone(c.APIVersions), "monitoring.coreos.com/v1")
	return &c
}
