package internal

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/llm-config-manager/lcm/"

// layers says, for every package of the project, which others it may import. A package that is missing
// here, or imports more, fails the test: imports point one way.
var layers = map[string]string{
	"examples":                  "",
	"examples/seal":             "lcm sopsfile examples",
	"policies/rego":             "",
	"schemas/cue":               "",
	"internal":                  "",
	"internal/lcm":              "",
	"internal/diag":             "",
	"internal/leak":             "",
	"internal/canonjson":        "",
	"internal/jsonschema":       "",
	"internal/jsonschema/pages": "jsonschema schemas/cue",
	"internal/kept":             "",
	"internal/masterkey":        "",
	"internal/nestedtest":       "", // tests alone

	"internal/strictyaml":            "diag",
	"internal/gitrepo":               "lcm",
	"internal/store":                 "lcm",
	"internal/store/bolt":            "lcm store",
	"internal/store/breaker":         "lcm store",
	"internal/store/etcd":            "lcm store",
	"internal/store/file":            "lcm store",
	"internal/store/redis":           "lcm store",
	"internal/store/redis/redistest": "",
	"internal/store/vault":           "lcm store canonjson",
	"internal/store/storetest":       "lcm store",
	"internal/store/etcd/etcdtest":   "nestedtest",
	"internal/store/vault/vaulttest": "nestedtest",
	"internal/state":                 "lcm diag store",
	"internal/state/statetest":       "lcm diag state store", // tests alone
	"internal/leader":                "state store/etcd",
	"internal/dotprompt":             "canonjson",
	"internal/tree":                  "lcm diag dotprompt strictyaml",
	"internal/history":               "lcm canonjson gitrepo tree",
	"internal/trust":                 "lcm canonjson diag strictyaml gitrepo tree",
	"internal/yamlfmt":               "diag strictyaml",
	"internal/fix":                   "diag jsonschema strictyaml yamlfmt",
	"internal/yamledit":              "diag strictyaml",
	"internal/policyfile":            "lcm diag trust yamledit",
	"internal/schema":                "lcm diag schemas/cue",
	"internal/policy":                "lcm diag leak policies/rego",
	"internal/trust/modeltest":       "", // tests alone
	"internal/sopsfile":              "lcm diag strictyaml tree trust",
	"internal/plan":                  "lcm diag state store",
	"internal/check":                 "lcm diag canonjson dotprompt kept strictyaml tree trust schema policy leak policies/rego schemas/cue",
	"internal/rule":                  "diag leak",
	"internal/rule/hostile":          "rule", // tests alone
	"internal/rule/page":             "rule",
	"internal/commitstatus":          "lcm",
	"internal/forge":                 "lcm trust commitstatus",
	"internal/apply":                 "lcm plan store trust",
	"internal/reconcile":             "lcm diag kept masterkey canonjson gitrepo history state store tree trust sopsfile plan check apply",

	"internal/health":           "lcm store reconcile",
	"internal/tracing":          "",
	"internal/tracing/otlptest": "", // tests alone
	"internal/sdnotify":         "",
	"internal/webhook":          "",

	"bench/compared": "rule schemas/cue",
	"bench":          "lcm gitrepo trust masterkey sopsfile state store store/bolt reconcile webhook schemas/cue",
	"deploy":         "", // tests alone

	"cmd/lcm-lint":   "fix jsonschema policy schemas/cue lcm diag check gitrepo kept rule",
	"cmd/lcm":        "dotprompt strictyaml fix jsonschema schemas/cue lcm diag gitrepo history tree trust policyfile",
	"cmd/reconciler": "leader tracing commitstatus sdnotify lcm diag forge strictyaml gitrepo kept masterkey schema check state store store/bolt store/breaker store/etcd store/file store/redis store/vault sopsfile tree trust plan reconcile health webhook examples",
}

// owners says who alone may import the heavy modules.
var owners = map[string]string{
	"github.com/go-git/":            "internal/gitrepo",
	"github.com/getsops/":           "internal/sopsfile",
	"cuelang.org/":                  "internal/schema internal/jsonschema",
	"github.com/open-policy-agent/": "internal/policy",
	"github.com/hashicorp/vault/":   "internal/store/vault",
	"github.com/redis/":             "internal/store/redis",
	"go.etcd.io/bbolt":              "internal/store/bolt internal/state",
	"go.etcd.io/etcd/":              "internal/leader internal/store/etcd internal/store/etcd/etcdtest",
	"go.uber.org/zap":               "internal/store/etcd internal/store/etcd/etcdtest",
	"github.com/robfig/cron/":       "internal/reconcile",
	"github.com/ProtonMail/":        "internal/trust",
	"github.com/prometheus/":        "internal/health",
	"github.com/spf13/cobra":        "cmd/lcm cmd/lcm-lint cmd/reconciler",
	"github.com/google/go-github/":  "internal/forge",
	"go.opentelemetry.io/":          "internal/reconcile internal/tracing internal/tracing/otlptest",
}

// neverLinked is what a program must not contain, not even by way of a library.
var neverLinked = map[string][]string{
	"cmd/lcm-lint": {"github.com/getsops/", "github.com/hashicorp/vault/", "google.golang.org/grpc", "k8s.io/", "go.etcd.io/", module + "internal/store", module + "internal/sopsfile"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Standard"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		allowed, ok := layers[name]
		if !ok {
			t.Errorf("%s is not in the table of layers", name)
			continue
		}
		for _, imported := range p.Imports {
			if rest, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(strings.Fields(allowed), strings.TrimPrefix(rest, "internal/")) {
				t.Errorf("%s must not import %s", name, rest)
			}
			for prefix, who := range owners {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(strings.Fields(who), name) {
					t.Errorf("%s must not import %s: that is for %s", name, imported, who)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		if !seen[name] && name != "internal" {
			t.Errorf("%s is in the table of layers and does not exist", name)
		}
	}
}

func TestNeverLinked(t *testing.T) {
	for program, forbidden := range neverLinked {
		for _, p := range list(t, "-deps", "./"+program) {
			for _, f := range forbidden {
				if strings.HasPrefix(p.ImportPath, f) {
					t.Errorf("%s links %s", program, p.ImportPath)
				}
			}
		}
	}
}
