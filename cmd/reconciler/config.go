package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	Repository   *repositoryConfig  `json:"repository"` // or, in its place:
	Repositories []repositoryConfig `json:"repositories"`
	Key          struct {
		File string `json:"file"`
	} `json:"key"`
	Schedule      string        `json:"schedule"`
	DriftSchedule string        `json:"driftSchedule"`
	State         stateConfig   `json:"state"`
	Replica       replicaConfig `json:"replica"`
	Secrets       struct {
		Age struct {
			IdentityFile string `json:"identityFile"`
		} `json:"age"`
	} `json:"secrets"`
	Targets map[string]targetConfig `json:"targets"`
	Windows []windowConfig          `json:"windows"`

	ShutdownTimeout string `json:"shutdownTimeout"`
	Limits          struct {
		MaxDeletes    any    `json:"maxDeletes"` // a number or a share
		MaxFetchBytes string `json:"maxFetchBytes"`
	} `json:"limits"`
	Metrics struct {
		Listen string `json:"listen"`
	} `json:"metrics"`
	Webhook *webhookConfig `json:"webhook"`
	Events  eventsConfig   `json:"events"`
	Tracing *tracingConfig `json:"tracing"`

	windows         []reconcile.Window
	shutdownTimeout time.Duration
	maxDeletes      reconcile.Share
	maxFetchBytes   int64
	log             *slog.Logger // of the daemon; nil: it is a command
	bundle          string       // from the command line: a file that stands for the server; "-": standard input
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

// loadConfig reads and checks reconciler.yaml. All that is wrong with it is told, with line and column.
func loadConfig(file string) (*daemonConfig, error) {
	c, findings, err := readConfig(file)
	if err == nil && len(findings) > 0 {
		err = configFindings(findings)
	}
	return c, err
}

// readConfig returns either the configuration or what is wrong with it.
func readConfig(file string) (*daemonConfig, []diag.Finding, error) {
	s, findings := schema.New(nil)
	if s == nil {
		return nil, findings, nil
	}
	return readConfigBy(s, file)
}

func readConfigBy(s *schema.Schema, file string) (*daemonConfig, []diag.Finding, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, nil, configErrorf("reading the configuration: %v", err)
	}
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, findings, nil
	}
	if findings = check.Violations(doc, s.CheckSettings("Daemon", doc.Map())); len(findings) > 0 {
		return nil, findings, nil
	}
	j, err := json.Marshal(doc.Value)
	if err != nil {
		return nil, nil, configErrorf("%s: %v", file, err)
	}
	c := &daemonConfig{Schedule: "@every 30s", DriftSchedule: "@every 10m"}
	if err := json.Unmarshal(j, c); err != nil {
		return nil, nil, configErrorf("%s: %v", file, err)
	}
	if err := c.complete(filepath.Dir(file)); err != nil {
		return nil, placed(doc, err), nil
	}
	return c, nil, nil
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

// complete makes paths absolute, fills in defaults and reads what the schema leaves as text. It tells all that is wrong.
func (c *daemonConfig) complete(dir string) error {
	for _, p := range []*string{&c.Key.File, &c.Secrets.Age.IdentityFile, &c.Events.File} {
		*p = absolute(dir, *p)
	}
	errs := []error{below(c.State.complete(dir), "state"), c.completeReplica()}
	if c.Key.File == "" {
		c.Key.File = filepath.Join(c.State.folder(), "lcm.key")
	}
	errs = append(errs, c.completeRepositories(dir), c.completeWindows(), c.completeShutdown())
	for name, t := range c.Targets {
		errs = append(errs, below(t.complete(dir), "targets", name))
		c.Targets[name] = t
	}
	for setting, schedule := range map[string]string{"schedule": c.Schedule, "driftSchedule": c.DriftSchedule} {
		if err := reconcile.CheckSchedule(schedule); err != nil {
			errs = append(errs, wrong(setting, "%q is no schedule (%v): write one such as \"@every 30s\", or five cron fields such as \"*/5 * * * *\"", schedule, err))
		}
	}
	return errors.Join(append(errs, below(c.limits(), "limits"), below(c.Webhook.complete(dir, c.Repositories), "webhook"), below(c.Tracing.complete(dir), "tracing"))...)
}

func (t *targetConfig) complete(dir string) error {
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
	return errors.Join(expandIn(&t.Auth.AppRole.RoleID, "auth", "approle", "roleId"), expandIn(&t.Login.Username, "login", "username"),
		expandIn(&t.Sentinel.Login.Username, "sentinel", "login", "username"), t.completeDrift())
}

// completeDrift reads the patterns of addresses at which drift does not matter.
func (t *targetConfig) completeDrift() error {
	var errs []error
	for i, text := range t.IgnoreDrift {
		p, err := lcm.ParsePattern(text)
		if err != nil {
			errs = append(errs, below(err, "ignoreDrift", strconv.Itoa(i)))
		}
		t.ignoreDrift = append(t.ignoreDrift, p)
	}
	return errors.Join(errs...)
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

// beside is where the daemon keeps what is its own.
func (c *daemonConfig) beside(name string) string {
	return filepath.Join(c.State.folder(), name)
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
		return "", fmt.Errorf("%s stands here, and the environment has no such variable: set it, or write the credential itself", missing)
	}
	return out, nil
}

// expandIn expands a credential in its place.
func expandIn(credential *string, setting ...string) (err error) {
	*credential, err = expand(*credential)
	return below(err, setting...)
}

func (c *daemonConfig) limits() (err error) {
	text := "10%"
	switch d := c.Limits.MaxDeletes.(type) {
	case nil:
	case float64:
		text = strconv.FormatFloat(d, 'f', -1, 64) // never 1e+06
	default:
		text = fmt.Sprint(d)
	}
	if c.maxDeletes, err = reconcile.ParseShare(text); err != nil {
		err = below(err, "maxDeletes")
	}
	if c.Limits.MaxFetchBytes != "" {
		size, sizeErr := parseSize(c.Limits.MaxFetchBytes)
		c.maxFetchBytes, err = size, errors.Join(err, below(sizeErr, "maxFetchBytes"))
	}
	return err
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
