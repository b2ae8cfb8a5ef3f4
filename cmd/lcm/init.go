package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"text/template"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policyfile"
	"github.com/spf13/cobra"
)

// newRepository is what lcm init is told.
type newRepository struct {
	Name       string
	Org        string
	Branch     string
	Recipients []string // age
	Policy     string   // the text of .lcm/trust.yaml
}

func (c *cli) initCommand() *cobra.Command {
	var (
		r      newRepository
		admins []string
	)
	cmd := &cobra.Command{
		Use: "init [DIR]", Short: "Start a configuration repository", Args: cobra.MaximumNArgs(1),
		Long: "init writes a small repository that passes lcm-lint: settings, a trust policy that names its admins and\n" +
			"their SSH keys, and a first document. It overwrites nothing. Commit the files, signed, and give the\n" +
			"commit's id to the reconciler as its introduction.",
		Example: "  lcm init config --name acme-config --org acme-corp --admin alice=alice.pub --admin carol=carol.pub --age age1…",
		RunE: func(_ *cobra.Command, args []string) (err error) {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := r.check(); err != nil {
				return err
			}
			people, err := c.readPeople(admins, "")
			if err != nil {
				return err
			}
			r.Policy, err = c.firstPolicy(policyfile.NewPolicy{Repository: r.Name, Branch: r.Branch, Admins: people})
			if err != nil {
				return err
			}
			return c.initialise(dir, r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Name, "name", "config", "the repository's name, which the daemon must be given too")
	f.StringVar(&r.Org, "org", "my-org", "the first tenant")
	f.StringVar(&r.Branch, "branch", "main", "the protected branch")
	f.StringArrayVar(&admins, "admin", nil, adminUsage)
	f.StringArrayVar(&r.Recipients, "age", nil, "an age `RECIPIENT` that secrets are sealed to; repeatable (without any, the repository takes no secrets yet)")
	return cmd
}

var ageRecipient = regexp.MustCompile(`^age1[02-9ac-hj-np-z]{58}$`)

// branchName is what stands plainly in YAML; Git takes more.
var branchName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)

func (r newRepository) check() error {
	if !lcm.ValidName(r.Name) || !lcm.ValidName(r.Org) || lcm.Reserved(r.Org) {
		return usagef("--name and --org are names: small letters, digits and inner hyphens")
	}
	if !branchName.MatchString(r.Branch) {
		return usagef("--branch is the name of a branch such as main, not %q", r.Branch)
	}
	for _, a := range r.Recipients {
		if !ageRecipient.MatchString(a) {
			return usagef("--age takes a recipient such as age1…, which age-keygen prints, not %q", a)
		}
	}
	return nil
}

// starters are the files of a new repository. An empty one is not written.
var starters = []struct{ path, text string }{
	{"lcm.yaml", `apiVersion: lcm/v1
kind: Repository
name: "{{.Name}}"
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  staging: {inherits: base}
  production: {inherits: staging}
targets:
  secrets: {secrets: true, maxClassification: restricted}
  runtime: {maxClassification: internal}
routes:
  - {match: {namespaces: ["**"], kinds: [Secret]}, target: secrets}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
limits: {maxDeletes: 10%}
`},
	{".sops.yaml", `{{if .Recipients}}creation_rules:
  - path_regex: '^namespaces/.*\.sops\.yaml$'
    encrypted_regex: '^(data|previous)$'
    age:{{range .Recipients}}
      - {{.}}{{end}}
{{end}}`},
	{".lcm/trust.yaml", `{{.Policy}}`},
	{"namespaces/{{.Org}}/platform/hello/base/greeting.yaml", `apiVersion: lcm/v1
kind: Config
metadata:
  description: The first value. Change it, commit, and watch it arrive.
  owner: platform
spec:
  value: Hello
`},
}

func (c *cli) initialise(dir string, r newRepository) error {
	type file struct {
		path string
		data []byte
	}
	var files []file
	for _, s := range starters {
		path, err := fill(s.path, r)
		if err != nil {
			return err
		}
		data, err := fill(s.text, r)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			continue
		}
		at := filepath.Join(dir, filepath.FromSlash(string(path)))
		if _, err := os.Lstat(at); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is there already: init overwrites nothing", at)
		}
		files = append(files, file{at, data})
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(f.path, f.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s\n", f.path)
	}
	fmt.Fprintf(c.stdout, "\nNext: lcm-lint %s, then commit the files with a signature (git commit -S).\n", dir)
	return nil
}

func fill(text string, r newRepository) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, r)
	return b.Bytes(), err
}
