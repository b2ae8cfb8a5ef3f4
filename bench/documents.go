package main

import (
	"fmt"
	"path"
	"strings"
)

// perService is how many documents one service has: 20 in base, 10 in each other environment, of which
// one is sealed. So 6 % of all documents are Secrets, 6 % are merged onto what they inherit, and a
// service's three published environments have 24 entries each. lcm-lint has nothing to say of any of it.
const perService = 50

// service is one service of the made-up repository.
type service struct {
	number             int
	org, project, name string
	first              string // the project's first service, whose Secret the others may use
}

func (s service) path(environment, file string) string {
	return path.Join("namespaces", s.org, s.project, s.name, environment, file)
}

// services spreads n services over tenants and projects, as they are spread where teams grow.
func services(n int) []service {
	out := make([]service, n)
	for i := range out {
		project := i / 5
		out[i] = service{number: i, org: fmt.Sprintf("tenant-%d", project%4+1), project: fmt.Sprintf("project-%d", project+1),
			name: fmt.Sprintf("service-%d", i+1), first: fmt.Sprintf("service-%d", project*5+1)}
	}
	return out
}

var published = []string{"development", "staging", "production"}

// overridden are the settings of base that each published environment has its own values for; none is
// overridden everywhere.
var overridden = [][]int{{2, 4, 6}, {2, 4, 8}, {0, 5, 6}}

// documents writes the documents of a service that are not sealed, by path.
func (s service) documents() map[string]string {
	out := map[string]string{}
	add := func(environment, file, text string) { out[s.path(environment, file)] = text }
	add("base", "chat.yaml", s.endpoint("chat", "fallback", "openai/gpt-4o-2024-11-20", "[{ref: chat-economy}]"))
	add("base", "chat-economy.yaml", s.endpoint("chat-economy", "loadbalance", "openai/gpt-4o-mini-2024-07-18", "[]"))
	for slug, temperature := range map[string]string{"production-deterministic": "0.3", "code-generation": "0.4", "customer-support": "0.7"} {
		add("base", slug+".yaml", s.preset(slug, temperature))
	}
	add("base", "budget.yaml", s.budget("service", "20000.00"))
	add("base", "answer.prompt", s.prompt("lcm.owner: team-support\n", 120))
	add("base", "answer.concise.prompt", s.prompt("", 60))
	add("base", "_tone.prompt", "Be friendly and plain. Never promise a refund, and never name other customers.\n")
	for i := range 11 {
		add("base", fmt.Sprintf("setting-%02d.yaml", i+1), s.config(i, "internal", fmt.Sprint(s.number*100+i)))
	}
	for n, environment := range published {
		add(environment, "budget-environment.yaml", s.budget("environment", fmt.Sprint(1000*(n+1))+".00"))
		add(environment, "setting-02.yaml", s.overlay(n))
		for _, i := range overridden[n] {
			add(environment, fmt.Sprintf("setting-%02d.yaml", i+1), s.config(i, "internal", fmt.Sprint(s.number*100+i+1000*(n+1))))
		}
		for i := range 4 {
			add(environment, fmt.Sprintf("%s-%02d.yaml", environment, i+1), s.config(i, "public", fmt.Sprint(s.number+n)))
		}
	}
	return out
}

func head(kind, description, classification string) string {
	return "apiVersion: lcm/v1\nkind: " + kind + "\nmetadata:\n  description: " + description +
		"\n  classification: " + classification + "\n  owner: team-inference\n  labels: {tier: silver}\n"
}

func (s service) endpoint(name, mode, model, fallbacks string) string {
	return head("ModelEndpoint", "A model of "+s.name+", with a second provider behind it", "internal") + fmt.Sprintf(`spec:
  model_name: %s
  strategy: {mode: %s}
  targets:
    - provider: openai
      model: %s
      api_base: https://api.openai.com/v1
      api_key: {ref: openai-key}
      order: 1
      rpm: 500
      tpm: 200000
      timeout: 60s
    - provider: anthropic
      model: anthropic/claude-sonnet-4-20250514
      api_base: https://api.anthropic.com
      api_key: {ref: /%s/%s/%s/openai-key}
      order: 2
      timeout: 60s
  fallbacks: %s
  retry:
    attempts: 2
    on_status_codes: [408, 429, 500, 502, 503, 504]
    use_retry_after_header: true
  circuit_breaker:
    failure_threshold: 3
    cooldown: 60s
    half_open_max_requests: 1
    failure_status_codes: [429, 500, 503]
    on_all_open: reject
`, name, mode, model, s.org, s.project, s.first, fallbacks)
}

