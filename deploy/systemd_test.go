// Package deploy holds what runs the reconciler elsewhere, and the tests of it: a systemd unit, a container file, a Helm chart.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unit = "systemd/lcm-reconciler.service"

// TestUnit has systemd judge the unit: that it can be loaded, and how much of the host is exposed to the daemon, from 0 to 10.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no systemd-analyze here; make test installs it")
		}
		t.Skip("there is no systemd-analyze here; make test installs it, or says how")
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	command := "ExecStart=/usr/local/bin/reconciler "
	if !strings.Contains(string(text), command) {
		t.Fatalf("the unit does not start %q", command)
	}
	// systemd looks whether the program is there.
	program := filepath.Join(t.TempDir(), "reconciler")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(copied, []byte(strings.Replace(string(text), command, "ExecStart="+program+" ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", copied},
		{"security", "--offline=true", "--threshold=15", "--no-pager", copied},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
		if args[0] == "verify" && len(out) > 0 { // what it does not know it only mentions
			t.Errorf("systemd-analyze verify says:\n%s", out)
		}
	}
}
