package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const role = "reconciler"

// configure mounts the engines and makes the role, through the same HTTP interface that an operator uses.
func configure(ctx context.Context, r *ready, o options) error {
	policy, err := readPolicy(o.policyFile)
	if err != nil {
		return err
	}
	c := caller{address: r.Address, token: r.RootToken}
	ttl := o.tokenTTL.String()
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}},
		{"sys/auth/approle", map[string]any{"type": "approle"}},
		{"sys/policies/acl/" + role, map[string]any{"policy": policy}},
		{"auth/approle/role/" + role, map[string]any{"token_policies": role, "token_ttl": ttl}},
	} {
		if _, err := c.do(ctx, http.MethodPost, step.path, step.body); err != nil {
			return err
		}
	}
	if r.RoleID, err = c.field(ctx, http.MethodGet, "auth/approle/role/"+role+"/role-id", "role_id"); err != nil {
		return err
	}
	if r.SecretID, err = c.field(ctx, http.MethodPost, "auth/approle/role/"+role+"/secret-id", "secret_id"); err != nil {
		return err
	}
	return c.waitFor(ctx, "secret/config")
}

func readPolicy(file string) (string, error) {
	if file == "" {
		return `path "sys/none" { capabilities = ["deny"] }`, nil
	}
	b, err := os.ReadFile(file)
	return string(b), err
}

type caller struct{ address, token string }

func (c caller) do(ctx context.Context, method, path string, body any) (map[string]any, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.address+"/v1/"+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	var answer struct {
		Data map[string]any `json:"data"`
	}
	if len(text) > 0 {
		err = json.Unmarshal(text, &answer)
	}
	return answer.Data, err
}

func (c caller) field(ctx context.Context, method, path, name string) (string, error) {
	data, err := c.do(ctx, method, path, map[string]any{})
	if err != nil {
		return "", err
	}
	s, ok := data[name].(string)
	if !ok {
		return "", fmt.Errorf("%s: the answer has no %s", path, name)
	}
	return s, nil
}

// waitFor asks until the engine answers: a KV engine of version 2 sets itself up in the background.
func (c caller) waitFor(ctx context.Context, path string) error {
	for {
		_, err := c.do(ctx, http.MethodGet, path, nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