func (s service) preset(slug, temperature string) string {
	return head("Preset", "Parameters of "+s.name+" for "+slug, "internal") + fmt.Sprintf(`spec:
  slug: %s
  config: {temperature: %s, top_p: 0.9, max_tokens: %d}
  models: [openai/gpt-4o-2024-11-20, anthropic/claude-sonnet-4-20250514]
  provider:
    order: [openai, anthropic]
    allow_fallbacks: false
    max_price: {prompt: "5.00", completion: "20.00"}
`, slug, temperature, 1024+s.number)
}

func (s service) budget(scope, amount string) string {
	return head("Budget", "What "+s.name+" may spend", "confidential") + fmt.Sprintf(`spec:
  scope: %s
  max_budget: "%s"
  soft_budget: "800.00"
  budget_duration: 30d
  calendar_aligned: true
  alert_thresholds: ["0.8", "0.95", "1.0"]
  on_exceed: block
`, scope, amount)
}

// config writes a plain value; of what type, i decides.
func (s service) config(i int, classification, number string) string {
	spec := "{type: number, value: " + number + "}"
	switch i % 4 {
	case 1:
		spec = fmt.Sprintf("\n  type: map\n  value:\n    level: info\n    sample: 0.25\n    redact: [prompt, completion]\n    slow: 5s\n    shard: %s\n    limits: {rows: 100, bytes: 65536, parallel: 4}", number)
	case 2:
		spec = fmt.Sprintf("\n  type: list\n  value: [alpha-%s, beta, gamma, delta]", number)
	case 3:
		spec = "{type: duration, value: 90s}"
	}
	return head("Config", "A setting of "+s.name+" that somebody explained in one sentence", classification) + "spec: " + spec + "\n"
}

// overlay is merged onto setting-02 of base.
func (s service) overlay(n int) string {
	text := strings.Replace(head("Config", "How much is logged here", "internal"), "  owner:", "  merge: deep\n  owner:", 1)
	return text + fmt.Sprintf("spec:\n  value: {level: debug, sample: 1, slow: null, shard: %d}\n", n)
}

func (s service) prompt(owner string, words int) string {
	return `---
lcm.version: 1.4.2
` + owner + `model: chat
config: {temperature: 0.3, max_tokens: 800}
input:
  schema:
    question: string, what the customer asks
    product?: string, the product in question
---
{{role "system"}}
You answer questions about ` + s.name + ". " + strings.Repeat("Say it short. ", words) + `
{{>tone}}

{{role "user"}}
{{#if product}}About {{product}}: {{/if}}{{question}}
`
}

// secret is the plain document that is sealed for one environment.
func (s service) secret(environment string) map[string]any {
	metadata := map[string]any{
		"address":     strings.Join([]string{s.org, s.project, s.name, environment, "openai-key"}, "/"),
		"description": "The key of " + s.name, "classification": "restricted", "owner": "team-inference",
	}
	if s.name == s.first {
		var shared []any
		for i := range 5 {
			if n := s.number + i; i > 0 {
				shared = append(shared, fmt.Sprintf("%s/%s/service-%d", s.org, s.project, n+1))
			}
		}
		metadata["sharedWith"] = shared
	}
	return map[string]any{
		"apiVersion": "lcm/v1", "kind": "Secret", "metadata": metadata,
		"spec": map[string]any{
			"type":     "api-key",
			"rotation": map[string]any{"interval": "30d", "grace": "24h", "strategy": "dual-phase"},
			"data":     map[string]any{"key": fmt.Sprintf("made-up-%d-%s", s.number, environment), "provider": "openai", "key_id": "k1"},
		},
	}
}
