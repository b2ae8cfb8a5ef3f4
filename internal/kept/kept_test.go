package kept

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *Values {
	t.Helper()
	v, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func closed(t *testing.T, v *Values) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	v := open(t, dir)
	for i := range 100 {
		v.Put(NewKey("k", fmt.Sprint(i)), []byte(fmt.Sprint(i)))
	}
	closed(t, v)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info, err)
	}
	v = open(t, dir)
	v.Put(NewKey("another"), nil)
	closed(t, v)
	v = open(t, dir)
	for i := range 100 {
		if got, ok := v.Get(NewKey("k", fmt.Sprint(i))); !ok || string(got) != fmt.Sprint(i) {
			t.Fatalf("%d is %q, %v", i, got, ok)
		}
	}
	if _, ok := v.Get(NewKey("another")); !ok {
		t.Error("an empty value is lost")
	}
	if _, ok := v.Get(NewKey("k0")); ok {
		t.Error("keys are taken for each other")
	}
}

// Whatever byte of the file is changed, or wherever it is cut, nothing wrong is found in it.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	v := open(t, dir)
	v.Put(NewKey("a"), []byte("value"))
	v.Put(NewKey("b"), []byte("other"))
	closed(t, v)
	whole, err := os.ReadFile(v.file)
	if err != nil {
		t.Fatal(err)
	}
	check := func(data []byte) {
		if err := os.WriteFile(v.file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := open(t, dir).Get(NewKey("a")); ok {
			t.Errorf("found %q in a damaged file", got)
		}
	}
	for i := range whole {
		data := append([]byte(nil), whole...)
		data[i] ^= 0x10
		check(data)
		check(whole[:i])
	}
	v = open(t, dir)
	v.Put(NewKey("a"), []byte("anew"))
	closed(t, v)
	if got, _ := open(t, dir).Get(NewKey("a")); string(got) != "anew" {
		t.Errorf("after damage there is %q", got)
	}
}

func TestOthersFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "test"); err == nil {
		t.Error("a folder that anybody can write to is believed")
	}
}

// Several at once leave a whole file.
func TestAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			v, err := Open(dir, "test")
			if err != nil {
				t.Error(err)
				return
			}
			v.Put(NewKey("all"), []byte("same"))
			v.Put(NewKey(fmt.Sprint(i)), make([]byte, 100_000))
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, ok := open(t, dir).Get(NewKey("all")); !ok || string(got) != "same" {
		t.Errorf("found %q, %v", got, ok)
	}
}

func TestBounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	v := open(t, dir)
	for i := range 5 {
		v.Put(NewKey(fmt.Sprint(i)), make([]byte, maxFile/4))
	}
	closed(t, v)
	if info, err := os.Stat(v.file); err != nil || info.Size() > maxFile {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	for i := range maxFiles + 5 {
		name := filepath.Join(dir, fmt.Sprint(i)+extension)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Duration(i+1) * time.Minute)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	v = open(t, dir)
	v.Put(NewKey("one more"), nil)
	closed(t, v)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != maxFiles {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "0"+extension)); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
}
