package schema

import (
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func newSchema(t testing.TB, own map[string][]byte) *Schema {
	t.Helper()
	s, findings := New(own)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return s
}

func TestFullDocuments(t *testing.T) {
	s := newSchema(t, nil)
	for _, kind := range sortedKeys(full) {
		for _, v := range s.Check(lcm.Kind(kind), parse(t, full[kind])) {
			t.Errorf("%s: %+v", kind, v)
		}
	}
	for _, def := range sortedKeys(fullSettings) {
		for _, v := range s.CheckSettings(def, parse(t, fullSettings[def])) {
			t.Errorf("%s: %+v", def, v)
		}
	}
}

type mistake struct {
	of, edit   string
	path, rule string // path with dots
	message    string // a part of it
}

func TestMistakes(t *testing.T) {
	s := newSchema(t, nil)
	for _, m := range mistakes {
		t.Run(m.of+" "+m.edit, func(t *testing.T) {
			var got []Violation
			if text, ok := full[m.of]; ok {
				got = s.Check(lcm.Kind(m.of), change(t, parse(t, text), m.edit))
			} else {
				got = s.CheckSettings(m.of, change(t, parse(t, fullSettings[m.of]), m.edit))
			}
			judge(t, m, got)
		})
	}
}

func judge(t *testing.T, m mistake, got []Violation) {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("%d violations: %+v", len(got), got)
	}
	v := got[0]
	if path := strings.Join(v.Path, "."); path != m.path || v.Rule != "schema/"+m.rule {
		t.Errorf("at %s: %s (%s)", path, v.Rule, v.Message)
	}
	if key := m.rule == "required" || m.rule == "unknown-field"; v.Key != key {
		t.Errorf("Key = %v", v.Key)
	}
	if !strings.Contains(v.Message, m.message) || v.Message == "" {
		t.Errorf("message: %s", v.Message)
	}
	if m.message == "" {
		t.Log(v.Message)
	}
}

