package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/rule"
	"github.com/llm-config-manager/lcm/internal/rule/hostile"
)

// Bounds on one run. The processor's time, not the clock's: a machine that is busy with other things is no
// reason to fail.
const (
	maxProcessor = 5 // seconds of both processors together; the kernel ends a run at twice that
	maxResident  = 500 << 20
)

// Whatever a repository holds, the linter ends soon, within bounded memory, and says what is wrong and where.
func TestHostile(t *testing.T) {
	for _, c := range hostile.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			repository := rule.Base()
			c.Change(repository)
			dir := t.TempDir()
			if err := repository.Write(dir); err != nil {
				t.Fatal(err)
			}
			holdTo(t, dir, c.Rule, c.File)
		})
	}
}

// What no Git repository can hold, a folder can.
func TestHostileFolders(t *testing.T) {
	const folder = "namespaces/acme/shop/chat/base/"
	for _, at := range []string{folder + "x.yaml", folder + "x.prompt", folder + "_x.prompt", "lcm.yaml", ".sops.yaml", ".lcm/trust.yaml", ".lcm/access.yaml",
		".lcm/tenants/acme.yaml", "policies/rego/x.rego", "schemas/cue/x.cue", "namespaces/acme/x", "policies"} {
		t.Run("a pipe: "+at, func(t *testing.T) {
			dir := t.TempDir()
			if err := rule.Base().Write(dir); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, at)
			if err := errors.Join(os.RemoveAll(file), os.MkdirAll(filepath.Dir(file), 0o755), syscall.Mkfifo(file, 0o644)); err != nil {
				t.Fatal(err)
			}
			holdTo(t, dir, "layout/file-mode", at)
		})
	}
	t.Run("a file of 8 GiB", func(t *testing.T) {
		dir := t.TempDir()
		if err := errors.Join(rule.Base().Write(dir), os.Truncate(filepath.Join(dir, ".lcm/trust.yaml"), 8<<30)); err != nil {
			t.Fatal("a sparse file of 8 GiB can not be made here:", err)
		}
		holdTo(t, dir, "yaml/too-large", ".lcm/trust.yaml")
	})
}

var findingLine = regexp.MustCompile(`^(.+):[1-9][0-9]*:[1-9][0-9]*: (?:error|warning): ([a-z0-9-]+(?:/[a-z0-9_-]+)+): .`)

// holdTo lints a folder in a process of its own and holds that to the bounds, and its findings to be such.
func holdTo(t *testing.T, dir, id, file string) {
	t.Helper()
	out, cpu, peak := measured(t, dir)
	t.Logf("%v of processor time, %d MiB", cpu.Round(time.Millisecond), peak>>20)
	if cpu > maxProcessor*time.Second {
		t.Errorf("takes %v of processor time", cpu)
	}
	if peak > maxResident {
		t.Errorf("takes %d MiB", peak>>20)
	}
	found := id == ""
	for line := range strings.Lines(strings.ReplaceAll(out, filepath.ToSlash(dir)+"/", "")) {
		m := findingLine.FindStringSubmatch(line)
		if m == nil || len(line) > 2000 {
			t.Fatalf("this is no finding: %.300q", line)
		}
		found = found || m[2] == id && (file == "" || m[1] == file)
	}
	if !found {
		t.Errorf("nothing is said by %s of %s:\n%.2000s", id, file, out)
	}
}

// measured runs lcm-lint, and gives its output, the time it took of all processors and its peak memory.
func measured(t *testing.T, dir string) (out string, cpu time.Duration, peak int64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "lcm-lint") // by which name TestMain is the program
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -t "$1" && exec "$2" "$3"`, "sh", strconv.Itoa(2*maxProcessor), program, dir)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	hang := time.After(2 * time.Minute)
	for {
		peak = max(peak, highWater(cmd.Process.Pid))
		select {
		case err = <-done:
			if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitFindings) {
				t.Fatalf("%v\n%.2000s", err, &stderr)
			}
			return stdout.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak
		case <-hang:
			_ = cmd.Process.Kill()
			t.Fatal("it hangs")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// highWater is VmHWM of a process, in bytes; 0 where there is no /proc. What the kernel says at the end would
// count the memory of the parent, too.
func highWater(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// The bounds are worth nothing where they cannot be read.
func TestHighWater(t *testing.T) {
	if runtime.GOOS == "linux" && highWater(os.Getpid()) < 1<<20 {
		t.Error("the peak of this process is not known")
	}
}
