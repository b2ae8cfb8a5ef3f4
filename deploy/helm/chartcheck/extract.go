package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// kinds are those of Kubernetes itself that the chart makes, by their names in its OpenAPI document.
var kinds = map[string]string{
	"statefulset-apps-v1":           "io.k8s.api.apps.v1.StatefulSet",
	"configmap-v1":                  "io.k8s.api.core.v1.ConfigMap",
	"service-v1":                    "io.k8s.api.core.v1.Service",
	"serviceaccount-v1":             "io.k8s.api.core.v1.ServiceAccount",
	"networkpolicy-networking-v1":   "io.k8s.api.networking.v1.NetworkPolicy",
	"poddisruptionbudget-policy-v1": "io.k8s.api.policy.v1.PodDisruptionBudget",
	"ingress-networking-v1":         "io.k8s.api.networking.v1.Ingress",
	"persistentvolumeclaim-v1":      "io.k8s.api.core.v1.PersistentVolumeClaim",
}

const prefix = "#/definitions/"

// extract writes a schema for each kind with the definitions that it needs, in which objects with known fields have no others.
func extract(swagger, dir string) error {
	data, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var doc struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	for file, name := range kinds {
		needed := map[string]any{}
		if err := collect(doc.Definitions, name, needed); err != nil {
			return err
		}
		if err := write(dir, file, map[string]any{"$ref": prefix + name, "definitions": needed}); err != nil {
			return err
		}
	}
	return nil
}

// collect adds a definition and all that it refers to.
func collect(all map[string]map[string]any, name string, into map[string]any) error {
	if _, ok := into[name]; ok {
		return nil
	}
	d, ok := all[name]
	if !ok {
		return fmt.Errorf("the OpenAPI document has no %s", name)
	}
	into[name] = closed(d, name)
	for _, ref := range refs(d) {
		if err := collect(all, strings.TrimPrefix(ref, prefix), into); err != nil {
			return err
		}
	}
	return nil
}

// closed makes a definition strict, leaves out its prose, and says what the OpenAPI document says in formats only.
func closed(d map[string]any, name string) any {
	switch name {
	case "io.k8s.apimachinery.pkg.util.intstr.IntOrString":
		return map[string]any{"oneOf": []any{map[string]any{"type": "string"}, map[string]any{"type": "integer"}}}
	case "io.k8s.apimachinery.pkg.api.resource.Quantity":
		return map[string]any{"oneOf": []any{map[string]any{"type": "string"}, map[string]any{"type": "number"}}}
	}
	out := strip(d).(map[string]any)
	if _, ok := out["properties"]; ok && out["additionalProperties"] == nil {
		out["additionalProperties"] = false
	}
	return out
}

// strip leaves out descriptions and extensions. A property may itself be named so.
func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if k == "properties" {
				props := map[string]any{}
				for name, p := range e.(map[string]any) {
					props[name] = strip(p)
				}
				out[k] = props
			} else if k != "description" && !strings.HasPrefix(k, "x-kubernetes-") {
				out[k] = strip(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = strip(e)
		}
		return out
	}
	return v
}

func refs(v any) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if ref, ok := e.(string); ok && k == "$ref" {
				found = append(found, ref)
			}
			found = append(found, refs(e)...)
		}
	case []any:
		for _, e := range v {
			found = append(found, refs(e)...)
		}
	}
	return found
}

// extractCRDs writes the schema of the newest served version of each definition.
func extractCRDs(paths []string, dir string) error {
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if err := yaml.Unmarshal(data, &crd); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v := crd.Spec.Versions[0]
		group, _, _ := strings.Cut(crd.Spec.Group, ".")
		if err := write(dir, strings.ToLower(crd.Spec.Names.Kind)+"-"+group+"-"+v.Name, strict(strip(keepUnions(v.Schema.OpenAPIV3Schema)))); err != nil {
			return err
		}
	}
	return nil
}

// keepUnions turns int-or-string, which strip would leave out, into JSON Schema.
func keepUnions(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v["x-kubernetes-int-or-string"] == true {
			return map[string]any{"type": []any{"string", "integer"}}
		}
		for k, e := range v {
			v[k] = keepUnions(e)
		}
	case []any:
		for i, e := range v {
			v[i] = keepUnions(e)
		}
	}
	return v
}

// strict forbids fields that a schema does not name. metadata is Kubernetes' own.
func strict(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = strict(e)
		}
		if props, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil && len(props) > 0 {
			v["additionalProperties"] = false
		}
	case []any:
		for i, e := range v {
			v[i] = strict(e)
		}
	}
	return v
}

func write(dir, name string, schema any) error {
	out, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(out, '\n'), 0o644)
}
