package main

import (
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// secret is one Secret of the example, in the clear.
type secret struct {
	service, environment, key string
	description, owner        string
	sharedWith, audience      []any
	kind                      string // the type of its spec
	rotation                  map[string]any
	data, previous            map[string]any
}

func (s secret) file() string {
	return fmt.Sprintf("namespaces/%s/%s/%s.sops.yaml", s.service, s.environment, s.key)
}

func (s secret) document() map[string]any {
	meta := map[string]any{"description": s.description, "owner": s.owner, "classification": string(lcm.Restricted)}
	spec := map[string]any{"type": s.kind, "data": s.data}
	if s.sharedWith != nil {
		meta["sharedWith"] = s.sharedWith
	}
	if s.audience != nil {
		meta["audience"] = s.audience
	}
	if s.rotation != nil {
		spec["rotation"] = s.rotation
	}
	if s.previous != nil {
		spec["previous"] = s.previous
	}
	return map[string]any{"apiVersion": lcm.APIVersion, "kind": string(lcm.KindSecret), "metadata": meta, "spec": spec}
}

const (
	inference = "acme-corp/ml-platform/inference"
	batch     = "acme-corp/ml-platform/batch"
	assistant = "acme-corp/support/assistant"
	answers   = "globex/search/answers"
	indexer   = "globex/search/indexer"
)

var every = [...]string{"development", "staging", "production"}

// secrets lists them all. A Secret is not inherited unless it says so, so that each environment has
// its own of what the services there refer to.
func secrets() ([]secret, error) {
	var list []secret
	for _, env := range every {
		pairs, err := madeForEach(env)
		if err != nil {
			return nil, err
		}
		list = append(list, plainForEach(env)...)
		list = append(list, pairs...)
	}
	pairs, err := madeForProduction()
	if err != nil {
		return nil, err
	}
	return append(append(list, plainForProduction()...), pairs...), nil
}

// fake is a value that nobody takes for a real one.
func fake(what, env string) string { return "example-" + what + "-of-" + env + "-not-a-real-one" }

func days(interval, grace string) map[string]any {
	return map[string]any{"interval": interval, "grace": grace, "strategy": "dual-phase"}
}

// plainForEach are the Secrets that each environment has, of values that can be made up.
func plainForEach(env string) []secret {
	return []secret{
		{service: inference, environment: env, key: "openai-key", kind: "api-key", owner: "team-inference",
			description: "Account of the ML platform", rotation: days("90d", "7d"),
			sharedWith: []any{batch}, audience: []any{"api.openai.com"},
			data: map[string]any{"key": fake("openai-key", env), "provider": "openai", "key_id": env + "-1", "scopes": []any{"chat", "embeddings"}}},
		{service: inference, environment: env, key: "anthropic-key", kind: "api-key", owner: "team-inference",
			description: "Account of the ML platform", rotation: days("90d", "7d"), audience: []any{"api.anthropic.com"},
			data: map[string]any{"key": fake("anthropic-key", env), "provider": "anthropic"}},
		{service: batch, environment: env, key: "warehouse-db", kind: "database", owner: "team-batch",
			description: "Where the nightly jobs write", rotation: days("30d", "24h"),
			data: map[string]any{"engine": "postgresql", "host": env + ".warehouse.acme.example", "port": 5432, "database": "llm",
				"username": "batch", "password": fake("password", env), "sslmode": "verify-full"}},
		{service: batch, environment: env, key: "aws-bedrock", kind: "aws", owner: "team-batch",
			description: "May call Bedrock and nothing else", rotation: days("30d", "24h"),
			data: map[string]any{"access_key_id": "EXAMPLEKEYIDNOTAREALONE", "secret_access_key": fake("aws-key", env),
				"role_arn": "arn:aws:iam::000000000000:role/example-bedrock", "region": "eu-central-1"}},
		{service: assistant, environment: env, key: "crm", kind: "oauth2", owner: "team-support",
			description: "Looks up who asks", rotation: days("60d", "48h"),
			data: map[string]any{"client_id": "assistant-" + env, "client_secret": fake("client", env),
				"token_url": "https://login.crm.example/oauth/token", "scopes": []any{"contacts.read"}}},
		{service: indexer, environment: env, key: "embeddings-key", kind: "api-key", owner: "search-team",
			description: "Our embedding server", audience: []any{"embeddings.globex.example"},
			data: map[string]any{"key": fake("embeddings-key", env)}},
	}
}

// plainForProduction are those that only production has. One is under rotation: its old value still works.
func plainForProduction() []secret {
	const env = "production"
	return []secret{
		{service: inference, environment: env, key: "azure-openai-key", kind: "api-key", owner: "team-inference",
			description: "The deployment in Sweden", rotation: days("90d", "7d"), audience: []any{"acme-chat.openai.azure.com"},
			data: map[string]any{"key": fake("azure-key", env), "provider": "azure"}},
		{service: indexer, environment: env, key: "azure-storage", kind: "azure", owner: "search-team",
			description: "Writes the index", rotation: days("30d", "24h"),
			data: map[string]any{"tenant_id": "00000000-0000-4000-8000-000000000001", "client_id": "00000000-0000-4000-8000-000000000002",
				"client_secret": fake("client", env), "subscription_id": "00000000-0000-4000-8000-000000000003"}},
		{service: indexer, environment: env, key: "url-salt", kind: "opaque", owner: "search-team",
			description: "Hides which pages are indexed; under rotation", rotation: days("180d", "14d"),
			data:     map[string]any{"salt": fake("salt", env), "rounds": 3, "nested": map[string]any{"pepper": fake("pepper", env)}},
			previous: map[string]any{"salt": fake("older-salt", env), "rounds": 2}},
	}
}
