package reconcile

import (
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/tracing"
	"github.com/llm-config-manager/lcm/internal/tracing/otlptest"
)

// traced has the passes of a world sent to a collector.
func (w *world) traced() *otlptest.Collector {
	w.Helper()
	c := &otlptest.Collector{}
	tr, err := tracing.Open(tracing.Config{Endpoint: c.HTTP(w), Protocol: "http", Successes: 1, Service: "reconciler", Log: slog.New(slog.DiscardHandler)})
	w.check(err)
	w.Cleanup(func() { _ = tr.Close() })
	w.r.Tracer = tr.Tracer()
	return c
}

// trace awaits the n-th trace, counted from 1, and returns its spans.
func awaitTrace(t *testing.T, c *otlptest.Collector, n int) map[string]otlptest.Span {
	t.Helper()
	isRoot := func(s otlptest.Span) bool { return len(s.ParentSpanId) == 0 }
	spans := c.Await(t, func(all []otlptest.Span) bool {
		roots := 0
		for _, s := range all {
			if isRoot(s) {
				roots++
			}
		}
		return roots == n
	})
	var root otlptest.Span
	for _, s := range spans {
		if isRoot(s) {
			root = s
		}
	}
	out := map[string]otlptest.Span{}
	for _, s := range spans {
		if string(s.TraceId) != string(root.TraceId) {
			continue
		}
		if _, twice := out[s.Name]; twice && s.Name != "target" {
			t.Errorf("two spans are called %s", s.Name)
		}
		if s.Name != "target" && !isRoot(s) && string(s.ParentSpanId) != string(root.SpanId) {
			t.Errorf("span %s is not below the pass", s.Name)
		}
		if s.StartTimeUnixNano < root.StartTimeUnixNano || s.EndTimeUnixNano > root.EndTimeUnixNano || s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("span %s is not within the pass", s.Name)
		}
		out[s.Name] = s
	}
	return out
}

// TestStagesAreSpans: each stage that the comment of the package lists is a span below the pass, and nothing else is.
func TestStagesAreSpans(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pass", "target"}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\S+) `).FindAllSubmatch(doc, -1) {
		want = append(want, string(m[1]))
	}
	w := newWorld(t, map[string]string{dev + "a.yaml": config("canary"), prod + "b.yaml": config("canary")})
	c := w.traced()
	w.pass(Options{})
	spans := awaitTrace(t, c, 1)
	var got []string
	for name, s := range spans {
		got = append(got, name)
		if strings.Contains(s.String(), "canary") || s.Failed() {
			t.Errorf("span %s: %v", name, s.Span)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("spans  %v\nstages %v", got, want)
	}
	if target := spans["target"]; target.Attribute("lcm.target") != "runtime" || string(target.ParentSpanId) != string(spans["apply"].SpanId) {
		t.Errorf("%v", target.Span)
	}
	pass := spans["pass"]
	if pass.Attribute("lcm.result") != "done" || pass.Attribute("lcm.revision") != string(w.head) || pass.Attribute("lcm.changes") != "2" || pass.Attribute("lcm.namespaces") != "2" {
		t.Errorf("%v", pass.Span)
	}
	if n := spans["check"].Attribute("lcm.runs"); n != "2" {
		t.Errorf("check: %s runs", n)
	}
}

// TestFailuresAreTraced: whatever goes wrong is an error of its stage and of the pass.
func TestFailuresAreTraced(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	c := w.traced()
	w.pass(Options{})
	awaitTrace(t, c, 1)
	n := 1
	look := func(stage, result string) map[string]otlptest.Span {
		n++
		spans := awaitTrace(t, c, n)
		if !spans[stage].Failed() || !spans["pass"].Failed() || spans["pass"].Attribute("lcm.result") != result {
			t.Errorf("%s: %v\npass: %v", stage, spans[stage].Span, spans["pass"].Span)
		}
		return spans
	}
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.faults["runtime"].apply = errors.New("canary")
	w.pass(Options{})
	if spans := look("apply", "target-failed"); !spans["target"].Failed() || strings.Contains(spans["target"].String(), "canary") {
		t.Errorf("%v", spans["target"].Span)
	}
	w.faults["runtime"].apply = nil
	w.commit("wrong", map[string]string{dev + "a.yaml": config("two") + "canary: 1\n"})
	w.pass(Options{})
	look("check", "held")
	w.signer = sshSigner(t, "x")
	w.commit("stranger", map[string]string{dev + "a.yaml": config("three")})
	w.pass(Options{})
	if spans := look("verify", "refused"); spans["verify"].Attribute("lcm.rule") != "trust/unknown-key" {
		t.Errorf("%v", spans["verify"].Span)
	}
	w.check(os.Rename(w.dir+"/origin.git", w.dir+"/gone.git"))
	if _, err := w.r.Pass(t.Context(), Options{}); err == nil {
		t.Error("no error")
	}
	look("fetch", "failed")
}
