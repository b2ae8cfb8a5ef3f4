package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Where Prometheus' files lie.
const (
	ruleFile = "../../deploy/prometheus/lcm.rules.yaml"
	ruleTest = "../../deploy/prometheus/lcm.rules.test.yaml"
)

// alerts are the names in the file of rules, with their annotations.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(ruleFile)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)- alert: (\w+)\n(.*?)runbook_url: (\S+)`).FindAllStringSubmatch(string(data), -1) {
		out[m[1]] = m[3]
		if !strings.Contains(m[2], "severity: ") || !strings.Contains(m[2], "summary: ") {
			t.Errorf("%s has no severity or no summary", m[1])
		}
	}
	if n := strings.Count(string(data), "alert: "); n != len(out) || n == 0 {
		t.Errorf("%d of %d alerts have all that they need", len(out), n)
	}
	return out
}

// TestAlertRules: Prometheus takes the rules; each alert is silent, and then fires, in a test of promtool's; and each leads to where it is
// said what it means and what to do.
func TestAlertRules(t *testing.T) {
	requirePrograms(t, "promtool")
	for _, args := range [][]string{{"check", "rules", ruleFile}, {"test", "rules", ruleTest}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	tests, err := os.ReadFile(ruleTest)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, runbook := range alerts(t) {
		if !regexp.MustCompile(`alertname: ` + name + `\n +exp_alerts:\n`).Match(tests) {
			t.Errorf("no test lets %s fire", name)
		}
		if !strings.HasSuffix(runbook, "/docs/operations.md#"+strings.ToLower(name)) || !strings.Contains(string(page), "\n### "+name+"\n") {
			t.Errorf("%s leads to %s, and the page has no such section", name, runbook)
		}
	}
}

// TestPrometheusScripts runs the scripts that need a real Prometheus.
func TestPrometheusScripts(t *testing.T) {
	requirePrograms(t, "prometheus")
	requirePrograms(t, "promtool")
	p := params("testdata/prometheus")
	p.Cmds["prometheus"], p.Cmds["firing"], p.Cmds["metrics"] = cmdPrometheus, cmdFiring, cmdMetrics
	testscript.Run(t, p)
}

// prometheus: starts a Prometheus that asks the daemon at $port every second, with the rules of deploy/prometheus, of which none
// waits longer than a second before it fires.
func cmdPrometheus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: prometheus")
	}
	rules, err := os.ReadFile(ruleFile)
	ts.Check(err)
	dir := ts.MkAbs("prometheus")
	ts.Check(os.MkdirAll(dir, 0o755))
	quick := regexp.MustCompile(`(?m)^( +for: ).*$`).ReplaceAll(rules, []byte("${1}1s"))
	ts.Check(os.WriteFile(filepath.Join(dir, "rules.yaml"), quick, 0o644))
	config := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}\nrule_files: [rules.yaml]\n"+
		"scrape_configs:\n  - {job_name: lcm-reconciler, static_configs: [{targets: [\"127.0.0.1:%s\"]}]}\n", ts.Getenv("port"))
	ts.Check(os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(l.Close())
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--web.listen-address="+l.Addr().String(), "--log.level=warn")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	ts.Check(cmd.Start())
	ts.Defer(func() { cancel(); _ = cmd.Wait() })
	at := "http://" + l.Addr().String()
	ts.Setenv("prometheus", at)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, body, err := fetchURL(at + "/api/v1/query?query=up"); err == nil && strings.Contains(body, `"1"]`) {
			return
		}
	}
	ts.Fatalf("Prometheus does not reach the daemon")
}

// firing NAME…: waits until the alerts fire, for a minute at most; with ! until none of them does.
func cmdFiring(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: firing NAME...")
	}
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		now, err := firing(ts.Getenv("prometheus"))
		if last = fmt.Sprint(now, err); err != nil {
			continue
		}
		missing := 0
		for _, name := range args {
			if !now[name] {
				missing++
			}
		}
		switch {
		case neg && missing == len(args), !neg && missing == 0:
			return
		}
	}
	ts.Fatalf("%v should fire, or not with a !; there do %s", args, last)
}

// firing asks Prometheus which alerts fire.
func firing(at string) (map[string]bool, error) {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(at + "/api/v1/alerts")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, a := range answer.Data.Alerts {
		out[a.Labels["alertname"]] = out[a.Labels["alertname"]] || a.State == "firing"
	}
	return out, nil
}

// metrics: has promtool check what the daemon at $port tells, and demands that the page has it all.
func cmdMetrics(ts *testscript.TestScript, neg bool, args []string) {
	code, body, err := fetchURL("http://127.0.0.1:" + ts.Getenv("port") + "/metrics")
	if err != nil || code != http.StatusOK || neg || len(args) != 0 {
		ts.Fatalf("usage: metrics; %d, %v", code, err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("metrics"), []byte(body), 0o644))
	told, err := metricsOnThePage()
	ts.Check(err)
	for _, m := range regexp.MustCompile(`(?m)^# HELP (\w+) `).FindAllStringSubmatch(body, -1) {
		if name := m[1]; !told[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			ts.Fatalf("docs/observability.md does not have %s", name)
		}
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestDashboard: the dashboard is JSON, and asks for nothing that the daemon does not tell.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../../deploy/grafana/lcm.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID string
		Panels     []struct {
			Title, Type, Description string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	told, err := metricsOnThePage()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, q := range p.Targets {
			for _, name := range metricsIn(q.Expr) {
				if !told[name] {
					t.Errorf("panel %q asks for %s, which the page does not have", p.Title, name)
				}
			}
		}
	}
	rules, err := os.ReadFile(ruleFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, findings := strictyaml.Parse(ruleFile, rules)
	if doc == nil {
		t.Fatal(findings)
	}
	for _, expr := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(rules), -1) {
		for _, name := range metricsIn(expr[1]) {
			if !told[name] && name != "up" {
				t.Errorf("a rule asks for %s, which the page does not have", name)
			}
		}
	}
}

var metricName = regexp.MustCompile(`\b((?:reconcile|config|vault|policy|active|lcm)_[a-z_]+)\b`)

// metricsIn are the metrics that a query asks for, without what Prometheus adds to the names of histograms.
func metricsIn(query string) (out []string) {
	for _, m := range metricName.FindAllString(regexp.MustCompile(`\{[^}]*\}|by \([^)]*\)`).ReplaceAllString(query, ""), -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			m = strings.TrimSuffix(m, suffix)
		}
		out = append(out, m)
	}
	return out
}

// metricsOnThePage are those that docs/observability.md has a line for.
func metricsOnThePage() (map[string]bool, error) {
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)(?:\\{[^}]*\\})?` \\|").FindAllStringSubmatch(string(page), -1) {
		out[m[1]] = true
	}
	return out, nil
}
