package schema

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Several mistakes are told together, each once, in the order of their paths.
func TestSeveralMistakes(t *testing.T) {
	s := newSchema(t, nil)
	doc := change(t, parse(t, full["ModelEndpoint"]), "metadata.ownr = x ;; spec.targets.0.weight = -1 ;; spec.targets.0.foo = 3 ;; spec.targets.0.api_key.ref = A"+
		" ;; spec.targets.1.provider = nobody ;; -spec.targets.2.region ;; spec.retry.attempts = many ;; -spec.model_name")
	var got []string
	for _, v := range s.Check(lcm.KindModelEndpoint, doc) {
		line := v.Rule
		for _, p := range v.Path {
			line += " " + p
		}
		got = append(got, line)
	}
	want := []string{
		"schema/unknown-field metadata ownr",
		"schema/required spec model_name",
		"schema/type spec retry attempts",
		"schema/pattern spec targets 0 api_key ref",
		"schema/unknown-field spec targets 0 foo",
		"schema/bounds spec targets 0 weight",
		"schema/enum spec targets 1 provider",
		"schema/required spec targets 2 region",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A document that is wrong everywhere is not told to the end.
func TestManyMistakes(t *testing.T) {
	s := newSchema(t, nil)
	labels := map[string]any{}
	for i := range 3000 {
		labels[fmt.Sprint("k", i)] = int64(i)
	}
	doc := parse(t, full["Config"])
	doc["metadata"].(map[string]any)["labels"] = labels
	if n := len(s.Check(lcm.KindConfig, doc)); n != maxViolations {
		t.Errorf("%d violations", n)
	}
}

func TestConcurrent(t *testing.T) {
	s := newSchema(t, own1("package lcm\n#Preset: spec: config: temperature?: <=1\n"))
	good, bad := parse(t, full["Preset"]), change(t, parse(t, full["Preset"]), "spec.config.temperature = 1.5")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for range 20 {
				if v := s.Check(lcm.KindPreset, good); len(v) != 0 {
					t.Errorf("%+v", v)
				}
				if v := s.Check(lcm.KindPreset, bad); len(v) != 1 || v[0].Rule != RuleBounds {
					t.Errorf("%+v", v)
				}
			}
		})
	}
	group.Wait()
}

func TestWorkersAreRenewed(t *testing.T) {
	s := newSchema(t, nil)
	first := s.pool.free[0]
	first.used = renewAfter - 1
	doc := parse(t, full["Tombstone"])
	for range 2 {
		s.passed = verdicts{}
		if v := s.Check(lcm.KindTombstone, doc); len(v) > 0 {
			t.Errorf("%+v", v)
		}
	}
	if len(s.pool.free) != 1 || s.pool.free[0] == first || s.pool.free[0].used != 1 {
		t.Error("the worn context was not replaced")
	}
}

// What the engine cannot take is refused, and the next document is judged all the same.
func TestPanicRefuses(t *testing.T) {
	s := newSchema(t, nil)
	v := s.with(func(*worker) []Violation { panic("inside the engine") })
	if len(v) != 1 || v[0].Rule != RuleConflict {
		t.Errorf("%+v", v)
	}
	if v := s.Check(lcm.KindTombstone, parse(t, full["Tombstone"])); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}

func TestStrangeValuesAreRefused(t *testing.T) {
	s := newSchema(t, nil)
	for _, v := range []map[string]any{nil, {}, {"spec": make(chan int)}, {"apiVersion": []any{}, "kind": map[string]any{"0": nil}, "spec": []any{}}} {
		if len(s.Check(lcm.KindConfig, v)) == 0 {
			t.Errorf("%v passed", v)
		}
	}
}

// A document that passed is known again, and only that one: not with another type of number, nor as another kind.
func TestVerdicts(t *testing.T) {
	s := newSchema(t, nil)
	doc := parse(t, full["Preset"])
	s.Check(lcm.KindPreset, doc)
	used := s.pool.free[0].used
	if v := s.Check(lcm.KindPreset, doc); len(v) > 0 || s.pool.free[0].used != used {
		t.Errorf("judged again: %+v", v)
	}
	if v := s.Check(lcm.KindPreset, change(t, doc, "spec.config.max_tokens = 1024.0")); len(v) != 1 {
		t.Errorf("%+v", v)
	}
	if v := s.Check(lcm.KindBudget, doc); len(v) == 0 {
		t.Error("passed as a Budget")
	}
	for i := range 3 * maxVerdicts {
		s.passed.remember(verdict{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if n := len(s.passed.new) + len(s.passed.old); n > 2*maxVerdicts {
		t.Errorf("%d verdicts kept", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, own := range []map[string][]byte{nil, own1("package lcm\n#Config: spec: value: _\n#ModelEndpoint: metadata: owner!: _\n")} {
		s := newSchema(b, own)
		name := "pack"
		if own != nil {
			name = "own"
		}
		for _, kind := range []string{"Config", "ModelEndpoint", "Secret"} {
			doc := parse(b, full[kind])
			b.Run(name+"/"+kind+"/known", func(b *testing.B) {
				for b.Loop() {
					s.Check(lcm.Kind(kind), doc)
				}
			})
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.passed = verdicts{}
					if v := s.Check(lcm.Kind(kind), doc); len(v) > 0 {
						b.Fatal(v)
					}
				}
			})
		}
	}
}
