package gitrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/hiddeco/sshsig"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"golang.org/x/crypto/ssh"
)

// Signer signs the payload of a commit and returns the armored signature.
type Signer func(payload []byte) (armored []byte, err error)

// SSHSigner signs as `git commit -S` does with an SSH key: SSHSIG, namespace "git", SHA-512, armored.
func SSHSigner(key ssh.Signer) Signer { return SSHSignerFor("git", key) }

// SSHSignerFor signs for another purpose than commits, which the namespace names. A certificate's signer
// shows the certificate, as git does.
func SSHSignerFor(namespace string, key ssh.Signer) Signer {
	if as, ok := key.(ssh.AlgorithmSigner); ok && key.PublicKey().Type() == ssh.CertAlgoRSAv01 {
		key = sha2Signer{as} // sshsig sees to it for bare keys only
	}
	return func(payload []byte) ([]byte, error) {
		sig, err := sshsig.Sign(bytes.NewReader(payload), key, sshsig.HashSHA512, namespace)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		return sshsig.Armor(sig), nil
	}
}

// sha2Signer signs with RSA as is accepted today, where Sign alone would take SHA-1.
type sha2Signer struct{ ssh.AlgorithmSigner }

func (s sha2Signer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, ssh.KeyAlgoRSASHA512)
}

// Edit is a commit to be written.
type Edit struct {
	Parents []lcm.Revision    // none: a root commit; two: a merge
	Files   map[string][]byte // by path, on top of the tree of Parents[0]; nil deletes
	Blobs   map[string]Blob   // files that the repository has already, as they are; the zero Blob deletes
	Message string
	Author  Ident  // also the committer; a zero When is now
	Sign    Signer // nil: unsigned
}

// Write writes the blobs, trees and commit of an edit, and returns the commit. No branch is moved.
// Files are written with mode 100644. Deleting a file that is not there, or putting one where a folder
// is, is an error; folders left empty vanish.
func (r *Repo) Write(e Edit) (lcm.Revision, error) {
	root := &folder{}
	for i, parent := range e.Parents {
		c, err := r.Commit(parent)
		if err != nil {
			return "", err
		}
		if i == 0 {
			if root.id, err = parseID(c.Tree); err != nil {
				return "", err
			}
		}
	}
	blobs, err := r.writeBlobs(e)
	if err != nil {
		return "", err
	}
	for _, path := range inOrder(blobs) {
		if err := r.put(root, path, blobs[path]); err != nil {
			return "", fmt.Errorf("writing %s: %w", path, err)
		}
	}
	tree, _, err := r.writeFolder(root)
	if err != nil {
		return "", err
	}
	raw, err := e.encode(tree)
	if err != nil {
		return "", err
	}
	id, err := r.objects.write(plumbing.CommitObject, raw)
	if err != nil {
		return "", err
	}
	// What we write must be what we accept.
	if _, err := parseCommit(id.String(), raw); err != nil {
		return "", err
	}
	return revision(id), nil
}

// writeBlobs writes the files of an edit, and returns them with the blobs that are there already.
func (r *Repo) writeBlobs(e Edit) (map[string]Blob, error) {
	blobs := make(map[string]Blob, len(e.Files)+len(e.Blobs))
	maps.Copy(blobs, e.Blobs)
	for path, data := range e.Files {
		if data == nil {
			blobs[path] = Blob{}
			continue
		}
		if int64(len(data)) > r.limits.MaxBlobBytes {
			return nil, fmt.Errorf("writing %s: %w", path, &LimitError{What: "the file", Limit: r.limits.MaxBlobBytes, Unit: "bytes"})
		}
		id, err := r.objects.write(plumbing.BlobObject, data)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", path, err)
		}
		blobs[path] = Blob{ID: id.String(), Mode: ModeFile}
	}
	return blobs, nil
}

