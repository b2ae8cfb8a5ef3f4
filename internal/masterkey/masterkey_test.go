package masterkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerateLoadDerive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "lcm.key")
	if _, err := Load(file); !Missing(err) {
		t.Fatalf("missing key: %v", err)
	}
	k, err := Generate(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(file); err == nil {
		t.Error("Generate overwrote a key")
	}
	again, err := Load(file)
	if err != nil || again != k {
		t.Fatalf("Load: %v", err)
	}
	if bytes.Equal(k.Derive(State), k.Derive(Fingerprint)) || len(k.Derive(State)) != 32 {
		t.Error("purposes must give different keys")
	}
	j, _ := json.Marshal(map[string]Key{"k": k})
	if s := fmt.Sprintf("%v %+v %#v %s %x %s", k, k, k, k, k, j); strings.Contains(s, base64.StdEncoding.EncodeToString(k.bytes[:])) || strings.Contains(s, fmt.Sprintf("%x", k.bytes)) {
		t.Error("the key shows itself")
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"short":    {"YWJj", 0o600},
		"notb64":   {"!!!!", 0o600},
		"empty":    {"", 0o600},
		"readable": {base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o644},
		"huge":     {strings.Repeat("A", 5000), 0o600},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file); err == nil || Missing(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExposed(t *testing.T) {
	for mode, want := range map[os.FileMode]struct{ ours, others bool }{
		0o600: {false, false},
		0o400: {false, false},
		0o440: {true, false}, // as Kubernetes mounts a Secret with fsGroup
		0o460: {true, true},
		0o444: {true, true},
		0o404: {true, true},
	} {
		if got := exposed(mode, true); got != want.ours {
			t.Errorf("%o, ours: %t", mode, got)
		}
		if got := exposed(mode, false); got != want.others {
			t.Errorf("%o, of somebody else: %t", mode, got)
		}
	}
}
