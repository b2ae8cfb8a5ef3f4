package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	sentinels := Sentinel{Master: "m", Addresses: []string{"127.0.0.1:1"}}
	for name, c := range map[string]struct {
		config Config
		says   string // empty: it is good
	}{
		"one":                   {Config{Address: "127.0.0.1:6379"}, ""},
		"IPv6":                  {Config{Address: "[::1]:6379"}, ""},
		"trusted network":       {Config{Address: "redis:6379", AllowPlaintext: true}, ""},
		"TLS":                   {Config{Address: "redis:6379", TLS: &TLS{}}, ""},
		"Sentinels":             {Config{Sentinel: sentinels}, ""},
		"Cluster":               {Config{Cluster: []string{"localhost:1"}}, ""},
		"no place":              {Config{}, "0 places are configured"},
		"two places":            {Config{Address: "127.0.0.1:1", Sentinel: sentinels}, "2 places are configured"},
		"three places":          {Config{Address: "127.0.0.1:1", Sentinel: sentinels, Cluster: []string{"localhost:1"}}, "3 places"},
		"no name of the master": {Config{Sentinel: Sentinel{Addresses: []string{"127.0.0.1:1"}}}, "name of the master"},
		"no Sentinels":          {Config{Sentinel: Sentinel{Master: "m"}}, "the addresses are missing"},
		"no port":               {Config{Address: "127.0.0.1"}, "give host:port"},
		"port too high":         {Config{Address: "127.0.0.1:65536"}, "give host:port"},
		"port zero":             {Config{Address: "127.0.0.1:0"}, "give host:port"},
		"no host":               {Config{Address: ":6379"}, "give host:port"},
		"in the clear":          {Config{Address: "redis:6379"}, "cross the network in the clear"},
		"Cluster in the clear":  {Config{Cluster: []string{"localhost:1", "10.0.0.1:1"}}, "address 10.0.0.1:1: without tls"},
		"database of a Cluster": {Config{Cluster: []string{"localhost:1"}, Database: 1}, "database 0 only"},
		"negative database":     {Config{Address: "127.0.0.1:1", Database: -1}, "negative"},
		"two passwords":         {Config{Address: "127.0.0.1:1", Login: Login{Password: "canary", PasswordFile: "x"}}, "give one of them"},
		"user alone":            {Config{Address: "127.0.0.1:1", Login: Login{Username: "x"}}, "without a password"},
		"user alone, Sentinel":  {Config{Sentinel: Sentinel{Master: "m", Addresses: sentinels.Addresses, Login: Login{Username: "x"}}}, "without a password"},
		"certificate alone":     {Config{Address: "127.0.0.1:1", TLS: &TLS{ClientCertFile: "x"}}, "needs its key"},
		"negative limit":        {Config{Address: "127.0.0.1:1", Limits: Limits{MaxKeys: -1}}, "negative"},
		"concurrency":           {Config{Address: "127.0.0.1:1", Limits: Limits{Concurrency: 1000}}, "from 1 to 256"},
		"replicas":              {Config{Address: "127.0.0.1:1", Durability: Durability{Replicas: -1}}, "from 0 to 100"},
	} {
		_, err := New(c.config)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for text, want := range map[string]string{"canary\n": "canary", " two words \r\n": "two words", "": "", "\n": "", "a\nb\n": "", strings.Repeat("x", maxFile+1): ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Login{PasswordFile: file}.password()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	if _, err := (Login{PasswordFile: file + "-"}).password(); err == nil {
		t.Error("a file that is missing is no error")
	}
}

func TestTLSFiles(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]TLS{
		"no CA file":          {CACertFile: text + "-"},
		"no certificates":     {CACertFile: text},
		"no client file":      {ClientCertFile: text + "-", ClientKeyFile: text},
		"no client PEM":       {ClientCertFile: text, ClientKeyFile: text},
		"client, but no key":  {ClientCertFile: text, ClientKeyFile: text + "-"},
		"a folder for a file": {CACertFile: filepath.Dir(text)},
	} {
		if _, err := c.config(); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMeaning: what Redis says gets a meaning, and nothing that it quotes is told.
func TestMeaning(t *testing.T) {
	for text, want := range map[string]string{
		"READONLY You can't write against a read only replica. script: 1, on @user_script:12.": "answered READONLY: this server is a replica",
		"ERR unknown command 'WAITAOF', with args beginning with: '1' 'canary'":                "7.0 or newer",
		"unknown command 'WAITAOF', with args beginning with: '1' 'canary'":                    "7.0 or newer",
		"DB index is out of range":                   "no database of that number",
		"ERR max number of clients reached":          "maxclients",
		"This instance has cluster support disabled": "not a node of a Cluster",
		"WRONGTYPE canary":                           "no entry of ours",
		"ERR canary":                                 "its own log",
		"canary is what we sent":                     "its own log",
		"CANARY is what we sent":                     "its own log",
		"":                                           "its own log",
	} {
		if got := meaning(text).Error(); !strings.Contains(got, want) || strings.Contains(strings.ToLower(got), "canary") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]string{
		"lcm:{acme-corp/platform/chat/production}/limit":         "acme-corp/platform/chat/production limit",
		"lcm:{acme-corp/platform/chat/production}/.lcm/revision": "acme-corp/platform/chat/production .lcm/revision",
		"lcm:{acme-corp/platform/chat/production}/.lcm/keys":     "acme-corp/platform/chat/production .lcm/keys",
		"lcm:{acme-corp/platform/chat/production}/.lcm/other":    "",
		"lcm:{acme-corp/platform/chat/production}/a/b":           "",
		"lcm:{acme-corp/platform/chat/production}/":              "",
		"lcm:{acme-corp/platform/chat/production}x/limit":        "",
		"lcm:{acme-corp/platform/chat}/limit":                    "",
		"lcm:{acme-corp/platform/chat/production}/}/limit":       "",
		"lcm:{ACME/platform/chat/production}/limit":              "",
		"lcm:{": "", "lcm:{}/": "", "lcm:changes": "", "": "",
	} {
		ns, key, ok := namespaces{}.parse(name)
		if got := ns.String() + " " + key; ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", name, got, ok)
		}
	}
}
