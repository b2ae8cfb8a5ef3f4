package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

// newWorkTree makes a work tree of one unsigned commit. Git itself takes the files in, in one pack, which is much
// faster for many of them.
func (b *bench) newWorkTree(ctx context.Context, dir string, documents int) (*world, error) {
	git, err := find(b.tools, "git")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, services: services(max(1, documents/perService))}
	if w.signer, err = ssh.NewSignerFromKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", ed25519.SeedSize)))); err != nil {
		return nil, err
	}
	if _, w.recipient, err = sopsfile.NewIdentity(); err != nil {
		return nil, err
	}
	files, err := w.files()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.path("work"), 0o755); err != nil {
		return nil, err
	}
	if _, err := run(ctx, w.path("work"), git, "init", "-q", "-b", "main"); err != nil {
		return nil, err
	}
	importer := exec.CommandContext(ctx, git, "-C", w.path("work"), "fast-import", "--quiet")
	importer.Stderr = os.Stderr
	in, err := importer.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := importer.Start(); err != nil {
		return nil, err
	}
	if err := feed(in, files); err != nil {
		return nil, err
	}
	if err := importer.Wait(); err != nil {
		return nil, err
	}
	_, err = run(ctx, w.path("work"), git, "reset", "-q", "--hard")
	return w, err
}

// feed writes what git fast-import reads.
func feed(to io.WriteCloser, files map[string]string) error {
	out := bufio.NewWriter(to)
	fmt.Fprint(out, "commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 3\nall\n")
	for _, file := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(out, "M 100644 inline %s\ndata %d\n%s\n", file, len(files[file]), files[file])
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return to.Close()
}
