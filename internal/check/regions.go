package check

import "strings"

// partOfWorld tells roughly where a region of AWS, Google Cloud or Azure is; "" if its name does not say so.
func partOfWorld(region string) string {
	for _, p := range worldParts {
		for _, begin := range p.begin {
			if strings.HasPrefix(region, begin) {
				return p.name
			}
		}
		for _, within := range p.within {
			if strings.Contains(region, within) {
				return p.name
			}
		}
	}
	return ""
}

// worldParts are tried in this order.
var worldParts = [...]struct {
	name          string
	begin, within []string
}{
	{"Europe", []string{"eu-", "europe", "austria", "belgium", "denmark", "finland", "france", "germany", "italy", "norway", "poland", "spain", "sweden", "switzerland", "uksouth", "ukwest"}, []string{"europe"}},
	{"Canada", []string{"ca-", "canada", "northamerica-northeast"}, nil},
	{"Mexico", []string{"mx-", "mexico", "northamerica-south"}, nil},
	{"the USA", []string{"us-", "usgov"}, []string{"eastus", "westus", "centralus"}},
	{"South America", []string{"sa-", "southamerica-", "brazil", "chile"}, nil},
	{"Africa", []string{"af-", "africa-", "southafrica"}, nil},
	{"the Middle East", []string{"me-", "il-", "uae", "qatar", "israel"}, nil},
	{"China", []string{"cn-", "china"}, nil},
	{"Asia and the Pacific", []string{"ap-", "asia-", "australia", "japan", "korea", "indonesia", "malaysia", "newzealand"}, []string{"asia", "india"}},
}
