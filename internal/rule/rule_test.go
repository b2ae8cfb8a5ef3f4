package rule

import "testing"

func TestCatalogue(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]string{}
	for _, r := range all {
		if other := anchors[r.Anchor()]; other != "" {
			t.Errorf("%s and %s share the anchor %s", r.ID, other, r.Anchor())
		}
		anchors[r.Anchor()] = r.ID
	}
	t.Logf("%d rules", len(all))
}
