// Package nestedtest builds programs of nested modules: servers that tests need, and whose dependencies have
// no place in the product's go.mod. Each is built once per content and kept in the user's cache folder.
package nestedtest

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

// Folder returns the path of a folder of the product's module, which tests run in a folder of.
func Folder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/llm-config-manager/lcm\n")) {
			return filepath.Join(dir, filepath.FromSlash(name))
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("nestedtest: the working folder is not inside the product's module")
		}
	}
}

// Build returns the path of the program that a folder of the product's module holds the sources of, made by
// this Go. It is named after their digest, so what exists is right, and whoever comes second waits for the first.
// Where it can't be built, because there is no go command or its modules can't be had, the test is skipped;
// with CI set in the environment it fails.
func Build(t testing.TB, name string) string {
	t.Helper()
	dir := Folder(t, name)
	folder := cacheFolder(t, filepath.Base(dir))
	binary := filepath.Join(folder, filepath.Base(dir)+"-"+digest(t, dir))
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
		unavailable(t, "nestedtest: %s cannot be built here: %v\n%s", filepath.Base(dir), err, out)
	}
	t.Logf("building %s: this takes some minutes, once; it is kept in %s", filepath.Base(dir), filepath.Dir(binary))
	fresh := binary + ".new"
	if out, err := command(dir, "build", "-ldflags=-s -w", "-o", fresh, ".").CombinedOutput(); err != nil {
		t.Fatalf("nestedtest: building %s: %v\n%s", filepath.Base(dir), err, out)
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

func cacheFolder(t testing.TB, program string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("nestedtest: nowhere to keep what is built: %v", err)
	}
	folder := filepath.Join(cache, "lcm-"+program)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func digest(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("nestedtest: no sources in %s", dir)
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
