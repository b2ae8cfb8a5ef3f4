package trust

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// BenchmarkVerify judges a chain of signed commits, each of which changes one document: with all that a
// step takes besides its signature. One op is one commit.
func BenchmarkVerify(b *testing.B) {
	const steps = 200
	repo, err := gitrepo.Init(filepath.Join(b.TempDir(), "r.git"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = repo.Close() })
	policy := "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: bench\nbranch: main\nversion: 1\nprincipals:\n  alice: {roles: [global-admin], keys: [" +
		sshEntry("alice") + "]}\nrules:\n  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n"
	settings := "apiVersion: lcm/v1\nkind: Repository\nname: bench\nrules: \"1\"\nenvironments: {base: {abstract: true}, production: {inherits: base}}\n" +
		"targets: {t: {}}\nroutes:\n  - {match: {namespaces: [\"**\"], kinds: [\"*\"]}, target: t}\n"
	e := gitrepo.Edit{Message: "m\n", Author: gitrepo.Ident{Name: "a", Email: "a@example.org"}, Sign: gitrepo.SSHSigner(sshKey("alice")),
		Files: map[string][]byte{".lcm/trust.yaml": []byte(policy), "lcm.yaml": []byte(settings)}}
	var intro, head lcm.Revision
	for i := range steps + 1 {
		if head, err = repo.Write(e); err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			intro = head
		}
		e.Parents = []lcm.Revision{head}
		e.Files = map[string][]byte{fmt.Sprintf("namespaces/o/p/s/production/k%d.yaml", i%10): []byte("apiVersion: lcm/v1\nkind: Config\nspec: {value: " + strings.Repeat("x", i+1) + "}\n")}
	}
	now := time.Now()
	cfg := Config{Repository: "bench", Branch: "main", Tenants: []string{"*"}, Introduction: intro, FirstSeen: func(lcm.Revision) time.Time { return now }}
	b.ResetTimer()
	for done := 0; done < b.N; done += steps {
		if _, err := Verify(b.Context(), repo, cfg, "", head); err != nil {
			b.Fatal(err)
		}
	}
}
