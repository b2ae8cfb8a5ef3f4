package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// longDocuments is the size of the repository with a long history; sample is how much of it git verifies,
// which takes it a process for every commit.
const (
	longDocuments = 2000
	sample        = 1000
)

// history measures the verification of a long history.
func (b *bench) history(ctx context.Context, dir string) error {
	git, err := find(b.tools, "git")
	if err != nil {
		fmt.Fprintln(os.Stderr, "the long history is left out, since there is no git to pack it")
		return nil
	}
	fmt.Fprintf(os.Stderr, "making a history of %d signed commits, which takes minutes ...\n", b.commits)
	if err := makeHistory(ctx, git, dir, b.commits); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "verifying it ...")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	got, err := run(ctx, dir, self, "-walk", ".")
	if err != nil {
		return err
	}
	var w walked
	if err := json.Unmarshal(got.out, &w); err != nil {
		return fmt.Errorf("%w: %s", err, got.out)
	}
	b.table.group(fmt.Sprintf("history of %d signed commits in %d steps, %d documents", w.Cold.Signatures, w.Cold.Steps, longDocuments), "trust")
	var theirs cost
	if !b.alone {
		if theirs, err = showSignatures(ctx, git, dir); err != nil {
			return err
		}
	}
	b.table.walked(w, got.peak, theirs)
	return nil
}

// makeHistory writes a history into origin.git, has git pack it, and fetches it into mirror.git.
func makeHistory(ctx context.Context, git, dir string, commits int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	made := filepath.Join(dir, "made.pack")
	h := &history{}
	var err error
	if h.pack, err = newPacker(made); err != nil {
		return err
	}
	if err := errors.Join(h.write(longDocuments, commits), h.pack.close()); err != nil {
		return err
	}
	r, err := json.Marshal(h.route())
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, routeFile), r, 0o600), os.WriteFile(filepath.Join(dir, "signers"), []byte(h.signers()), 0o600)); err != nil {
		return err
	}
	return h.publish(ctx, git, dir)
}

// publish takes the pack into a repository, packed as a forge would, and mirrors it.
func (h *history) publish(ctx context.Context, git, dir string) error {
	origin := filepath.Join(dir, "origin.git")
	repo, err := gitrepo.Init(origin)
	if err != nil {
		return err
	}
	defer repo.Close()
	indexed, err := run(ctx, dir, git, "index-pack", "made.pack")
	if err != nil {
		return err
	}
	name := filepath.Join(origin, "objects/pack/pack-"+strings.TrimSpace(string(indexed.out)))
	if err := errors.Join(os.Rename(filepath.Join(dir, "made.pack"), name+".pack"), os.Rename(filepath.Join(dir, "made.idx"), name+".idx")); err != nil {
		return err
	}
	if err := repo.SetBranch("main", h.head()); err != nil {
		return err
	}
	if _, err := run(ctx, dir, git, "-C", "origin.git", "repack", "-adfq", "--window=10", "--depth=50"); err != nil {
		return err
	}
	m, err := mirrorOf(dir)
	if err != nil {
		return err
	}
	_, err = m.Fetch(ctx)
	return errors.Join(err, m.Close())
}

// mirrorOf opens, or makes, the mirror of the history in a folder, as the daemon does.
func mirrorOf(dir string) (*gitrepo.Repo, error) {
	origin, err := filepath.Abs(filepath.Join(dir, "origin.git"))
	if err != nil {
		return nil, err
	}
	return gitrepo.OpenMirror(gitrepo.Config{URL: origin, Branch: "main", Dir: filepath.Join(dir, "mirror.git")})
}

// showSignatures has git verify the newest commits, and demands that it finds each signature good.
func showSignatures(ctx context.Context, git, dir string) (cost, error) {
	signers, err := filepath.Abs(filepath.Join(dir, "signers"))
	if err != nil {
		return cost{}, err
	}
	c, err := run(ctx, dir, git, "-c", "gpg.ssh.allowedSignersFile="+signers, "-C", "origin.git", "log", "--show-signature", "--format=%H", fmt.Sprint("-", sample), "main")
	if good := strings.Count(string(c.out), "Good \"git\" signature for "); err == nil && good != min(sample, strings.Count(string(c.out), "\n")/2) {
		return c, fmt.Errorf("git log --show-signature finds %d signatures good", good)
	}
	return c, err
}
