package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// repositoryConfig is a repository that the daemon serves. Beside each other, repositories share the daemon's key, its
// state and its targets, and nothing else: each has its own introduction, records, mirror and receipt.
type repositoryConfig struct {
	Name         string                 `json:"name"`
	URL          string                 `json:"url"`
	Mirrors      []mirrorConfig         `json:"mirrors"`
	Branch       string                 `json:"branch"`
	Introduction lcm.Revision           `json:"introduction"`
	Tenants      []string               `json:"tenants"`
	Auth         gitAuth                `json:"auth"`
	Forges       map[string]forgeConfig `json:"forges"`
	MaxFetchAge  string                 `json:"maxFetchAge"`
	Heartbeat    struct {
		MaxAge string   `json:"maxAge"`
		By     []string `json:"by"`
	} `json:"heartbeat"`
	Reports reportsConfig `json:"reports"`

	dir       string // where the daemon keeps what is its own
	freshness reconcile.Freshness
}

type gitAuth struct {
	SSHKeyFile     string `json:"sshKeyFile"`
	KnownHostsFile string `json:"knownHostsFile"`
	Username       string `json:"username"`
	PasswordFile   string `json:"passwordFile"`
}

// mirrorConfig is where the same repository is, too: a URL, or one with a login of its own.
type mirrorConfig struct {
	URL  string   `json:"url"`
	Auth *gitAuth `json:"auth"` // nil: the repository's
}

// UnmarshalJSON reads either form.
func (m *mirrorConfig) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &m.URL) == nil {
		return nil
	}
	type long mirrorConfig
	return json.Unmarshal(data, (*long)(m))
}

type forgeConfig struct {
	Type       string `json:"type"`
	Repository string `json:"repository"`
	URL        string `json:"url"`
	TokenFile  string `json:"tokenFile"`
}

// completeRepositories makes a list of what may be one, and sees to it that nobody speaks for another's tenants.
func (c *daemonConfig) completeRepositories(dir string) error {
	one := c.Repository != nil
	if one {
		c.Repositories = []repositoryConfig{*c.Repository}
	}
	var errs []error
	for i := range c.Repositories {
		at := []string{"repositories", strconv.Itoa(i)}
		if one {
			at = []string{"repository"}
		}
		r := &c.Repositories[i]
		r.dir = c.beside("")
		err := errors.Join(r.complete(dir, c.Schedule), r.apart(c.Repositories[:i]))
		if len(c.Repositories) > 1 && slices.Contains(r.Tenants, "*") {
			err = errors.Join(err, wrong("tenants", "* is every tenant, which only the one repository of a daemon may have: name those of %s", r.Name))
		}
		errs = append(errs, below(err, at...))
	}
	return errors.Join(errs...)
}

// apart says what a repository has in common with those before it.
func (r *repositoryConfig) apart(others []repositoryConfig) error {
	var errs []error
	for _, o := range others {
		if o.Name == r.Name {
			errs = append(errs, wrong("name", "two repositories have the name %s: each is configured once", r.Name))
		}
		for i, t := range r.Tenants {
			if slices.Contains(o.Tenants, t) {
				errs = append(errs, below(fmt.Errorf("the repositories %s and %s both have the tenant %s: each tenant belongs to one", o.Name, r.Name, t), "tenants", strconv.Itoa(i)))
			}
		}
	}
	return errors.Join(errs...)
}

// complete makes paths absolute, fills in defaults and reads what the schema leaves as text.
func (r *repositoryConfig) complete(dir, schedule string) error {
	r.Reports.GitHub.complete(dir)
	err := errors.Join(r.Auth.complete(dir), completeURL(dir, &r.URL, r.Auth), r.completeMirrors(dir))
	for name, f := range r.Forges {
		f.TokenFile = absolute(dir, f.TokenFile)
		r.Forges[name] = f
	}
	if gitrepo.CheckBranch(r.Branch) != nil {
		err = errors.Join(err, wrong("branch", "Git allows no branch of the name %q: write it as `git branch` shows it, such as main", r.Branch))
	}
	return errors.Join(err, r.ages(schedule))
}

