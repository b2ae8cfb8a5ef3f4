package main

import (
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// people have keys made from their names, so that scripts are repeatable.
var people = []string{"alice", "carol", "bob", "dev", "mallory"}

// TestTrustScripts are sessions of people who sign with git itself.
func TestTrustScripts(t *testing.T) {
	for _, program := range []string{"git", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("no %s here", program)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/trust",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupTrust,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"as": cmdAs, "lint": cmdLint},
	})
}

const trustPolicy = `apiVersion: lcm/v1
kind: TrustPolicy
repository: acme-config
branch: main
version: 1
principals:
  alice: {roles: [global-admin], keys: [{ssh: "$alice"}]}
  carol: {roles: [global-admin], keys: [{ssh: "$carol"}]}
  bob: {roles: ["operator:acme"], keys: [{ssh: "$bob"}]}
  dev: {roles: ["developer:acme"], keys: [{ssh: "$dev"}]}
rules:
  - {paths: ["**"], roles: ["*"], approvals: 1}
  - {paths: [".lcm/**", "lcm.yaml"], roles: [global-admin], approvals: 2}
  - {paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2, consent: signed}
`

// setupTrust makes a repository in $WORK/repo with a first commit, and everybody's keys in $WORK/keys.
func setupTrust(env *testscript.Env) error {
	keys := filepath.Join(env.WorkDir, "keys")
	if err := os.MkdirAll(keys, 0o755); err != nil {
		return err
	}
	public := map[string]string{}
	for _, name := range people {
		line, err := writeKey(filepath.Join(keys, name), name)
		if err != nil {
			return err
		}
		public[name] = line
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return err
		}
		env.Setenv(name, ssh.FingerprintSHA256(key))
	}
	config := "[user]\nname = Somebody\nemail = somebody@example.org\n[gpg]\nformat = ssh\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n"
	file := filepath.Join(env.WorkDir, "gitconfig")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	env.Setenv("GIT_CONFIG_GLOBAL", file)
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("HOME", env.WorkDir)
	repo := filepath.Join(env.WorkDir, "repo")
	if err := os.CopyFS(repo, os.DirFS("testdata/trust/repo")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(repo, ".lcm"), 0o755); err != nil {
		return err
	}
	policy := os.Expand(trustPolicy, func(name string) string { return public[name] })
	return os.WriteFile(filepath.Join(repo, ".lcm", "trust.yaml"), []byte(policy), 0o644)
}

func writeKey(file, name string) (public string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	key := ed25519.NewKeyFromSeed(seed)
	block, err := ssh.MarshalPrivateKey(key, name)
	if err != nil {
		return "", err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return "", err
	}
	line := ssh.MarshalAuthorizedKey(signer.PublicKey())
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(line)), os.WriteFile(file+".pub", line, 0o644)
}

// as WHO ARG…: runs git in $WORK/repo, signing every commit with somebody's key; as nobody signs nothing.
func cmdAs(ts *testscript.TestScript, neg bool, args []string) {
	git := []string{"-C", ts.MkAbs("repo"), "-c", "commit.gpgSign=true", "-c", "user.signingKey=" + ts.MkAbs("keys/"+args[0])}
	if args[0] == "nobody" {
		git = git[:2]
	}
	if err := ts.Exec("git", append(git, args[1:]...)...); (err != nil) != neg {
		ts.Fatalf("git %v: %v", args[1:], err)
	}
}
