package reconcile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

// sealed seals a Secret of an address.
func (w *world) sealed(address, kind string, data, previous map[string]any) (path, text string) {
	w.Helper()
	path = "namespaces/" + address + ".sops.yaml"
	spec := map[string]any{"type": kind, "data": data}
	if previous != nil {
		spec["previous"] = previous
	}
	b, err := sopsfile.Seal(path, map[string]any{"apiVersion": "lcm/v1", "kind": "Secret", "spec": spec,
		"metadata": map[string]any{"owner": "platform", "description": "d", "address": address}}, []string{w.age})
	w.check(err)
	return path, string(b)
}

// apiKey commits an API key at an address.
func (w *world) apiKey(message, address, key string) (path, text string) {
	w.Helper()
	path, text = w.sealed(address, "api-key", map[string]any{"key": key, "provider": "openai"}, nil)
	w.commit(message, map[string]string{path: text})
	return path, text
}

const (
	openai  = "acme/shop/chat/production/openai-key"
	leaked  = "canary-leaked-0001"
	rotated = "canary-fresh-0002"
)

func (w *world) burnedAt(r *Report, want ...string) {
	w.Helper()
	var got []string
	for _, h := range r.Held {
		for _, f := range h.Findings {
			if f.Rule == "secret/burned" {
				got = append(got, f.File)
			}
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		w.Errorf("burned at %v, want %v\nfindings %v", got, want, r.Findings)
	}
	for _, h := range r.Held {
		for _, f := range h.Findings {
			if strings.Contains(f.String(), "canary") {
				w.Errorf("a value is told: %s", f)
			}
		}
	}
}

// unburned are the warnings of a pass about burns that were not done.
func unburnedOf(r *Report) (out []string) {
	for _, f := range r.Findings {
		if f.Rule == "secret/burn" && f.Severity == diag.Warning {
			out = append(out, f.Message)
		}
	}
	return out
}

// value is what the target for secrets holds.
func (w *world) value(address string) string {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	v, _, err := w.r.Targets["secrets"].Get(w.Context(), a)
	w.check(err)
	return string(v)
}

// A leaked key is rotated and burned in one commit. Then git revert, which every trust policy may let pass, brings
// it back to no target, at no address of the tenant and in no other form of Secret.
func TestBurned(t *testing.T) {
	w := newWorld(t, nil)
	file, old := w.apiKey("first key", openai, leaked)
	w.pass(Options{})
	w.apiKey("rotate\n\nLcm-Burn: "+openai, openai, rotated)
	r := w.pass(Options{})
	w.burnedAt(r)
	if got := unburnedOf(r); len(got) > 0 {
		t.Error(got)
	}

	w.commit("Revert \"rotate\"", map[string]string{file: old})
	w.burnedAt(w.pass(Options{DryRun: true}), file)
	r = w.pass(Options{})
	w.burnedAt(r, file)
	if got := w.value(openai); !strings.Contains(got, rotated) {
		t.Errorf("the target has %s", got)
	}
	if f := r.Held[0].Findings[0]; f.Line < 7 || !strings.Contains(f.Message, openai) {
		t.Errorf("%s names neither the field nor what burned it", f)
	}

	// At another address, in another field and type, with blanks around it.
	w.apiKey("mended", openai, rotated)
	other, text := w.sealed("acme/shop/search/development/token", "opaque", map[string]any{"a": map[string]any{"b": []any{" " + leaked + "\n"}}, "provider": "openai"}, nil)
	w.commit("elsewhere", map[string]string{other: text})
	w.burnedAt(w.pass(Options{}), other)

	// Another tenant learns nothing: what it holds is its own affair.
	w.apiKey("another tenant", "globex/shop/chat/production/openai-key", leaked)
	w.burnedAt(w.pass(Options{}), other)
}

// What already holds a value is held as soon as the value is burned, wherever it is.
func TestBurningHoldsTheOthers(t *testing.T) {
	w := newWorld(t, nil)
	w.apiKey("first", openai, leaked)
	copied, _ := w.apiKey("the same elsewhere", "acme/shop/search/production/openai-key", leaked)
	w.apiKey("the same of another tenant", "globex/shop/search/production/openai-key", leaked)
	w.pass(Options{})
	w.apiKey("rotate\n\nLcm-Burn: "+openai, openai, rotated)
	w.burnedAt(w.pass(Options{}), copied)
}

// A burn without a rotation stops the Secret at once.
func TestBurnAlone(t *testing.T) {
	w := newWorld(t, nil)
	file, _ := w.apiKey("first", openai, leaked)
	w.pass(Options{})
	w.commit("it leaked\n\nLcm-Burn: "+openai, nil)
	w.burnedAt(w.pass(Options{}), file)
}

// What is still accepted while a secret changes over is burned with it.
func TestBurnsPrevious(t *testing.T) {
	w := newWorld(t, nil)
	file, text := w.sealed(openai, "api-key", map[string]any{"key": rotated}, map[string]any{"key": leaked})
	w.commit("in the middle of a rotation", map[string]string{file: text})
	w.apiKey("both are burned\n\nLcm-Burn: "+openai, openai, "canary-third-0003")
	w.burnedAt(w.pass(Options{}))
	for _, key := range []string{leaked, rotated} {
		w.apiKey("back", openai, key)
		w.burnedAt(w.pass(Options{}), file)
	}
}

// The list outlives a restart; lost with the state, it is found again in the history.
func TestBurnsSurvive(t *testing.T) {
	w := newWorld(t, nil)
	file, old := w.apiKey("first", openai, leaked)
	w.pass(Options{})
	w.apiKey("rotate\n\nLcm-Burn: "+openai, openai, rotated)
	w.pass(Options{})
	w.stop()
	w.start()
	w.commit("back", map[string]string{file: old})
	w.burnedAt(w.pass(Options{}), file)

	w.stop()
	w.check(os.Remove(filepath.Join(w.dir, "state.db")))
	w.start()
	if r := w.pass(Options{}); r.Refusal == nil || r.Refusal.Rule != lostRule {
		t.Fatalf("%+v", r)
	}
	if _, err := w.r.Accept(t.Context(), w.head, "the disk died"); err != nil {
		t.Fatal(err)
	}
	w.burnedAt(w.pass(Options{}), file)
}

// Only those burn a value who could change it; whoever could not is told.
func TestWhoMayBurn(t *testing.T) {
	w := newAsking(t, map[string]string{"policies/rego/own.rego": "package lcm.own\n\nwarn contains {\"rule\": \"x\", \"path\": [], \"message\": \"x\"} if false\n"})
	file, old := w.apiKey("first", openai, leaked)
	w.pass(Options{})
	// From now on production needs two.
	policy := w.file(".lcm/trust.yaml")
	policy = strings.Replace(policy, "version: 1", "version: 2", 1) + "  - {paths: [\"namespaces/*/*/*/production/**\"], roles: [\"*\"], approvals: 2}\n"
	w.by(w.alice, map[string]string{".lcm/trust.yaml": policy})
	w.signer = w.alice
	w.commit("a burn by one\n\nLcm-Burn: "+openai, map[string]string{"README.md": "x"})
	r := w.pass(Options{})
	w.burnedAt(r)
	if got := unburnedOf(r); len(got) != 1 || !strings.Contains(got[0], "could not change this file") {
		t.Error(got)
	}
	w.stop()
	w.check(os.Remove(filepath.Join(w.dir, "state.db"))) // then it is judged again
	w.start()
	if _, err := w.r.Accept(t.Context(), w.head, "the disk died"); err != nil {
		t.Fatal(err)
	}
	r = w.pass(Options{})
	w.burnedAt(r)
	if got := unburnedOf(r); len(got) != 1 || w.file(file) != old {
		t.Error(got)
	}
}

// file reads a file of the branch's head.
func (w *world) file(path string) string {
	w.Helper()
	tree, err := w.repo.Tree(w.head)
	w.check(err)
	b, err := tree.ReadFile(path)
	w.check(err)
	return string(b)
}

// What cannot be burned is told in every pass, and tried again.
func TestBurnThatFails(t *testing.T) {
	w := newWorld(t, nil)
	w.apiKey("first", openai, leaked)
	short, text := w.sealed("acme/shop/chat/production/short", "opaque", map[string]any{"pin": "1234", "on": true}, nil)
	w.commit("a short one", map[string]string{short: text})
	w.pass(Options{})
	w.commit("nothing there\n\nLcm-Burn: acme/shop/chat/production/nothing\nLcm-Burn: acme/shop/chat/production/short\nLcm-Burn: no address", nil)
	for range 2 {
		r := w.pass(Options{})
		got := unburnedOf(r)
		if len(got) != 2 || !strings.Contains(got[0], "there was no such Secret") || !strings.Contains(got[1], "no value that could be burned") {
			t.Error(got)
		}
		w.burnedAt(r)
		w.commit("go on", map[string]string{"README.md": w.now.String() + string(w.head)})
	}
}

func TestMaterial(t *testing.T) {
	key := "-----BEGIN " + "PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"
	file := fmt.Sprintf("{\"client_email\": \"a@example.org\", \"private_key\": %q}", key+"\n")
	for _, c := range []struct {
		kind string
		data map[string]any
		want []string
	}{
		{"api-key", map[string]any{"key": "k", "provider": "openai", "key_id": "a-long-identity", "scopes": []any{"everything"}}, []string{"k"}},
		{"database", map[string]any{"host": "db.example.org", "username": "application", "port": int64(5432), "password": "p"}, []string{"p"}},
		{"aws", map[string]any{"access_key_id": "not-secret-itself", "secret_access_key": "s", "region": "eu-central-1"}, []string{"s"}},
		{"gcp", map[string]any{"service_account_json": file}, []string{key, file}},
		{"opaque", map[string]any{"a": "short", "b": " long enough ", "c": int64(12345678), "d": map[string]any{"e": []any{"deep inside"}}, "database": "postgres://u:p@h/d"},
			[]string{"12345678", "deep inside", "long enough", "postgres://u:p@h/d"}},
		{"own-kind", map[string]any{"token": "long enough"}, []string{"long enough"}},
		{"api-key", nil, nil},
	} {
		if got := material(c.kind, lcm.NewSecret(c.data)); !slices.Equal(slices.Sorted(slices.Values(got)), c.want) {
			t.Errorf("%s: %q, want %q", c.kind, got, c.want)
		}
	}
}
