package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// hook CODE github|generic SECRET BODY: sends a webhook to the daemon on $hook, signed with the secret or bearing it, and demands this answer.
func cmdHook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: hook CODE github|generic SECRET BODY")
	}
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+ts.Getenv("hook")+"/hooks/"+args[1], strings.NewReader(args[3]))
	ts.Check(err)
	if req.Header.Set("Authorization", "Bearer "+args[2]); args[1] == "github" {
		req = delivery(req.URL.String(), args[2], args[3])
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("answered %s, not %s", resp.Status, args[0])
	}
}

// delivery is a webhook as GitHub sends it.
func delivery(url, secret, body string) *http.Request {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err) // the address is a test's own
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return req
}

func TestForgeNames(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/acme/acme-config.git":       "acme/acme-config",
		"https://github.com/acme/acme-config":           "acme/acme-config",
		"https://github.com/acme/acme-config/":          "acme/acme-config",
		"git@github.com:acme/acme-config.git":           "acme/acme-config",
		"ssh://git@ssh.github.com:443/acme/acme-config": "acme/acme-config",
		"/srv/git/acme-config.git":                      "git/acme-config",
		"https://git.example.com/group/of/acme-config":  "of/acme-config",
		"acme-config.git":                               "",
	} {
		var all []string
		if want != "" {
			all = append(all, want)
		}
		r := &repositoryConfig{URL: url}
		if got := r.forgeNames(""); !slices.Equal(got, all) {
			t.Errorf("%s: %q", url, got)
		}
		r.Forges = map[string]forgeConfig{"github": {Repository: "acme/other"}}
		if got := r.forgeNames("acme/third"); !slices.Equal(got, append(all, "acme/other", "acme/third")) {
			t.Errorf("%s: %q", url, got)
		}
	}
}
