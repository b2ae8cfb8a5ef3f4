package vaulttest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// sources returns the folder of package vault: tests run in a folder of their module.
func sources(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/llm-config-manager/lcm\n")) {
			return filepath.Join(dir, "internal", "store", "vault")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("vaulttest: the working folder is not inside the module that holds vaultd")
		}
	}
}

// build returns the path of a vaultd made from these sources by this Go. It is named after their
// digest, so what exists is right, and whoever comes second waits for the first.
func build(t testing.TB, dir string) string {
	t.Helper()
	folder := cacheFolder(t)
	binary := filepath.Join(folder, "vaultd-"+digest(t, dir))
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(folder, "lock")).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	compile(t, dir, binary)
	return binary
}

func compile(t testing.TB, dir, binary string) {
	t.Helper()
	// Loading the packages without compiling them tells what is missing here from what is wrong.
	if out, err := command(dir, "list", "-deps", ".").CombinedOutput(); err != nil {
		unavailable(t, "vaulttest: a real Vault cannot be built here: %v\n%s", err, out)
	}
	t.Logf("building Vault: this takes some minutes, once; it is kept in %s", filepath.Dir(binary))
	fresh := binary + ".new"
	if out, err := command(dir, "build", "-ldflags=-s -w", "-o", fresh, ".").CombinedOutput(); err != nil {
		t.Fatalf("vaulttest: building vaultd: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, binary); err != nil {
		t.Fatal(err)
	}
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	// What the caller's module needs (a workspace, a vendor folder, tags) does not fit this one.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	return cmd
}

// unavailable skips the test at a desk and fails it where nothing may be skipped.
func unavailable(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func cacheFolder(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("vaulttest: nowhere to keep the Vault that is built: %v", err)
	}
	folder := filepath.Join(cache, "lcm-vaultd")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func digest(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("vaulttest: no sources of vaultd in %s", dir)
	}
	names = append(names, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	slices.Sort(names)
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n%s", filepath.Base(name), len(content), content)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:10])
}
