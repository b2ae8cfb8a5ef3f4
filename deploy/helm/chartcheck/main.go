// Command chartcheck renders a Helm chart as `helm template` does, and validates what comes out against the
// JSON Schemas of Kubernetes, as kubeconform does. It is a module of its own: nothing of it is part of the product.
//
//	chartcheck -schemas DIR [-values FILE]... [-set FILE]... CHART    render, validate, print the manifests
//	chartcheck -extract SWAGGER -schemas DIR                          write the schemas of the kinds that the chart uses
//	chartcheck -crd FILE -schemas DIR                                 the same of a custom resource definition
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() { os.Exit(run(os.Args[1:])) }

// files is a flag that may be given several times.
type files []string

func (f *files) String() string     { return strings.Join(*f, ",") }
func (f *files) Set(s string) error { *f = append(*f, s); return nil }

func run(args []string) int {
	var values, crds files
	flags := flag.NewFlagSet("chartcheck", flag.ContinueOnError)
	schemas := flags.String("schemas", "", "the folder of the JSON Schemas")
	swagger := flags.String("extract", "", "write the schemas from this OpenAPI document of Kubernetes (api/openapi-spec/swagger.json)")
	flags.Var(&crds, "crd", "write the schema from this custom resource definition")
	flags.Var(&values, "values", "values, as of helm's --values; a later file goes over an earlier one")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := do(flags, *schemas, *swagger, crds, values); err != nil {
		fmt.Fprintln(os.Stderr, "chartcheck:", err)
		return 1
	}
	return 0
}

func do(flags *flag.FlagSet, schemas, swagger string, crds, values files) error {
	switch {
	case schemas == "":
		return fmt.Errorf("-schemas is missing")
	case swagger != "":
		return extract(swagger, schemas)
	case len(crds) > 0:
		return extractCRDs(crds, schemas)
	case flags.NArg() != 1:
		return fmt.Errorf("one chart is needed")
	}
	manifests, err := render(flags.Arg(0), values)
	if err != nil {
		return err
	}
	for _, m := range manifests {
		fmt.Printf("---\n# Source: %s\n%s\n", m.name, m.content)
	}
	return validate(manifests, schemas)
}
