package schema

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// full are valid documents with every field of their kind.
var full = map[string]string{
	"Config": `
apiVersion: lcm/v1
kind: Config
metadata:
  description: How long the assistant waits
  classification: internal
  owner: team-inference
  labels: {tier: gold, app.kubernetes.io/name: x}
  merge: deep
  inheritable: true
spec:
  value: {limit: 3, ratio: 0.5, on: true, names: [a, b], none: null}
  type: map
  description: {limit: how many}
`,
	"Secret": `
apiVersion: lcm/v1
kind: Secret
metadata:
  description: The key
  classification: restricted
  owner: team-inference
  labels: {tier: gold}
  merge: replace
  inheritable: true
  address: acme-corp/ml-platform/inference/production/openai-key
  sharedWith: [acme-corp/ml-platform/batch]
  audience: [api.openai.com, "proxy.acme.com:8443"]
spec:
  type: api-key
  data: {key: "ENC[x]", provider: "ENC[x]", key_id: "ENC[x]", scopes: ["ENC[x]"]}
  previous: {key: "ENC[x]"}
  rotation: {interval: 90d, grace: 7d, strategy: dual-phase}
  expires_at: 2027-01-31T00:00:00Z
`,
	"ModelEndpoint": `
apiVersion: lcm/v1
kind: ModelEndpoint
metadata: {owner: team-inference}
spec:
  model_name: assistant
  strategy: {mode: loadbalance}
  targets:
    - {provider: openai, model: openai/gpt-4o, api_key: {ref: openai-key}, api_base: "https://api.openai.com/v1", weight: 0.7, order: 0, rpm: 100, tpm: 10000, timeout: 60s, stream_timeout: 5s}
    - {provider: azure, model: azure/gpt-4o, api_key: {ref: /acme-corp/ml-platform/shared/azure-key}, api_base: "https://acme.openai.azure.com", deployment: gpt-4o, api_version: "2024-10-21", weight: 3}
    - {provider: bedrock, model: bedrock/anthropic.claude-v2, region: eu-central-1}
    - {provider: vertex_ai, model: vertex_ai/gemini-1.5-pro, region: europe-west4}
    - {provider: anthropic, model: anthropic/claude-3, api_key: {ref: acme-corp/ml-platform/inference/production/anthropic-key}}
    - {provider: custom, model: custom/llama, api_base: "http://llama.internal:8000/v1"}
  fallbacks: [{ref: assistant-small}]
  context_window_fallbacks: [{ref: assistant-long}]
  content_policy_fallbacks: [{ref: assistant-other}]
  retry: {attempts: 3, on_status_codes: [429, 500], use_retry_after_header: true}
  circuit_breaker: {failure_threshold: 3, cooldown: 60s, half_open_max_requests: 1, failure_status_codes: [500, 503], on_all_open: reject}
`,
	"PromptTemplate": `
apiVersion: lcm/v1
kind: PromptTemplate
metadata: {owner: team-support, merge: replace}
spec:
  version: 1.4.0
  model: openai/gpt-4o
  config: {temperature: 0.7, top_p: 0.9, whatever: [1]}
  input: {schema: {question: string}, default: {question: hello}}
  output: {format: json, schema: {answer: string}}
  template: "Say {{question}}"
  variants: {terse: {weight: 20, template: "Briefly: {{question}}", model: openai/gpt-4o-mini, config: {temperature: 0}}}
  partials: {greeting: Hello, sign_off: Bye}
  sticky_key: user_id
  metrics: [thumbs_up]
`,
	"Preset": `
apiVersion: lcm/v1
kind: Preset
spec:
  slug: production-deterministic
  config:
    temperature: 0.3
    top_p: 0.9
    max_tokens: 1024
    frequency_penalty: -0.5
    presence_penalty: 0
    seed: 42
    stop: [END]
    response_format: {type: json_schema, json_schema: {type: object}}
    reasoning_effort: low
  models: [openai/gpt-4o]
  provider: {order: [openai], only: [openai], ignore: [cohere], allow_fallbacks: false, max_price: {prompt: "1.5", completion: "2"}}
  system_prompt: {ref: support-prompt}
`,
	"PriceMap": `
apiVersion: lcm/v1
kind: PriceMap
spec:
  models:
    openai/gpt-4o: {input_cost_per_token: "0.0000025", output_cost_per_token: "0.00001", cache_read_input_token_cost: "0.00000125", max_input_tokens: 128000, max_output_tokens: 16384, supports_vision: true, deprecation_date: 2027-06-30, effective_from: 2026-01-01}
    custom/llama: {input_cost_per_token: unpriced, output_cost_per_token: unpriced}
`,
	"Budget": `
apiVersion: lcm/v1
kind: Budget
spec: {scope: service, max_budget: "500.00", soft_budget: "400", budget_duration: 30d, calendar_aligned: true, alert_thresholds: ["0.8", "0.95", "1.0"], on_exceed: downgrade, shadow: false}
`,
	"Rollout": `
apiVersion: lcm/v1
kind: Rollout
spec:
  target: {ref: assistant}
  growth_type: linear
  growth_factor: 20
  duration: 1h
  bake_time: 15m
  sticky_key: user_id
  alarms: [{promql: "rate(errors[5m])", threshold: 0.05, for: 5m}]
  on_alarm: revert
`,
	"Tombstone": `
apiVersion: lcm/v1
kind: Tombstone
metadata: {description: gone}
spec: {reason: replaced by assistant}
`,
}

