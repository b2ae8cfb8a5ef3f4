package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// daemonConfig is reconciler.yaml. Its shape and bounds are #Daemon in schemas/cue/daemon.cue; here are
// only the names. Paths are absolute once it is loaded.
type daemonConfig struct {
	Repository struct {
		Name         string       `json:"name"`
		URL          string       `json:"url"`
		Branch       string       `json:"branch"`
		Introduction lcm.Revision `json:"introduction"`
		Tenants      []string     `json:"tenants"`
		Auth         struct {
			SSHKeyFile     string `json:"sshKeyFile"`
			KnownHostsFile string `json:"knownHostsFile"`
			Username       string `json:"username"`
			PasswordFile   string `json:"passwordFile"`
		} `json:"auth"`
		Forges      map[string]forgeConfig `json:"forges"`
		MaxFetchAge string                 `json:"maxFetchAge"`
		Heartbeat   struct {
			MaxAge string   `json:"maxAge"`
			By     []string `json:"by"`
		} `json:"heartbeat"`
	} `json:"repository"`
	Key struct {
		File string `json:"file"`
	} `json:"key"`
	Schedule      string `json:"schedule"`
	DriftSchedule string `json:"driftSchedule"`
	State         struct {
		Path string `json:"path"`
	} `json:"state"`
	Secrets struct {
		Age struct {
			IdentityFile string `json:"identityFile"`
		} `json:"age"`
	} `json:"secrets"`
	Targets map[string]targetConfig `json:"targets"`
	Limits  struct {
		MaxDeletes    any    `json:"maxDeletes"` // a number or a share
		MaxFetchBytes string `json:"maxFetchBytes"`
	} `json:"limits"`
	Metrics struct {
		Listen string `json:"listen"`
	} `json:"metrics"`

	maxDeletes    reconcile.Share
	maxFetchBytes int64
	freshness     reconcile.Freshness
	bundle        string // from the command line: a file that stands for the server; "-": standard input
}

type forgeConfig struct {
	Type       string `json:"type"`
	Repository string `json:"repository"`
	URL        string `json:"url"`
	TokenFile  string `json:"tokenFile"`
}

type targetConfig struct {
	Type              string             `json:"type"`
	MaxClassification lcm.Classification `json:"maxClassification"`
	Adopt             any                `json:"adopt"` // true, false or "overwrite"
	Drift             string             `json:"drift"`
	IgnoreDrift       []string           `json:"ignoreDrift"`
	Path              string             `json:"path"`
	Address           string             `json:"address"`
	Mount             string             `json:"mount"`
	Namespace         string             `json:"namespace"`
	CACertFile        string             `json:"caCertFile"`
	Login             targetLogin        `json:"login"`
	TLS               *targetTLS         `json:"tls"`
	Timeout           string             `json:"timeout"`
	etcdConfig
	redisConfig
	Auth vaultAuth `json:"auth"`

	ignoreDrift []lcm.Pattern
}

// targetLogin is a user with a password.
type targetLogin struct {
	Username string `json:"username"`
	Password struct {
		File string `json:"file"`
		Env  string `json:"env"`
	} `json:"password"`
}

type targetTLS struct {
	CACertFile     string `json:"caCertFile"`
	ClientCertFile string `json:"clientCertFile"`
	ClientKeyFile  string `json:"clientKeyFile"`
	ServerName     string `json:"serverName"`
}

// configError is wrong usage or configuration: exit code 2.
type configError struct{ text string }

func (e configError) Error() string { return e.text }

func configErrorf(format string, args ...any) error { return configError{fmt.Sprintf(format, args...)} }

// loadConfig reads and checks reconciler.yaml. What is wrong with it is told with line and column.
func loadConfig(file string) (*daemonConfig, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, configErrorf("reading the configuration: %v", err)
	}
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, configFindings(findings)
	}
	s, findings := schema.New(nil)
	if s == nil {
		return nil, configFindings(findings)
	}
	if findings = check.Violations(doc, s.CheckSettings("Daemon", doc.Map())); len(findings) > 0 {
		return nil, configFindings(findings)
	}
	j, err := json.Marshal(doc.Value)
	if err != nil {
		return nil, configErrorf("%s: %v", file, err)
	}
	c := &daemonConfig{Schedule: "@every 30s", DriftSchedule: "@every 10m"}
	if err := json.Unmarshal(j, c); err != nil {
		return nil, configErrorf("%s: %v", file, err)
	}
	return c, c.complete(filepath.Dir(file))
}

// maxConfig bounds what is read of a configuration file, in bytes.
const maxConfig = 1 << 20

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxConfig+1))
}

func configFindings(fs []diag.Finding) error {
	var b strings.Builder
	b.WriteString("the configuration is wrong:")
	for _, f := range fs {
		fmt.Fprintf(&b, "\n%s", f)
	}
	return configError{b.String()}
}