var mistakes = []mistake{
	{"Config", "apiVersion = lcm/v2", "apiVersion", "enum", "apiVersion must be lcm/v1"},
	{"Config", "-apiVersion", "apiVersion", "required", ""},
	{"Config", "kind = Preset", "kind", "enum", ""},
	{"Config", "-spec", "spec", "required", ""},
	{"Config", "spec = text", "spec", "type", "spec must be a mapping"},
	{"Config", "spec = null", "spec", "type", ""},
	{"Config", "status = {}", "status", "unknown-field", ""},
	{"Config", "metadata = 3", "metadata", "type", ""},
	{"Config", "metadata.classification = secret", "metadata.classification", "enum", "one of public, internal, confidential, restricted"},
	{"Config", "metadata.ownr = x", "metadata.ownr", "unknown-field", ""},
	{"Config", "metadata.labels.Tier = x", "metadata.labels.Tier", "unknown-field", "must be a label"},
	{"Config", "metadata.labels.tier = 3", "metadata.labels.tier", "type", "must be a string"},
	{"Config", "metadata.merge = shallow", "metadata.merge", "enum", "replace or deep"},
	{"Config", "metadata.inheritable = maybe", "metadata.inheritable", "type", "true or false"},
	{"Config", "metadata.owner = \"\"", "metadata.owner", "pattern", "one line"},
	{"Config", "metadata.address = a/b/c/d/e", "metadata.address", "unknown-field", ""},
	{"Config", "-spec.value", "spec.value", "required", ""},
	{"Config", "spec.value = null", "spec.value", "type", ""},
	{"Config", "spec.value = text", "spec.value", "type", "a mapping"},
	{"Config", "spec.type = strin", "spec.type", "enum", ""},
	{"Config", "spec.type = duration ;; spec.value = 5x", "spec.value", "pattern", "a duration such as 60s"},
	{"Config", "spec.type = url ;; spec.value = nowhere", "spec.value", "pattern", "a URL"},
	{"Config", "spec.description = 3", "spec.description", "type", "a string or a mapping"},
	{"Config", "spec.description.limit = 3", "spec.description.limit", "type", ""},
	{"Config", "spec.values = 3", "spec.values", "unknown-field", ""},

	{"Secret", "-metadata", "metadata", "required", ""},
	{"Secret", "-metadata.address", "metadata.address", "required", "an address: org"},
	{"Secret", "metadata.address = a/b", "metadata.address", "pattern", ""},
	{"Secret", "metadata.merge = deep", "metadata.merge", "enum", "replace"},
	{"Secret", "metadata.sharedWith.0 = acme", "metadata.sharedWith.0", "pattern", "sharedWith[0] must be a service"},
	{"Secret", "metadata.audience = api.openai.com", "metadata.audience", "type", "a list"},
	{"Secret", "metadata.audience.0 = https://x", "metadata.audience.0", "pattern", "host name"},
	{"Secret", "-spec.type", "spec.type", "required", ""},
	{"Secret", "spec.type = api-ky", "spec.type", "enum", ""},
	{"Secret", "-spec.data ;; -spec.previous", "spec.data", "required", ""},
	{"Secret", "-spec.data.key", "spec.data.key", "required", "key is missing"},
	{"Secret", "-spec.data.key ;; spec.data.kye = x", "spec.data.kye", "unknown-field", `did you mean "key"?`},
	{"Secret", "spec.data.kee = x", "spec.data.kee", "unknown-field", ""},
	{"Secret", "spec.previous.kee = x", "spec.previous.kee", "unknown-field", ""},
	{"Secret", "spec.data.key = {a: b}", "spec.data.key", "type", ""},
	{"Secret", "spec.data = x", "spec.data", "type", ""},
	{"Secret", "spec.source = {type: vault, path: x} ;; -spec.previous", "spec.data", "conflict", "exclude each other"},
	{"Secret", "spec.source = {type: vault} ;; -spec.data ;; -spec.previous", "spec.source.path", "required", ""},
	{"Secret", "spec.rotation.interval = 90 days", "spec.rotation.interval", "pattern", "a duration"},
	{"Secret", "spec.rotation.strategy = triple", "spec.rotation.strategy", "enum", ""},
	{"Secret", "spec.rotation.every = 3d", "spec.rotation.every", "unknown-field", ""},
	{"Secret", "spec.expires_at = tomorrow", "spec.expires_at", "pattern", "a point in time"},

	{"ModelEndpoint", "-spec.model_name", "spec.model_name", "required", ""},
	{"ModelEndpoint", "-spec.strategy", "spec.strategy", "required", ""},
	{"ModelEndpoint", "-spec.strategy.mode", "spec.strategy.mode", "required", ""},
	{"ModelEndpoint", "spec.strategy.mode = random", "spec.strategy.mode", "enum", ""},
	{"ModelEndpoint", "spec.strategy.mode = single", "spec.targets", "bounds", "targets must have exactly 1 item"},
	{"ModelEndpoint", "spec.targets = []", "spec.targets", "bounds", "1 to 64 items"},
	{"ModelEndpoint", "spec.targets = {}", "spec.targets", "type", "a list"},
	{"ModelEndpoint", "spec.targets.1 = x", "spec.targets.1", "type", "targets[1] must be a mapping"},
	{"ModelEndpoint", "-spec.targets.0.provider", "spec.targets.0.provider", "required", ""},
	{"ModelEndpoint", "spec.targets.0.provider = opanai", "spec.targets.0.provider", "enum", "one of openai"},
	{"ModelEndpoint", "spec.targets.0.provider = 3", "spec.targets.0.provider", "type", ""},
	{"ModelEndpoint", "-spec.targets.0.model", "spec.targets.0.model", "required", "provider/model"},
	{"ModelEndpoint", "spec.targets.0.model = gpt-4o", "spec.targets.0.model", "pattern", "provider/model"},
	{"ModelEndpoint", "-spec.targets.0.api_key", "spec.targets.0.api_key", "required", "{ref: openai-key}"},
	{"ModelEndpoint", "spec.targets.0.api_key = sk-abc", "spec.targets.0.api_key", "type", "a reference such as {ref: openai-key}"},
	{"ModelEndpoint", "spec.targets.0.api_key = {rf: x}", "spec.targets.0.api_key.rf", "unknown-field", `did you mean "ref"?`},
	{"ModelEndpoint", "spec.targets.0.api_key.ref = ../x", "spec.targets.0.api_key.ref", "pattern", "a key, or"},
	{"ModelEndpoint", "spec.targets.0.api_key.version = 3", "spec.targets.0.api_key.version", "unknown-field", ""},
	{"ModelEndpoint", "-spec.targets.1.deployment", "spec.targets.1.deployment", "required", ""},
	{"ModelEndpoint", "-spec.targets.1.api_base", "spec.targets.1.api_base", "required", ""},
	{"ModelEndpoint", "-spec.targets.2.region", "spec.targets.2.region", "required", ""},
	{"ModelEndpoint", "-spec.targets.5.api_base", "spec.targets.5.api_base", "required", ""},
	{"ModelEndpoint", "spec.targets.0.api_base = ftp://x", "spec.targets.0.api_base", "pattern", ""},
	{"ModelEndpoint", "spec.targets.0.weight = -1", "spec.targets.0.weight", "bounds", "a number from 0 to 1000000"},
	{"ModelEndpoint", "spec.targets.0.weight = heavy", "spec.targets.0.weight", "type", "a number from 0 to 1000000"},
	{"ModelEndpoint", "spec.targets.0.rpm = 0", "spec.targets.0.rpm", "bounds", "a whole number greater than 0"},
	{"ModelEndpoint", "spec.targets.0.tpm = 1.5", "spec.targets.0.tpm", "type", "a whole number"},
	{"ModelEndpoint", "spec.targets.0.timeout = 60", "spec.targets.0.timeout", "type", "a duration"},
	{"ModelEndpoint", "spec.targets.0.timeout = 60 s", "spec.targets.0.timeout", "pattern", "a duration"},
	{"ModelEndpoint", "spec.targets.0.wieght = 1", "spec.targets.0.wieght", "unknown-field", ""},
	{"ModelEndpoint", "-spec.targets.0.weight ;; spec.targets.0.wieght = 1", "spec.targets.0.wieght", "unknown-field", `did you mean "weight"?`},
	{"ModelEndpoint", "spec.fallbacks.0 = assistant", "spec.fallbacks.0", "type", "fallbacks[0] must be a reference"},
	{"ModelEndpoint", "spec.retry.on_status_codes.1 = 600", "spec.retry.on_status_codes.1", "bounds", "on_status_codes[1] must be a whole number from 100 to 599"},
	{"ModelEndpoint", "spec.retry.attempts = 11", "spec.retry.attempts", "bounds", "from 0 to 10"},
	{"ModelEndpoint", "spec.circuit_breaker.cooldown = soon", "spec.circuit_breaker.cooldown", "pattern", ""},
	{"ModelEndpoint", "spec.circuit_breaker.on_all_open = wait", "spec.circuit_breaker.on_all_open", "enum", "reject or bypass"},

	{"PromptTemplate", "-spec.version", "spec.version", "required", "a semantic version"},
	{"PromptTemplate", "spec.version = v1", "spec.version", "pattern", ""},
	{"PromptTemplate", "-spec.template", "spec.template", "required", ""},
	{"PromptTemplate", "spec.config.temperature = 3", "spec.config.temperature", "bounds", "temperature must be a number from 0 to 2"},
	{"PromptTemplate", "-spec.variants.terse.template", "spec.variants.terse.template", "required", ""},
	{"PromptTemplate", "spec.variants.terse.config.top_p = 2", "spec.variants.terse.config.top_p", "bounds", ""},
	{"PromptTemplate", "spec.partials.greeting = 3", "spec.partials.greeting", "type", ""},
	{"PromptTemplate", "spec.input.schema = [a]", "spec.input.schema", "type", "a string or a mapping"},
	{"PromptTemplate", "spec.output.format = xml", "spec.output.format", "enum", ""},
	{"PromptTemplate", "metadata.merge = deep", "metadata.merge", "enum", ""},

	{"Preset", "-spec.slug", "spec.slug", "required", ""},
	{"Preset", "spec.slug = Production", "spec.slug", "pattern", "a name"},
	{"Preset", "spec.config.temperature = 2.1", "spec.config.temperature", "bounds", "temperature must be a number from 0 to 2"},
	{"Preset", "-spec.config.temperature ;; spec.config.temprature = 1", "spec.config.temprature", "unknown-field", `did you mean "temperature"?`},
	{"Preset", "spec.config.top_p = 1.5", "spec.config.top_p", "bounds", ""},
	{"Preset", "spec.config.max_tokens = 0", "spec.config.max_tokens", "bounds", ""},
	{"Preset", "spec.config.stop = 3", "spec.config.stop", "type", "a string or a list"},
	{"Preset", "spec.config.stop = [a, 3]", "spec.config.stop.1", "type", "stop[1] must be a string"},
	{"Preset", "-spec.config.response_format.json_schema", "spec.config.response_format.json_schema", "required", ""},
	{"Preset", "spec.config.reasoning_effort = max", "spec.config.reasoning_effort", "enum", ""},
	{"Preset", "spec.system_prompt = {rf: x}", "spec.system_prompt.rf", "unknown-field", `did you mean "ref"?`},
	{"Preset", "spec.system_prompt = {ref: X}", "spec.system_prompt.ref", "pattern", "a key"},
	{"Preset", "spec.provider.max_price.prompt = 1.5", "spec.provider.max_price.prompt", "type", "decimal amount in quotes"},

	{"PriceMap", "spec.models.gpt = {input_cost_per_token: \"1\", output_cost_per_token: \"1\"}", "spec.models.gpt", "unknown-field", "must be provider/model"},
	{"PriceMap", "-spec.models.openai/gpt-4o.input_cost_per_token", "spec.models.openai/gpt-4o.input_cost_per_token", "required", ""},
	{"PriceMap", "spec.models.openai/gpt-4o.input_cost_per_token = 0.1", "spec.models.openai/gpt-4o.input_cost_per_token", "type", ""},
	{"PriceMap", "spec.models.openai/gpt-4o.supports_vision = yes", "spec.models.openai/gpt-4o.supports_vision", "type", "true or false"},
	{"PriceMap", "spec.models.openai/gpt-4o.deprecation_date = soon", "spec.models.openai/gpt-4o.deprecation_date", "pattern", "a date"},
	{"PriceMap", "spec.models.openai/gpt-4o.input_cost_per_tokn = \"1\"", "spec.models.openai/gpt-4o.input_cost_per_tokn", "unknown-field", ""},

	{"Budget", "spec.scope = team", "spec.scope", "enum", ""},
	{"Budget", "spec.max_budget = 500.5", "spec.max_budget", "type", "decimal amount"},
	{"Budget", "spec.max_budget = 500 USD", "spec.max_budget", "pattern", ""},
	{"Budget", "spec.budget_duration = monthly", "spec.budget_duration", "pattern", ""},
	{"Budget", "spec.alert_thresholds.1 = 95%", "spec.alert_thresholds.1", "pattern", ""},
	{"Budget", "spec.on_exceed = explode", "spec.on_exceed", "enum", ""},
	{"Budget", "-spec.on_exceed", "spec.on_exceed", "required", ""},

	{"Rollout", "spec.target = assistant", "spec.target", "type", "a reference"},
	{"Rollout", "spec.growth_type = sudden", "spec.growth_type", "enum", "linear or exponential"},
	{"Rollout", "spec.growth_factor = 0", "spec.growth_factor", "bounds", "greater than 0 and of at most 100"},
	{"Rollout", "-spec.alarms.0.promql", "spec.alarms.0.promql", "required", ""},
	{"Rollout", "spec.alarms.0.threshold = high", "spec.alarms.0.threshold", "type", "a number"},
	{"Rollout", "spec.on_alarm = ignore", "spec.on_alarm", "enum", "must be revert"},

	{"Tombstone", "spec.value = 3", "spec.value", "unknown-field", ""},

	{"Repository", "rules = 1", "rules", "type", `"1"`},
	{"Repository", "routes.0.match.kinds = []", "routes.0.match.kinds", "bounds", "at least 1 item"},
	{"Repository", "routes.0.match.namespaces.0 = a*", "routes.0.match.namespaces.0", "pattern", ""},
	{"Repository", "limits.maxDeletes = most", "limits.maxDeletes", "pattern", "10%"},
	{"Repository", "limits.maxDeletes = -1", "limits.maxDeletes", "bounds", ""},
	{"Repository", "environments.Prod = {}", "environments.Prod", "unknown-field", "a name"},
	{"TrustPolicy", "rules.0.approvals = 0", "rules.0.approvals", "bounds", ""},
	{"TrustPolicy", "principals.alice.roles.0 = admin", "principals.alice.roles.0", "pattern", ""},
	{"TrustPolicy", "principals.alice.keys.0 = {}", "principals.alice.keys.0.ssh", "required", ""},
	{"TrustPolicy", "principals.bob.keys.0.ssh = ssh-ed25519 AAAA", "principals.bob.keys.0.ssh", "conflict", "exclude each other"},
	{"TrustPolicy", "principals.rotator.keys.1.ssh = ssh-ed25519 AAAA", "principals.rotator.keys.1.ssh", "conflict", "exclude each other"},
	{"TrustPolicy", "-principals.rotator.keys.1.authority", "principals.rotator.keys.1.authority", "required", ""},
	{"TrustPolicy", "-principals.rotator.keys.1.certificate", "principals.rotator.keys.1.certificate", "required", ""},
	{"TrustPolicy", "principals.rotator.keys.1.certificate = 'a,b'", "principals.rotator.keys.1.certificate", "pattern", ""},
	{"TenantPolicy", "branch = main", "branch", "unknown-field", ""},
	{"AccessPolicy", "-rules.0.principals", "rules.0.roles", "required", ""},
	{"AccessPolicy", "rules.0.actions.1 = write", "rules.0.actions.1", "enum", ""},
	{"SealRules", "creation_rules.0.age = age1x", "creation_rules.0.age", "pattern", "age recipients"},
	{"SealRules", "creation_rules.1.age.0 = age1x", "creation_rules.1.age.0", "pattern", "an age recipient"},
	{"SealRules", "creation_rules.0.encrypted_regex = .*", "creation_rules.0.encrypted_regex", "enum", ""},
	{"SealRules", "creation_rules.0.mac_only_encrypted = true", "creation_rules.0.mac_only_encrypted", "unknown-field", ""},
	{"Daemon", "api = {listen: x}", "api", "unknown-field", ""},
	{"Daemon", "repository.introduction = abc", "repository.introduction", "pattern", "a whole commit id"},
	{"Daemon", "repository.url = ${URL}", "repository.url", "pattern", ""},
	{"Daemon", "-repository.auth.username", "repository.auth.username", "required", ""},
	{"Daemon", "targets.runtime.type = consul", "targets.runtime.type", "enum", "one of bolt, etcd, file, redis, vault"},
	{"Daemon", "-targets.runtime.path", "targets.runtime.path", "required", ""},
	{"Daemon", "targets.runtime.address = x", "targets.runtime.address", "unknown-field", ""},
	{"Daemon", "-targets.vault.auth", "targets.vault.auth", "required", ""},
	{"Daemon", "targets.vault.auth.token = {file: x}", "targets.vault.auth.token", "conflict", "exclude"},
	{"Daemon", "targets.vault2.auth.token = abc", "targets.vault2.auth.token", "type", "{env: NAME}"},
	{"Daemon", "-targets.etcd.endpoints", "targets.etcd.endpoints", "required", ""},
	{"Daemon", "targets.etcd.endpoints = []", "targets.etcd.endpoints", "bounds", ""},
	{"Daemon", "targets.etcd.endpoints = [etcd-2.example.com:2379]", "targets.etcd.endpoints.0", "pattern", "the URL of a member of etcd"},
	{"Daemon", "targets.etcd.prefix = lcm", "targets.etcd.prefix", "pattern", "such as /lcm/"},
	{"Daemon", "-targets.etcd.login.username", "targets.etcd.login.username", "required", ""},
	{"Daemon", "-targets.etcd.login.password", "targets.etcd.login.password", "required", ""},
	{"Daemon", "targets.etcd.tls.serverName = 1", "targets.etcd.tls.serverName", "type", ""},
	{"Daemon", "-targets.etcd.tls.clientCertFile", "targets.etcd.tls.clientCertFile", "required", ""},
	{"Daemon", "targets.etcd.maxTxnOps = 3", "targets.etcd.maxTxnOps", "bounds", ""},
	{"Daemon", "targets.etcd.maxRequestBytes = 10", "targets.etcd.maxRequestBytes", "type", ""},
	{"Daemon", "targets.etcd.path = x", "targets.etcd.path", "unknown-field", ""},
	{"Daemon", "-targets.redis.server", "targets.redis.server", "required", "host:port"},
	{"Daemon", "targets.redis.server = redis.example.com", "targets.redis.server", "pattern", "host:port"},
	{"Daemon", "targets.pod.auth.token = {file: x}", "targets.pod.auth.token", "conflict", "token and kubernetes exclude each other"},
	{"Daemon", "targets.pod.auth.jwt = {role: r, tokenFile: x}", "targets.pod.auth.jwt", "conflict", "jwt and kubernetes exclude each other"},
	{"Daemon", "targets.vault.auth.kubernetes = {role: r}", "targets.vault.auth.kubernetes", "conflict", "kubernetes and approle exclude each other"},
	{"Daemon", "targets.job.caCertFile = ca.pem", "targets.job.caCertFile", "conflict", "keep tls.caCertFile"},
	{"Daemon", "targets.job.auth.token = {env: X}", "targets.job.auth.token", "conflict", "token and jwt exclude each other"},
	{"Daemon", "-targets.job.auth.jwt.tokenFile", "targets.job.auth.jwt.tokenFile", "required", ""},
	{"Daemon", "-targets.pod.auth.kubernetes.role", "targets.pod.auth.kubernetes.role", "required", ""},
	{"Daemon", "targets.watched.server = x:6379", "targets.watched.server", "conflict", "server and sentinel exclude each other"},
	{"Daemon", "targets.watched.cluster = {addresses: [x:6379]}", "targets.watched.cluster", "conflict", "cluster and sentinel exclude each other"},
	{"Daemon", "targets.sharded.server = x:6379", "targets.sharded.server", "conflict", "server and cluster exclude each other"},
	{"Daemon", "targets.sharded.database = 1", "targets.sharded.database", "conflict", "a Cluster has only the database 0"},
	{"Daemon", "-targets.watched.sentinel.master", "targets.watched.sentinel.master", "required", ""},
	{"Daemon", "targets.watched.sentinel.addresses = []", "targets.watched.sentinel.addresses", "bounds", ""},
	{"Daemon", "-targets.redis.login.password", "targets.redis.login.password", "required", ""},
	{"Daemon", "targets.redis.login.password = secret", "targets.redis.login.password", "type", "{env: NAME}"},
	{"Daemon", "-targets.redis.tls.clientKeyFile", "targets.redis.tls.clientKeyFile", "required", ""},
	{"Daemon", "targets.redis.tls.caCertFile = ${CA}", "targets.redis.tls.caCertFile", "pattern", "without $"},
	{"Daemon", "targets.redis.durability = {}", "targets.redis.durability", "bounds", ""},
	{"Daemon", "targets.redis.durability.replicas = -1", "targets.redis.durability.replicas", "bounds", ""},
	{"Daemon", "schedule = whenever", "schedule", "pattern", ""},
	{"Daemon", "state.type = consul", "state.type", "enum", ""},
	{"Daemon", "limits.maxFetchBytes = 1 GB", "limits.maxFetchBytes", "pattern", ""},
	{"Daemon", "metrics.listen = 9090", "metrics.listen", "type", "an address to listen at"},
	{"Daemon", "metrics.listen = http://x:9090", "metrics.listen", "pattern", ""},
	{"Daemon", "repository.maxFetchAge = 0s", "repository.maxFetchAge", "pattern", "more than nothing"},
	{"Daemon", "repository.heartbeat.maxAge = soon", "repository.heartbeat.maxAge", "pattern", "a duration"},
	{"Daemon", "-repository.heartbeat.maxAge", "repository.heartbeat.maxAge", "required", ""},
	{"Daemon", "repository.heartbeat.by = []", "repository.heartbeat.by", "bounds", ""},
	{"Daemon", "schedle = x ;; -schedule", "schedle", "unknown-field", `did you mean "schedule"?`},
}