func (a *gitAuth) complete(dir string) error {
	for _, p := range []*string{&a.SSHKeyFile, &a.KnownHostsFile, &a.PasswordFile} {
		*p = absolute(dir, *p)
	}
	return expandIn(&a.Username, "auth", "username")
}

// completeURL makes a path absolute, and says what is wrong with a URL, or with how we log in there.
func completeURL(dir string, url *string, auth gitAuth) error {
	if !strings.Contains(*url, ":") {
		*url = absolute(dir, *url)
	}
	return below(gitrepo.CheckURL(*url, auth.login()), "url")
}

func (r *repositoryConfig) completeMirrors(dir string) error {
	var errs []error
	for i := range r.Mirrors {
		m := &r.Mirrors[i]
		auth := r.Auth
		var err error
		if m.Auth != nil {
			err = m.Auth.complete(dir)
			auth = *m.Auth
		}
		errs = append(errs, below(errors.Join(err, completeURL(dir, &m.URL, auth)), "mirrors", strconv.Itoa(i)))
	}
	return errors.Join(errs...)
}

// elsewhere are the mirrors, each with its login.
func (r *repositoryConfig) elsewhere() (out []gitrepo.Remote) {
	for _, m := range r.Mirrors {
		auth := r.Auth
		if m.Auth != nil {
			auth = *m.Auth
		}
		out = append(out, gitrepo.Remote{URL: m.URL, Auth: auth.login()})
	}
	return out
}

// ages reads what says when the repository counts as stale.
func (r *repositoryConfig) ages(schedule string) (err error) {
	r.freshness = reconcile.Freshness{Schedule: schedule, HeartbeatBy: r.Heartbeat.By}
	read := func(text string, to *time.Duration, setting ...string) {
		if text == "" {
			return
		}
		d, wrong := lcm.ParseDuration(text)
		*to, err = d, errors.Join(err, below(wrong, setting...))
	}
	read(r.MaxFetchAge, &r.freshness.MaxFetchAge, "maxFetchAge")
	read(r.Heartbeat.MaxAge, &r.freshness.MaxHeartbeatAge, "heartbeat", "maxAge")
	return err
}

// mirror is the daemon's own copy of the repository, beside the state.
func (r *repositoryConfig) mirror() string { return filepath.Join(r.dir, "mirror-"+r.Name+".git") }

// receipt is the file that says what was accepted.
func (r *repositoryConfig) receipt() string { return filepath.Join(r.dir, "receipt-"+r.Name+".json") }

func (c *cli) repositoryFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.repository, "repository", "", "the name of the repository, where the daemon serves several")
}

// loadOne reads the configuration for a command that is about one repository.
func (c *cli) loadOne() (*daemonConfig, *repositoryConfig, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	one, err := cfg.one()
	return cfg, one, err
}

// only leaves of several repositories the one that was named, if one was.
func (c *daemonConfig) only(name string) error {
	if name == "" {
		return nil
	}
	i := slices.IndexFunc(c.Repositories, func(r repositoryConfig) bool { return r.Name == name })
	if i < 0 {
		return configErrorf("--repository: there is no repository %q in the configuration: it has %s", name, c.names())
	}
	c.Repositories = c.Repositories[i : i+1]
	return nil
}

// one is the repository for a command that is about one.
func (c *daemonConfig) one() (*repositoryConfig, error) {
	if len(c.Repositories) > 1 {
		return nil, configErrorf("the daemon serves several repositories: say by --repository which of them is meant: %s", c.names())
	}
	return &c.Repositories[0], nil
}

func (c *daemonConfig) names() string { return strings.Join(c.repositoryNames(), ", ") }

func (c *daemonConfig) repositoryNames() (names []string) {
	for _, r := range c.Repositories {
		names = append(names, r.Name)
	}
	return names
}