// fullSettings are valid settings with every field.
var fullSettings = map[string]string{
	"Repository": `
apiVersion: lcm/v1
kind: Repository
name: acme-config
rules: "1"
environments: {base: {abstract: true}, production: {inherits: base}}
targets: {vault: {secrets: true, maxClassification: restricted}, runtime: {}}
routes:
  - {match: {namespaces: ["acme-corp/**"], kinds: [Secret]}, target: vault}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
limits: {maxDeletes: 10%}
`,
	"TrustPolicy": `
apiVersion: lcm/v1
kind: TrustPolicy
repository: acme-config
branch: main
version: 7
sshAuthorities: {corp: "ssh-ed25519 AAAA corp", old: {ssh: "ssh-ed25519 AAAA", revoked: [17, "18446744073709551615", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]}}
principals:
  alice: {roles: [global-admin], keys: [{ssh: "ssh-ed25519 AAAAC3Nza alice"}], logins: {github: alice-at-acme}}
  bob: {roles: ["operator:acme-corp"], keys: [{openpgp: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP PUBLIC KEY BLOCK-----\n"}, {ssh: "ssh-ed25519 AAAA", notAfter: 2027-01-01T00:00:00Z}]}
  rotator: {bot: true, roles: ["service-account:acme-corp"], keys: [{ssh: "ecdsa-sha2-nistp256 AAAA"}, {certificate: "rotator@acme.example", authority: corp, notAfter: 2027-01-01T00:00:00Z}]}
rules:
  - {paths: ["**"], roles: ["*"], approvals: 1}
  - {paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2, rollbackApprovals: 1, rotation: [rotator], consent: signed}
forges: {github: {key: armored, merges: recomputed, reviews: counted}}
`,
	"TenantPolicy": `
apiVersion: lcm/v1
kind: TenantPolicy
tenant: acme-corp
version: 1
principals: {dora: {roles: ["developer:acme-corp"], keys: [{ssh: "ssh-ed25519 AAAA"}]}}
rules: [{paths: ["namespaces/acme-corp/**"], roles: ["tenant-admin:acme-corp"], approvals: 1}]
`,
	"AccessPolicy": `
apiVersion: lcm/v1
kind: AccessPolicy
rules:
  - {principals: [assistant], namespaces: ["acme-corp/**"], kinds: ["*"], actions: [get, list, watch], maxClassification: confidential}
  - {roles: ["operator:acme-corp"], namespaces: ["**"], kinds: [Config], actions: [history]}
`,
	"SealRules": `
creation_rules:
  - path_regex: ^namespaces/acme-corp/.*\.sops\.yaml$
    age: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    encrypted_regex: ^(data|previous)$
  - path_regex: ^namespaces/b/.*$
    age: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    encrypted_regex: ^(data|previous)$
`,
	"Daemon": `
repository:
  name: acme-config
  url: ssh://git@example.com/acme-config.git
  mirrors: []
  branch: main
  introduction: 0123456789abcdef0123456789abcdef01234567
  tenants: ["*"]
  auth: {sshKeyFile: keys/git, knownHostsFile: keys/known_hosts, username: "${GIT_USER}", passwordFile: keys/git.password}
  maxFetchAge: 10m
  heartbeat: {maxAge: 15m, by: [clock]}
key: {file: keys/lcm.key}
schedule: "@every 30s"
driftSchedule: "*/10 * * * *"
state: {type: bolt, path: state/lcm.db}
secrets: {age: {identityFile: keys/age.txt}}
targets:
  vault: {type: vault, address: "https://vault.example.com:8200", mount: secret, namespace: team, caCertFile: ca.pem, maxClassification: restricted, auth: {approle: {roleId: "${ROLE}", secretIdFile: keys/secret-id}}}
  vault2: {type: vault, address: "http://127.0.0.1:8200", auth: {token: {file: keys/token}}}
  pod: {type: vault, address: "https://vault.example.com:8200", auth: {kubernetes: {role: lcm, mount: k8s/eu, tokenFile: keys/pod}}}
  job: {type: vault, address: "https://vault.example.com:8200", auth: {jwt: {role: lcm, mount: ci, tokenFile: keys/jwt}}, tls: {caCertFile: ca.pem, clientCertFile: c.pem, clientKeyFile: k.pem, serverName: vault}, timeout: 5s}
  runtime: {type: bolt, path: state/runtime.db, maxClassification: internal}
  files: {type: file, path: out}
  redis: {type: redis, server: "redis.example.com:6379", database: 2, login: {username: "${REDIS_USER}", password: {file: keys/redis}}, tls: {caCertFile: ca.pem, clientCertFile: c.pem, clientKeyFile: k.pem, serverName: redis}, durability: {fsync: true}, timeout: 3s}
  etcd: {type: etcd, endpoints: ["https://etcd-1.example.com:2379", "https://[::1]:2379"], prefix: /config/lcm/, login: {username: "${ETCD_USER}", password: {env: ETCD_PASSWORD}}, tls: {caCertFile: ca.pem, clientCertFile: c.pem, clientKeyFile: k.pem, serverName: etcd}, timeout: 3s, maxRequestBytes: 10MiB, maxTxnOps: 1024}
  watched: {type: redis, sentinel: {master: runtime, addresses: ["a:26379", "[::1]:26379"], login: {password: {env: SENTINEL}}}, login: {password: {env: REDIS}}, allowPlaintext: true, durability: {replicas: 1}}
  sharded: {type: redis, cluster: {addresses: ["10.0.0.1:6379"]}, tls: {}}
limits: {maxDeletes: 10%, maxFetchBytes: 1GiB}
metrics: {listen: ":9090"}
`,
}

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	doc, findings := strictyaml.Parse("x.yaml", []byte(strings.TrimLeft(text, "\n")))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return doc.Map()
}

// change makes a mistake in a document: "a.b.0 = yaml" sets, "-a.b" deletes, " ;; " stands between several.
func change(t testing.TB, doc map[string]any, edits string) map[string]any {
	t.Helper()
	out := clone(doc).(map[string]any)
	for one := range strings.SplitSeq(edits, " ;; ") {
		name, text, set := strings.Cut(one, " = ")
		path := strings.Split(strings.TrimPrefix(name, "-"), ".")
		last := path[len(path)-1]
		parent, ok := at(out, path[:len(path)-1])
		if !ok {
			t.Fatalf("there is no place for %s", name)
		}
		switch p := parent.(type) {
		case map[string]any:
			if delete(p, last); set {
				p[last] = parse(t, "v: "+text)["v"]
			}
		case []any:
			i, err := strconv.Atoi(last)
			if err != nil {
				t.Fatal(err)
			}
			p[i] = parse(t, "v: "+text)["v"]
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
