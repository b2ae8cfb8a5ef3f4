package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
)

// Attack 8: a server shows two daemons two histories. Each is signed and approved, and each daemon is content with
// its own. Only their receipts tell.
func TestReceiptsOfTwoDaemons(t *testing.T) {
	d := newDesk(t, "testdata/base")
	tone := func(value string) map[string]string { return map[string]string{anyKey: config(value)} }
	targets := map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: file, path: runtime}"}
	one, two := "--config="+d.daemon("one", targets), "--config="+d.daemon("two", targets)
	compare := func(code int, ours, theirs string, says ...string) {
		t.Helper()
		d.write("receipt.json", d.must(exitDone, "receipt", theirs).stdout)
		r := d.must(code, "receipt", ours, "--compare", d.path("receipt.json"))
		for _, text := range says {
			if !strings.Contains(r.stdout+r.stderr, text) {
				t.Errorf("no %q in %s%s", text, r.stdout, r.stderr)
			}
		}
	}
	if r := d.must(exitFailed, "receipt", one); !strings.Contains(r.stderr, "make a pass first") {
		t.Error(r.stderr)
	}
	common := d.commit("alice", tone("warm"))
	d.must(exitDone, "once", one)
	d.must(exitDone, "once", two)
	compare(exitDone, one, two, "same: both accepted "+common.Short())
	compare(exitUsage, one, one, "this daemon's own receipt")

	// One is ahead: the other has not asked the server yet, and does, on a copy that it throws away.
	d.commit("bob", tone("cool"))
	ahead := d.commit("carol", tone("calm"))
	d.must(exitDone, "once", two)
	compare(exitDone, one, two, "behind", "2 commits ahead, at "+ahead.Short())
	compare(exitDone, two, one, "ahead", "2 commits behind, at "+common.Short())
	d.must(exitDone, "once", one)
	compare(exitDone, one, two, "same")

	// The server shows them different heads, in turns, as if each of them had one of its own.
	left := d.commit("alice", tone("left"))
	d.must(exitDone, "once", one)
	right := d.advance("carol", []lcm.Revision{ahead}, tone("right"))
	d.must(exitDone, "once", two)
	d.check(d.repo.SetBranch("main", left))
	if r := d.must(exitDone, "once", one); !strings.Contains(r.stdout, "nothing to change") {
		t.Error(r.stdout)
	}
	compare(exitRefused, one, two, "DIVERGED", "does not show", string(left), string(right))
	d.check(d.repo.SetBranch("main", right))
	compare(exitRefused, two, one, "DIVERGED", "does not show", string(left), string(right))
	// Even if the server now shows this one what the other one saw, in a moment of weakness: neither is built on the other.
	compare(exitRefused, one, two, "DIVERGED", string(left), string(right))
	d.must(exitRefused, "once", one) // as rewritten; and so it has both
	compare(exitRefused, one, two, "DIVERGED: neither revision is built on the other", string(left), string(right))

	var out comparison
	d.check(json.Unmarshal([]byte(d.must(exitRefused, "receipt", one, "--format=json", "--compare", d.path("receipt.json")).stdout), &out))
	if out.Relation != "diverged" || !out.Authenticated || out.Ours.Accepted != left || out.Theirs.Accepted != right {
		t.Errorf("%+v", out)
	}
}

// What is no receipt, or another one's, is told from one; and no pass without news writes it.
func TestReceiptsThatDoNotCount(t *testing.T) {
	d := newDesk(t, "testdata/base")
	targets := map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: file, path: runtime}"}
	cfg := "--config=" + d.daemon("one", targets)
	d.must(exitDone, "once", cfg)
	good := d.must(exitDone, "receipt", cfg).stdout
	before, err := os.Stat(d.path("one/state/receipt-test-config.json"))
	d.check(err)
	d.must(exitDone, "once", cfg)
	if after, err := os.Stat(d.path("one/state/receipt-test-config.json")); err != nil || !after.ModTime().Equal(before.ModTime()) || after.Mode().Perm() != 0o600 {
		t.Error("a pass without news wrote the receipt", err)
	}
	for name, tt := range map[string]struct {
		text string
		code int
		says string
	}{
		"empty":              {"", exitFailed, "it is none"},
		"garbage":            {"\xff\x00", exitFailed, "it is none"},
		"another kind":       {strings.Replace(good, `"Receipt"`, `"Config"`, 1), exitFailed, "kind Receipt"},
		"unknown field":      {strings.Replace(good, `{`, `{"x":1,`, 1), exitFailed, "it is none"},
		"no revision":        {strings.Replace(good, string(d.intro), "main", 2), exitFailed, "names no revisions"},
		"two":                {good + good, exitFailed, "something follows it"},
		"huge":               {good + strings.Repeat(" ", 20<<10), exitFailed, "more than"},
		"another repository": {strings.Replace(strings.Replace(good, "test-config", "other", 1), `"mac": "`, `"mac": "0`, 1), exitUsage, "cannot be compared"},
		"another branch":     {strings.Replace(strings.Replace(good, `"main"`, `"dev"`, 1), `"mac": "`, `"mac": "0`, 1), exitUsage, "cannot be compared"},
		"another key":        {strings.Replace(good, `"mac": "`, `"mac": "0`, 1), exitDone, "not made with this daemon's key"},
	} {
		t.Run(name, func(t *testing.T) {
			d.write("receipt.json", tt.text)
			if r := d.must(tt.code, "receipt", cfg, "--compare", d.path("receipt.json")); !strings.Contains(r.stdout+r.stderr, tt.says) {
				t.Errorf("%s%s", r.stdout, r.stderr)
			}
		})
	}
	// Its own file was changed, or the key is another one.
	file := "one/state/receipt-test-config.json"
	d.write(file, strings.Replace(good, string(d.intro), strings.Repeat("ab", 20), 1))
	d.must(exitRefused, "receipt", cfg)
	d.must(exitDone, "once", cfg)
	d.must(exitDone, "receipt", cfg)
	d.check(os.Remove(d.path("lcm.key")))
	d.must(exitUsage, "receipt", cfg)
	_, err = masterkey.Generate(d.path("lcm.key"))
	d.check(err)
	d.must(exitRefused, "receipt", cfg)
}
