package policyfile

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// line is the .pub file of somebody, made from the name.
func line(t *testing.T, name string) string {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func keys(t *testing.T, names ...string) []Key {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		text.WriteString(line(t, n) + " comment\n")
	}
	all, err := ReadKeys("test.pub", strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A policy as teams lay it out, with comments of their own.
const laidOut = `# Ask #platform before you change this.
apiVersion: lcm/v1
kind: TrustPolicy
repository: acme-config
branch: main
version: 7   # see git log

principals:
  # the platform team
  alice:
    roles:
      - global-admin
    keys:
      - ssh: "ALICE"   # laptop
      # in the safe:
      - {ssh: "SPARE", notAfter: 2090-01-01T00:00:00Z}

  carol: {roles: [global-admin], keys: [{ssh: "CAROL"}]}   # on call

rules:
  - {paths: ["**"], roles: [global-admin], approvals: 2}   # four eyes
`

func workTree(t *testing.T) (fstest.MapFS, string) {
	t.Helper()
	text := strings.NewReplacer("ALICE", line(t, "alice"), "SPARE", line(t, "spare"), "CAROL", line(t, "carol")).Replace(laidOut)
	return fstest.MapFS{policyFile: {Data: []byte(text), Mode: 0o644}}, text
}

// Each edit changes the lines that it must, and the version by one against what is committed.
func TestEdits(t *testing.T) {
	end := time.Date(2080, 1, 2, 3, 4, 5, 0, time.FixedZone("CET", 3600))
	for name, c := range map[string]struct {
		edit func(*Draft) error
		want [2]string // the text that changes, and what it becomes
	}{
		"a key": {func(d *Draft) error { return d.AddKeys("alice", keys(t, "new")) },
			[2]string{"2090-01-01T00:00:00Z}\n", "2090-01-01T00:00:00Z}\n      - {ssh: \"NEW\"}\n"}},
		"a key in a line": {func(d *Draft) error { return d.AddKeys("carol", keys(t, "new")) },
			[2]string{"CAROL\"}]", "CAROL\"}, {ssh: \"NEW\"}]"}},
		"an end": {func(d *Draft) error { return d.EndKey("alice", keys(t, "alice")[0].Fingerprint, end) },
			[2]string{"\"   # laptop\n", "\"   # laptop\n        notAfter: 2080-01-02T02:04:05Z\n"}},
		"an earlier end": {func(d *Draft) error { return d.EndKey("alice", keys(t, "spare")[0].Fingerprint, end) },
			[2]string{"2090-01-01T00:00:00Z", "2080-01-02T02:04:05Z"}},
		"revoked": {func(d *Draft) error { return d.RemoveKey("alice", keys(t, "spare")[0].Fingerprint) },
			[2]string{"      - {ssh: \"SPARE\", notAfter: 2090-01-01T00:00:00Z}\n", ""}},
		"a role": {func(d *Draft) error { return d.SetRoles("alice", []string{"viewer:acme"}, nil) },
			[2]string{"- global-admin\n", "- global-admin\n      - \"viewer:acme\"\n"}},
		"a person": {func(d *Draft) error {
			return d.Add(Person{Name: "bob", Roles: []string{"operator:acme"}, Keys: keys(t, "new", "newer")}, "")
		}, [2]string{"# on call\n", "# on call\n  bob:\n    roles: [\"operator:acme\"]\n    keys:\n      - {ssh: \"NEW\"}\n      - {ssh: \"NEWER\"}\n"}},
		"approvals": {func(d *Draft) error { return d.SetApprovals("**", 1, true) },
			[2]string{"approvals: 2}", "approvals: 1, consent: signed}"}},
	} {
		t.Run(name, func(t *testing.T) {
			base, text := workTree(t)
			d, err := Open(base)
			if err == nil {
				err = c.edit(d)
			}
			if err == nil {
				err = d.Finish(base)
			}
			if err != nil {
				t.Fatal(err)
			}
			names := strings.NewReplacer("NEWER", line(t, "newer"), "NEW", line(t, "new"), "CAROL", line(t, "carol"), "SPARE", line(t, "spare"))
			want := strings.Replace(strings.Replace(text, names.Replace(c.want[0]), names.Replace(c.want[1]), 1), "version: 7 ", "version: 8 ", 1)
			if diff := cmp.Diff(want, string(d.Changed()[policyFile])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the daemon would refuse is refused here, in its words.
func TestUnsoundEdits(t *testing.T) {
	for name, edit := range map[string]func(*Draft) error{
		"too few persons": func(d *Draft) error { return d.Remove("carol") },
		"one key of two":  func(d *Draft) error { return d.AddKeys("carol", keys(t, "alice")) },
		"no such role":    func(d *Draft) error { return d.SetRoles("carol", []string{"king"}, nil) },
		"a bot's role": func(d *Draft) error {
			return d.Add(Person{Name: "r", Roles: []string{"service-account:acme"}, Keys: keys(t, "r")}, "")
		},
		"too many": func(d *Draft) error { return d.SetApprovals("**", 3, false) },
		"an unlikely name": func(d *Draft) error {
			return d.Add(Person{Name: "Bob: x", Roles: []string{"global-admin"}, Keys: keys(t, "b")}, "")
		},
	} {
		base, _ := workTree(t)
		d, err := Open(base)
		if err != nil {
			t.Fatal(err)
		}
		if err := edit(d); !errors.As(err, new(*UnsoundError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An edit that is taken back leaves nothing to commit; one on top of another raises the version once.
func TestVersions(t *testing.T) {
	base, text := workTree(t)
	work := fstest.MapFS{}
	edit := func(change func(*Draft) error) string {
		t.Helper()
		from := fs.FS(work)
		if len(work) == 0 {
			from = base
		}
		d, err := Open(from)
		if err == nil {
			err = change(d)
		}
		if err == nil {
			err = d.Finish(base)
		}
		if err != nil {
			t.Fatal(err)
		}
		for file, data := range d.Changed() {
			work[file] = &fstest.MapFile{Data: data, Mode: 0o644}
		}
		return string(work[policyFile].Data)
	}
	for _, name := range []string{"one", "two"} {
		if got := edit(func(d *Draft) error { return d.AddKeys("carol", keys(t, name)) }); !strings.Contains(got, "version: 8   # see") {
			t.Error(got)
		}
	}
	edit(func(d *Draft) error { return d.RemoveKey("carol", keys(t, "one")[0].Fingerprint) })
	if got := edit(func(d *Draft) error { return d.RemoveKey("carol", keys(t, "two")[0].Fingerprint) }); got != text {
		t.Error(cmp.Diff(text, got))
	}
}

// Keys are read as people have them; anything else is named with its place.
func TestReadKeys(t *testing.T) {
	for text, want := range map[string]string{
		"":       "x holds no public key",
		"# none": "x holds no public key",
		line(t, "a") + "\n\n" + `no-touch-required ` + line(t, "b"): "x:3: options before the key",
		line(t, "a") + "\nssh-dss AAAAB3NzaC1kc3MAAAAA":             "x:2: ",
		"-----BEGIN OPENSSH PRIVATE KEY-----":                       "x holds a private key",
		"-----BEGIN PGP PUBLIC KEY BLOCK-----\n":                    "x: this is no OpenPGP public key",
		strings.Repeat(line(t, "a")+"\n", maxKeys+1):                "more than 50 keys",
		strings.Repeat("#", maxKeyFile+1):                           "larger than",
		"<!DOCTYPE html><title>Page not found</title>":              "x:1: this is no SSH public key",
	} {
		if _, err := ReadKeys("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	got, err := ReadKeys("x", strings.NewReader("\r\n"+line(t, "a")+" a@b\r\n"))
	if err != nil || len(got) != 1 || got[0].text != line(t, "a") {
		t.Errorf("%v, %v", got, err)
	}
}
