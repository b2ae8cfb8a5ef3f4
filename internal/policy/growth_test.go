package policy

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestGrowth: each of these calls would make hundreds of megabytes at once, where nothing can stop it.
func TestGrowth(t *testing.T) {
	const tens = `t := "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"` + "\n"
	const long = tens + `l := replace(t, "0", concat("", [t, t, t, t, t, t, t, t, t, t]))` + "\n" + `m := replace(l, "1", l)` + "\n"
	for name, body := range map[string]string{
		"replace":         long + `x := replace(m, "2", m)`,
		"replace_n":       long + `x := strings.replace_n({"2": m}, m)`,
		"regex.replace":   long + `x := regex.replace(m, "2", m)`,
		"concat":          long + `x := concat(m, split(m, "3"))`,
		"split":           long + `x := split(m, "")`,
		"regex.split":     long + `x := regex.split("3", m)`,
		"sprintf":         `x := sprintf("` + strings.Repeat("%900000d", 30) + `", [1])`,
		"sprintf star":    `x := sprintf("%*d", [999999, 1])`,
		"sprintf index":   long + `x := sprintf("` + strings.Repeat("%[1]s", 50) + `", [m])`,
		"bits.lsh":        `x := bits.lsh(1, 1000000000)`,
		"json.unmarshal":  long + `x := json.unmarshal(m)`,
		"array.concat":    long + `a := split(l, ""); b := array.concat(a, a); c := array.concat(b, b); d := array.concat(c, c); e := array.concat(d, d); f := array.concat(e, e); g := array.concat(f, f); x := array.concat(g, g)`,
		"template_string": long + "x := $\"{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}{m}\"",
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t, judge(body+"\n"))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := p.Evaluate(t.Context(), endpoint())
			runtime.ReadMemStats(&after)
			if !errors.Is(err, errMemory) {
				t.Error(err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
				t.Errorf("%d MiB were taken all the same", grown>>20)
			}
		})
	}
}

// TestOverran: a pack that takes too long on some documents is not tried on all others.
func TestOverran(t *testing.T) {
	p := must(t, judge(`x := strings.replace_n({"": sprintf("%9d", [1])}, "a")`))
	for range maxOverran {
		p.own.overran.Add(1)
	}
	if _, err := p.Evaluate(t.Context(), endpoint()); !errors.Is(err, errSpent) {
		t.Error(err)
	}
	if v, err := must(t, nil).Evaluate(t.Context(), orphan()); err != nil || len(v) == 0 {
		t.Error("the built-in rules go on:", v, err)
	}
}
