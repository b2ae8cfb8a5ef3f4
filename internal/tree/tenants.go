package tree

import (
	"regexp"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const maxRegions = 256

var regionShape = regexp.MustCompile(`^[a-z][a-z0-9-]{1,63}$`)

func (s *Settings) tenants(f *form, v any) {
	const rule = "settings/tenant"
	path := []string{"tenants"}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		f.at(path, rule, "tenants must be a mapping of at least one org")
		return
	}
	s.Tenants = map[string]Tenant{}
	for _, org := range sortedKeys(m) {
		at := join(path, org)
		if !lcm.ValidName(org) || lcm.Reserved(org) {
			f.atKey(at, rule, "a tenant is an org: small letters, digits and inner hyphens, at most %d", lcm.MaxName)
		}
		fields, ok := m[org].(map[string]any)
		if !ok {
			f.at(at, rule, "a tenant is a mapping of regions, or {}")
			continue
		}
		f.only(fields, at, "settings/unknown-field", "regions")
		if v, ok := fields["regions"]; ok {
			s.Tenants[org] = Tenant{Regions: f.regions(v, join(at, "regions"), rule)}
		}
	}
}

// regions are written out, since a pattern would let in regions that do not exist yet.
func (f *form) regions(v any, at []string, rule string) (out []string) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 || len(list) > maxRegions {
		f.at(at, rule, "regions must be a list of 1 to %d regions", maxRegions)
		return nil
	}
	for i, e := range list {
		region, _ := e.(string)
		if !regionShape.MatchString(region) {
			f.at(join(at, index(i)), rule, "a region is written out, such as eu-central-1")
		}
		out = append(out, region)
	}
	slices.Sort(out)
	return out
}

// loosenedRegions says which tenants may use which regions that they might not before.
func (s *Settings) loosenedRegions(now *Settings) (words []string) {
	for _, org := range sortedKeys(s.Tenants) {
		was, is := s.Tenants[org].Regions, now.Tenants[org].Regions
		if len(was) > 0 && len(is) == 0 {
			words = append(words, "models of tenant "+org+" may be in any region, and were kept to some")
			continue
		}
		for _, region := range is {
			if len(was) > 0 && !slices.Contains(was, region) {
				words = append(words, "models of tenant "+org+" may be in "+region)
			}
		}
	}
	return words
}
