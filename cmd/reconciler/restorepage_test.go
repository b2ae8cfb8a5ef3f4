package main

import (
	"os"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// TestRestorePage types what docs/operations.md says under "Restore", word by word, over a real Vault: the state lost, old
// and damaged, the keys kept. Each time the daemon comes back to the revision that it had, and nothing is written to Vault.
func TestRestorePage(t *testing.T) {
	requirePrograms(t, "git", "ssh-keygen", "bash")
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n### ")
	vault := vaulttest.Start(t)
	gate := startGate(t, vault.Address)
	v := newVillage(t)
	settleHost(t, v, gate.URL, vault.Mount(t), vault.RootToken)
	for _, disaster := range []struct{ title, command string }{
		{"The state is lost", `rm -r "$STATE"`},
		{"The state is old", `: what is accepted after the backup is made below`},
		{"The state is damaged", `printf x | dd of="$STATE/lcm.db" bs=1 seek=8200 conv=notrunc status=none`},
	} {
		must(t, v, "host", `[ ! -e "$STATE/lcm.db" ] || cp "$STATE/lcm.db" "$SHARE/lcm.db.backup"`)
		revision := change(t, v, disaster.title)
		if gate.count() == 0 {
			t.Fatalf("%s: the change was not written to Vault", disaster.title)
		}
		must(t, v, "host", disaster.command)
		page := readPage(part(t, parts, disaster.title))
		if len(page) == 0 {
			t.Fatalf("%s: no commands", disaster.title)
		}
		v.follow(disaster.title, page)
		if out := must(t, v, "host", `reconciler status --config "$ETC/reconciler.yaml" --format json`); !strings.Contains(out, `"processed": "`+revision+`"`) {
			t.Errorf("%s: not at %s:\n%s", disaster.title, revision, out)
		}
		if n := gate.count(); n != 0 {
			t.Errorf("%s: %d needless writes to Vault", disaster.title, n)
		}
	}
}

// change has alice change a value, and the host bring it to Vault. It returns the revision.
func change(t *testing.T, v *village, to string) string {
	t.Helper()
	must(t, v, "alice", `cd ~/acme-config && sed -i 's/value: .*/value: "`+to+`"/' namespaces/acme-corp/platform/hello/base/more.yaml &&
		git commit -qam change && git push -q && git rev-parse HEAD > "$SHARE/head"`)
	must(t, v, "host", `reconciler once --config "$ETC/reconciler.yaml"`)
	return strings.TrimSpace(must(t, v, "alice", "git rev-parse HEAD"))
}

// part returns what stands under a heading.
func part(t *testing.T, parts []string, title string) string {
	t.Helper()
	for _, p := range parts {
		if rest, ok := strings.CutPrefix(p, title+"\n"); ok {
			text, _, _ := strings.Cut(rest, "\n## ")
			return text
		}
	}
	t.Fatalf("docs/operations.md has no part %q", title)
	return ""
}

func must(t *testing.T, v *village, who, command string) string {
	t.Helper()
	out, code := v.run(who, command)
	if code != 0 {
		t.Fatalf("%s$ %s: exit code %d\n%s", who, command, code, out)
	}
	return out
}

// settleHost has alice start a repository, and the host bring it to Vault.
func settleHost(t *testing.T, v *village, vault, mount, token string) {
	t.Helper()
	v.env = append(v.env, "ETC="+v.home("host")+"/etc", "STATE="+v.home("host")+"/state", "VAULT="+vault, "MOUNT="+mount)
	if err := os.WriteFile(v.home("host")+"/token", []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, v, "alice", `lcm init acme-config --name acme-config --org acme-corp --admin alice=$HOME/.ssh/id_ed25519.pub &&
		cd acme-config && git init -q && git add -A && git commit -qm start && git remote add origin "$ORIGIN" && git push -qu origin main &&
		git rev-parse HEAD > "$SHARE/introduction" &&
		cp namespaces/acme-corp/platform/hello/base/greeting.yaml namespaces/acme-corp/platform/hello/base/more.yaml &&
		git add -A && git commit -qm more && git push -q`)
	must(t, v, "host", `mkdir "$ETC" && cat > "$ETC/reconciler.yaml" <<EOF
repository: {name: acme-config, url: "$ORIGIN", branch: main, introduction: "$(cat "$SHARE/introduction")", tenants: [acme-corp]}
key: {file: lcm.key}
state: {type: bolt, path: "$STATE/lcm.db"}
targets:
  runtime: {type: vault, address: "$VAULT", mount: "$MOUNT", auth: {token: {file: ../token}}}
  secrets: {type: bolt, path: "../secrets.db"}
EOF
reconciler keygen "$ETC/lcm.key" && reconciler once --config "$ETC/reconciler.yaml"`)
}
