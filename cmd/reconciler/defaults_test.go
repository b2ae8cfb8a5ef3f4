package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/forge"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/webhook"
)

// bare is a configuration in which as much as possible is left out.
const bare = `repository: {name: a, url: /srv/a.git, branch: main, introduction: "2fed6a0b30b6fc18fc572c2cf4ac6f18d4c67534", tenants: [acme]}
key: {file: lcm.key}
state: {type: etcd, dir: state, endpoints: ["http://127.0.0.1:2379"]}
targets:
  runtime: {type: redis, server: "127.0.0.1:6379"}
tracing: {otlp: {endpoint: "http://127.0.0.1:4318"}}
windows: [{namespaces: "**", schedule: "0 22 * * *", duration: 1h}]
`

// same gives what is documented if the program uses an equal value, else what it uses.
func same(documented string, equal bool, used any) string {
	if equal {
		return documented
	}
	return fmt.Sprint(used)
}

func sameTime(documented string, used time.Duration) string {
	d, err := lcm.ParseDuration(documented)
	return same(documented, err == nil && d == used, used)
}

func sameSize(documented string, used int64) string {
	n, err := parseSize(documented)
	return same(documented, err == nil && n == used, used)
}

// TestDefaults: what docs/settings.md calls a default is what the program uses. A new @default in daemon.cue needs a line here.
func TestDefaults(t *testing.T) {
	b := newSettingsBench(t)
	file := filepath.Join(t.TempDir(), "reconciler.yaml")
	if err := os.WriteFile(file, []byte(bare), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := c.State.connection()
	if err != nil {
		t.Fatal(err)
	}
	some := vault.JWT{Role: "r"}
	e, r, hook := etcd.Config{}.WithDefaults(), redis.Config{}.WithDefaults(), webhook.Config{}.WithDefaults()
	v := vault.Config{AppRole: vault.AppRole{RoleID: "r"}, Kubernetes: some, JWT: some}.WithDefaults()
	target := c.Targets["runtime"]
	used := map[string]func(documented string) string{
		"schedule":             func(string) string { return c.Schedule },
		"driftSchedule":        func(string) string { return c.DriftSchedule },
		"shutdownTimeout":      func(d string) string { return sameTime(d, c.shutdownTimeout) },
		"limits.maxFetchBytes": func(d string) string { return sameSize(d, gitrepo.Limits{}.WithDefaults().MaxFetchBytes) },
		"limits.maxDeletes": func(d string) string {
			share, err := reconcile.ParseShare(d)
			return same(d, err == nil && share == c.maxDeletes, c.maxDeletes)
		},
		"repository.reports.github.context":              func(string) string { return forge.DefaultContext },
		"state.prefix etcd":                              func(string) string { return c.State.Prefix },
		"state.timeout etcd":                             func(d string) string { return sameTime(d, connection.Timeout) },
		"targets.<name>.adopt":                           func(d string) string { return same(d, target.adopt() == plan.AdoptNone, target.adopt()) },
		"targets.<name>.drift":                           func(d string) string { return same(d, target.Drift != "report", target.Drift) },
		"targets.<name>.prefix etcd":                     func(string) string { return e.Prefix },
		"targets.<name>.timeout etcd":                    func(d string) string { return sameTime(d, e.Timeout) },
		"targets.<name>.maxRequestBytes etcd":            func(d string) string { return sameSize(d, int64(e.MaxRequestBytes)) },
		"targets.<name>.maxTxnOps etcd":                  func(string) string { return fmt.Sprint(e.MaxTxnOps) },
		"targets.<name>.timeout redis":                   func(d string) string { return sameTime(d, r.Timeout) },
		"targets.<name>.database redis":                  func(string) string { return fmt.Sprint(r.Database) },
		"targets.<name>.allowPlaintext redis":            func(string) string { return fmt.Sprint(r.AllowPlaintext) },
		"targets.<name>.durability.fsync redis":          func(string) string { return fmt.Sprint(r.Durability.Fsync) },
		"targets.<name>.mount vault":                     func(string) string { return v.Mount },
		"targets.<name>.timeout vault":                   func(d string) string { return sameTime(d, v.Timeout) },
		"targets.<name>.auth.approle.mount vault":        func(string) string { return v.AppRole.Mount },
		"targets.<name>.auth.kubernetes.mount vault":     func(string) string { return v.Kubernetes.Mount },
		"targets.<name>.auth.kubernetes.tokenFile vault": func(string) string { return v.Kubernetes.File },
		"targets.<name>.auth.jwt.mount vault":            func(string) string { return v.JWT.Mount },
		"webhook.path":                                   func(string) string { return hook.Path },
		"webhook.maxBodyBytes":                           func(d string) string { return sameSize(d, hook.MaxBody) },
		"webhook.ratePerMinute":                          func(string) string { return fmt.Sprint(hook.RatePerMinute) },
		"tracing.otlp.protocol":                          func(string) string { return c.Tracing.OTLP.Protocol },
		"tracing.successes":                              func(string) string { return fmt.Sprint(*c.Tracing.Successes) },
		"windows[].drift":                                func(d string) string { return same(d, c.Windows[0].Drift != "hold", c.Windows[0].Drift) },
		"windows[].timeZone": func(d string) string {
			documented, err := reconcile.NewWindow(lcm.Pattern{}, "0 22 * * *", d, time.Hour)
			absent, err2 := reconcile.NewWindow(lcm.Pattern{}, "0 22 * * *", c.Windows[0].TimeZone, time.Hour)
			return same(d, err == nil && err2 == nil && reflect.DeepEqual(documented, absent), c.Windows[0].TimeZone)
		},
		// Not ours to choose: what go-github and Redis do.
		"repository.forges.<name>.url":                 func(d string) string { return d },
		"repository.reports.github.url":                func(d string) string { return d },
		"targets.<name>.login.username redis":          func(d string) string { return d },
		"targets.<name>.sentinel.login.username redis": func(d string) string { return d },
	}
	for _, s := range b.all {
		documented := s.Default()
		if documented == "" {
			continue
		}
		name := s.Path
		for _, m := range condition.FindAllStringSubmatch(strings.Join(s.Under, " and "), 1) {
			name += " " + strings.Trim(m[2], "`")
		}
		use := used[name]
		if use == nil {
			t.Errorf("%s: say in this test what the program uses if it is absent", name)
			continue
		}
		if got := use(documented); got != documented {
			t.Errorf("%s: the reference says %s, and the program uses %s", name, documented, got)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("%s has no default any more: remove its line", name)
	}
}
