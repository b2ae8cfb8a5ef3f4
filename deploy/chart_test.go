package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/nestedtest"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

const ha = "helm/lcm/values-ha.yaml"

// everything turns on what is off by default.
const everything = `
webhook: {enabled: true, ingress: {enabled: true, className: nginx, tlsSecret: lcm-tls}}
config: {webhook: {listen: ":8081", github: {secretFile: /etc/lcm/secrets/webhook-secret}}}
podMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
grafanaDashboard: {enabled: true}
serviceAccount: {annotations: {example.com/of: lcm}}
imagePullSecrets: [{name: registry}]
image: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
extraEnv: [{name: LCM_ROLE_ID, valueFrom: {secretKeyRef: {name: vault, key: role}}}]
networkPolicy: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{protocol: TCP, port: 443}]}]}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: dedicated, operator: Equal, value: lcm, effect: NoSchedule}]
priorityClassName: system-cluster-critical
persistence: {storageClassName: fast}
`

// TestChart renders the chart as helm does, holds what comes out against Kubernetes' schemas as kubeconform does, and the
// daemon's configuration in it against the daemon's own.
func TestChart(t *testing.T) {
	check := nestedtest.Build(t, "deploy/helm/chartcheck")
	for name, c := range map[string]struct {
		values []string
		kinds  string
	}{
		"default":    {nil, "ConfigMap NetworkPolicy Service ServiceAccount StatefulSet"},
		"ha":         {[]string{ha}, "ConfigMap NetworkPolicy PodDisruptionBudget Service ServiceAccount StatefulSet"},
		"everything": {[]string{write(t, everything)}, "ConfigMap ConfigMap Ingress NetworkPolicy PodMonitor PrometheusRule Service Service ServiceAccount StatefulSet"},
		"ha, everything": {[]string{ha, write(t, everything)},
			"ConfigMap ConfigMap Ingress NetworkPolicy PodDisruptionBudget PodMonitor PrometheusRule Service Service ServiceAccount StatefulSet"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := chart(check, c.values...)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, m := range manifests(t, out) {
				kinds = append(kinds, m["kind"].(string))
				if data, ok := m["data"].(map[string]any); ok && data["reconciler.yaml"] != nil {
					acceptable(t, data["reconciler.yaml"].(string))
				}
			}
			if got := strings.Join(kinds, " "); got != c.kinds {
				t.Errorf("kinds: %s\nwant:  %s", got, c.kinds)
			}
		})
	}
}

// TestChartRefuses shows that the check can fail, and what the chart does not let anybody install.
func TestChartRefuses(t *testing.T) {
	check := nestedtest.Build(t, "deploy/helm/chartcheck")
	for name, c := range map[string]struct{ values, says string }{
		"a field that Kubernetes does not know": {"networkPolicy: {egress: [{too: []}]}", "additional properties 'too' not allowed"},
		"a value of the wrong type":             {"podAnnotations: {a: 1}", "got number, want string"},
		"a state in a file for three":           {"replicaCount: 3", "needs config.state of the type etcd"},
		"a state that goes with the pod":        {"persistence: {enabled: false}", "needs config.state of the type etcd"},
		"a webhook without a secret":            {"webhook: {enabled: true}", "webhook.enabled needs config.webhook"},
		"a value that the chart does not know":  {"replicas: 3", "replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := chart(check, write(t, c.values)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("want %q, got %v", c.says, err)
			}
		})
	}
}

// failed is what the check said.
type failed string

func (f failed) Error() string { return string(f) }

func chart(check string, values ...string) (string, error) {
	args := []string{"-schemas", "helm/schemas"}
	for _, v := range values {
		args = append(args, "-values", v)
	}
	var stdout, stderr strings.Builder
	cmd := exec.Command(check, append(args, "helm/lcm")...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", failed(stderr.String())
	}
	return stdout.String(), nil
}

func write(t *testing.T, values string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func manifests(t *testing.T, out string) (all []map[string]any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(out))
	for {
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			break
		}
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// acceptable holds a configuration against #Daemon.
func acceptable(t *testing.T, config string) {
	t.Helper()
	doc, findings := strictyaml.Parse("reconciler.yaml", []byte(config))
	if doc == nil {
		t.Fatalf("%v", findings)
	}
	s, findings := schema.New(nil)
	if s == nil {
		t.Fatalf("%v", findings)
	}
	for _, v := range s.CheckSettings("Daemon", doc.Map()) {
		t.Errorf("%+v\n%s", v, config)
	}
}