// complete makes paths absolute, fills in defaults and reads what the schema leaves as text.
func (c *daemonConfig) complete(dir string) (err error) {
	for _, p := range []*string{&c.Key.File, &c.State.Path, &c.Secrets.Age.IdentityFile,
		&c.Repository.Auth.SSHKeyFile, &c.Repository.Auth.KnownHostsFile, &c.Repository.Auth.PasswordFile} {
		*p = absolute(dir, *p)
	}
	if !strings.Contains(c.Repository.URL, ":") {
		c.Repository.URL = absolute(dir, c.Repository.URL)
	}
	if c.Key.File == "" {
		c.Key.File = filepath.Join(filepath.Dir(c.State.Path), "lcm.key")
	}
	if c.Repository.Auth.Username, err = expand(c.Repository.Auth.Username); err != nil {
		return err
	}
	for name, f := range c.Repository.Forges {
		f.TokenFile = absolute(dir, f.TokenFile)
		c.Repository.Forges[name] = f
	}
	for name, t := range c.Targets {
		if err := t.complete(dir); err != nil {
			return configErrorf("target %s: %v", name, err)
		}
		c.Targets[name] = t
	}
	for setting, schedule := range map[string]string{"schedule": c.Schedule, "driftSchedule": c.DriftSchedule} {
		if err := reconcile.CheckSchedule(schedule); err != nil {
			return configErrorf("%s %q: %v", setting, schedule, err)
		}
	}
	if err := c.ages(); err != nil {
		return err
	}
	return c.limits()
}

// ages reads what says when the repository counts as stale.
func (c *daemonConfig) ages() (err error) {
	c.freshness = reconcile.Freshness{Schedule: c.Schedule, HeartbeatBy: c.Repository.Heartbeat.By}
	for _, age := range []struct {
		setting, text string
		to            *time.Duration
	}{
		{"maxFetchAge", c.Repository.MaxFetchAge, &c.freshness.MaxFetchAge},
		{"heartbeat.maxAge", c.Repository.Heartbeat.MaxAge, &c.freshness.MaxHeartbeatAge},
	} {
		if age.text == "" {
			continue
		}
		if *age.to, err = lcm.ParseDuration(age.text); err != nil {
			return configErrorf("repository.%s: %v", age.setting, err)
		}
	}
	return nil
}

func (t *targetConfig) complete(dir string) (err error) {
	paths := []*string{&t.Path, &t.CACertFile, &t.Auth.Token.File, &t.Auth.AppRole.SecretIDFile, &t.Auth.Kubernetes.TokenFile, &t.Auth.JWT.TokenFile, &t.Login.Password.File, &t.Sentinel.Login.Password.File}
	if t.TLS != nil {
		paths = append(paths, &t.TLS.CACertFile, &t.TLS.ClientCertFile, &t.TLS.ClientKeyFile)
	}
	for _, p := range paths {
		*p = absolute(dir, *p)
	}
	if t.MaxClassification == "" {
		t.MaxClassification = lcm.Restricted
		if t.Type == "etcd" || t.Type == "file" || t.Type == "redis" {
			t.MaxClassification = lcm.Internal
		}
	}
	for _, credential := range []*string{&t.Auth.AppRole.RoleID, &t.Login.Username, &t.Sentinel.Login.Username} {
		if *credential, err = expand(*credential); err != nil {
			return err
		}
	}
	return t.completeDrift()
}

// completeDrift reads the patterns of addresses at which drift does not matter.
func (t *targetConfig) completeDrift() error {
	for _, text := range t.IgnoreDrift {
		p, err := lcm.ParsePattern(text)
		if err != nil {
			return fmt.Errorf("ignoreDrift: %w", err)
		}
		t.ignoreDrift = append(t.ignoreDrift, p)
	}
	return nil
}

// adopt reads what the schema leaves as a truth value or a word.
func (t *targetConfig) adopt() plan.Adopt {
	switch t.Adopt {
	case true:
		return plan.AdoptEqual
	case "overwrite":
		return plan.AdoptOverwrite
	}
	return plan.AdoptNone
}

// mirror is the daemon's own copy of the repository, beside the state.
func (c *daemonConfig) mirror() string { return c.beside("mirror-" + c.Repository.Name + ".git") }

// receipt is the file that says what was accepted.
func (c *daemonConfig) receipt() string { return c.beside("receipt-" + c.Repository.Name + ".json") }

func (c *daemonConfig) beside(name string) string {
	return filepath.Join(filepath.Dir(c.State.Path), name)
}

// place says where a target is, in words that change when it becomes another one.
func (t *targetConfig) place() string {
	return strings.Join(append([]string{t.Type, t.Path, t.Address, t.Namespace, t.Mount}, append(t.redisConfig.place(), t.etcdConfig.place()...)...), " ")
}

func absolute(dir, p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Join(dir, p)
}

var envName = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// expand replaces ${NAME} in a credential. A variable that is not set is an error, never an empty credential.
func expand(s string) (string, error) {
	var missing string
	out := envName.ReplaceAllStringFunc(s, func(m string) string {
		v, ok := os.LookupEnv(m[2 : len(m)-1])
		if !ok || v == "" {
			missing = m
		}
		return v
	})
	if missing != "" {
		return "", configErrorf("%s stands in the configuration, and the environment has no such variable", missing)
	}
	return out, nil
}

func (c *daemonConfig) limits() (err error) {
	c.maxDeletes, err = reconcile.ParseShare("10%")
	if d := c.Limits.MaxDeletes; d != nil && err == nil {
		text := fmt.Sprint(d)
		if n, ok := d.(float64); ok {
			text = strconv.FormatFloat(n, 'f', -1, 64) // never 1e+06
		}
		c.maxDeletes, err = reconcile.ParseShare(text)
	}
	if err == nil && c.Limits.MaxFetchBytes != "" {
		c.maxFetchBytes, err = parseSize(c.Limits.MaxFetchBytes)
	}
	if err != nil {
		return configErrorf("limits: %v", err)
	}
	return nil
}

func parseSize(s string) (int64, error) {
	for _, u := range []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}} {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n > (1<<62)/u.factor {
				return 0, fmt.Errorf("%q is not a size such as 512MiB", s)
			}
			return n * u.factor, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size such as 512MiB", s)
}