// inOrder puts what is deleted first, so that a folder can take the place of a file.
func inOrder(blobs map[string]Blob) []string {
	return slices.SortedFunc(maps.Keys(blobs), func(a, b string) int {
		deletes := func(path string) int {
			if blobs[path] == (Blob{}) {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(deletes(a), deletes(b)), cmp.Compare(a, b))
	})
}

// folder is a tree being edited. It is read from id when something below it changes.
type folder struct {
	id      plumbing.Hash // zero: empty
	entries map[string]treeEntry
	below   map[string]*folder
}

// open reads the entries of a folder.
func (r *Repo) openFolder(f *folder) error {
	if f.entries != nil {
		return nil
	}
	f.entries, f.below = map[string]treeEntry{}, map[string]*folder{}
	if f.id.IsZero() {
		return nil
	}
	t, err := r.tree(f.id)
	if err != nil {
		return err
	}
	for e := range t.all() {
		f.entries[e.name] = e
	}
	return nil
}

// put sets or deletes one file.
func (r *Repo) put(f *folder, path string, blob Blob) error {
	if !fs.ValidPath(path) || path == "." {
		return errors.New("this is not a path in the repository")
	}
	names := strings.Split(path, "/")
	if len(names) > r.limits.MaxDepth {
		return r.tooDeep()
	}
	for i, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
		if err := r.openFolder(f); err != nil {
			return err
		}
		if i == len(names)-1 {
			return f.putFile(name, blob)
		}
		next, err := f.enter(name)
		if err != nil {
			return err
		}
		f = next
	}
	return nil
}

// enter goes into the folder of the name, making it if absent.
func (f *folder) enter(name string) (*folder, error) {
	if next, ok := f.below[name]; ok {
		return next, nil
	}
	e, ok := f.entries[name]
	if ok && !e.folder() {
		return nil, fmt.Errorf("%s is not a folder", name)
	}
	next := &folder{id: e.id}
	f.below[name] = next
	f.entries[name] = treeEntry{name: name, mode: ModeFolder, id: e.id}
	return next, nil
}

func (f *folder) putFile(name string, blob Blob) error {
	e, ok := f.entries[name]
	if ok && e.folder() {
		return errors.New("there is a folder of this name")
	}
	if blob == (Blob{}) {
		if !ok {
			return fs.ErrNotExist
		}
		delete(f.entries, name)
		return nil
	}
	id, err := parseID(blob.ID)
	f.entries[name] = treeEntry{name: name, mode: blob.Mode, id: id}
	return err
}

// writeFolder writes a folder and those below it that changed; false if nothing is left in it.
func (r *Repo) writeFolder(f *folder) (id plumbing.Hash, some bool, err error) {
	if f.entries == nil && !f.id.IsZero() {
		return f.id, true, nil // untouched
	}
	for name, next := range f.below {
		id, some, err := r.writeFolder(next)
		if err != nil {
			return id, false, err
		}
		if some {
			f.entries[name] = treeEntry{name: name, mode: ModeFolder, id: id}
		} else {
			delete(f.entries, name)
		}
	}
	entries := slices.SortedFunc(maps.Values(f.entries), compareEntries)
	var raw []byte
	for _, e := range entries {
		raw = strconv.AppendUint(raw, uint64(e.mode), 8)
		raw = append(raw, ' ')
		raw = append(raw, e.name...)
		raw = append(raw, 0)
		raw = append(raw, e.id[:]...)
	}
	if _, err := parseTree(raw, r.limits.folderEntries()); err != nil {
		return id, false, err
	}
	id, err = r.objects.write(plumbing.TreeObject, raw)
	return id, len(entries) > 0, err
}

// encode writes the commit object, signed if asked for, as Git would.
func (e *Edit) encode(tree plumbing.Hash) ([]byte, error) {
	who, err := e.Author.encode()
	if err != nil {
		return nil, err
	}
	if strings.Contains(e.Message, "\x00") {
		return nil, errors.New("the message of the commit holds a NUL byte")
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "tree %s\n", tree)
	for _, p := range e.Parents {
		fmt.Fprintf(&head, "parent %s\n", p)
	}
	fmt.Fprintf(&head, "author %s\ncommitter %s\n", who, who)
	body := "\n" + strings.TrimRight(e.Message, "\n") + "\n"
	if e.Sign == nil {
		return append(head.Bytes(), body...), nil
	}
	armored, err := e.Sign([]byte(head.String() + body))
	if err != nil {
		return nil, err
	}
	sig := strings.TrimSuffix(string(armored), "\n")
	if sig == "" {
		return nil, errors.New("the signer gave no signature")
	}
	fmt.Fprintf(&head, "gpgsig %s\n", strings.ReplaceAll(sig, "\n", "\n "))
	return append(head.Bytes(), body...), nil
}

// encode writes who and when as in a commit.
func (i Ident) encode() (string, error) {
	name, email := strings.TrimSpace(i.Name), strings.TrimSpace(i.Email)
	if strings.ContainsAny(name+email, "<>") || !plain(name+email) {
		return "", fmt.Errorf("the author %q <%q> holds characters that Git does not allow", name, email)
	}
	when := i.When
	if when.IsZero() {
		when = time.Now()
	}
	return fmt.Sprintf("%s <%s> %d %s", name, email, when.Unix(), when.Format("-0700")), nil
}
