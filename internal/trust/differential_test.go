package trust

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// disagreement is why the two judge some classes of commits differently.
type disagreement struct {
	why     string
	mark    string // stricter: the rule by which we refuse; unread: what git's tools say instead of a judgement
	classes []string
}

// stricter is all that git believes and we refuse, on purpose.
var stricter = []disagreement{
	{"There is one way to write a commit, or something hides between what we judge and what Git shows.", "trust/malformed-commit", []string{
		"header: an unknown header", "header: an unknown header with lines", "header: a stray line",
		"header: two authors", "header: two committers", "header: a second tree", "header: no author", "header: a parent after the author",
		"header: two encodings", "header: an encoding with spaces", "header: a merged tag before the encoding",
		"signature: a header after it (ssh)", "signature: a header after it (openpgp)",
		"signature: an encoding after it (ssh)", "signature: an encoding after it (openpgp)",
		"signature: a merged tag after it (ssh)", "signature: a merged tag after it (openpgp)",
		"signature: a second tree after it (ssh)", "signature: a second tree after it (openpgp)",
		"signature: the author after it (ssh)", "signature: the author after it (openpgp)",
		"signature: the committer after it (ssh)", "signature: the committer after it (openpgp)",
		"signature: a parent after it (ssh)", "signature: a parent after it (openpgp)",
		"signature: a name without value first (ssh)", "signature: a name without value first (openpgp)",
	}},
	{"One signature, not several of which the reader chooses.", "trust/malformed-commit", []string{
		"signature: twice (ssh)", // git itself refuses two of OpenPGP
		"signature: one of SHA-256 after it (ssh)", "signature: one of SHA-256 after it (openpgp)",
		"signature: one of SHA-256 before it (ssh)", "signature: one of SHA-256 before it (openpgp)",
	}},
	{"One signature, not several of which the reader chooses.", "trust/several-signatures", []string{"ssh armor: twice"}},
	{"Git's own dates and names only; what reports show must be what was signed.", "trust/malformed-commit", []string{
		"header: no email", "header: a negative date", "header: a padded date", "header: a date beyond time",
		"header: no time zone", "header: a time zone of nowhere", "header: an escape in a name", "header: a NUL in the message",
	}},
	{"Limits on everything that is read.", "trust/malformed-commit", []string{"header: 65 parents"}},
	{"The armor holds one signature, and nothing that a decoder skips.", "trust/malformed-signature", []string{
		"ssh armor: text after", "ssh armor: a space in it", "ssh reserved filled",
		"openpgp armor: text after", "openpgp armor: a space in it", "openpgp armor: no line at end", "openpgp armor: no end",
		"openpgp armor: another's begin", "signature: a space more at each line (openpgp)",
	}},
	{"RSA under 2048 bits and self-signatures of SHA-1 prove nothing: no policy can name such a key.", "trust/unknown-key", []string{
		"ssh rsa 1024", "openpgp rsa 1024", "gpg self-signature of sha1",
	}},
	{"SHA-1, SHA-224 and DSA prove too little.", "trust/weak-signature", []string{"gpg sha1", "gpg sha224", "gpg dsa"}},
	{"A security key has to be touched.", "trust/bad-signature", []string{"ssh ed25519-sk, not touched", "ssh ecdsa-sk, not touched"}},
	{"A short key id can be made by somebody else.", "trust/unknown-key", []string{"openpgp short id"}},
	{"A commit's date is its signer's claim: keys are judged as of when it was first seen.", "trust/expired-key", []string{
		"ssh key that has ended, backdated", "certificate that has ended, backdated", "openpgp from the day after",
	}},
	{"What an authority says of a certificate and we cannot heed.", "trust/certificate", []string{
		"certificate with a command", "certificate with what is new", "certificate of no touch", "certificate, reserved filled",
	}},
}

// unread is all that we believe and git has no judgement of.
var unread = []disagreement{
	{"GnuPG 2.2 does not know the keys of RFC 9580, section 5.5.", "NODATA", []string{"openpgp version 6"}},
	{"GnuPG 2.2 does not know Ed25519 of RFC 9580, section 5.5.5.9 (an algorithm: reason 4).", " 4 ", []string{"openpgp ed25519 of RFC 9580"}},
	{"GnuPG 2.2 calls the signature good, but fails for want of the checksum, which RFC 9580, section 6.1, makes optional.", "GOODSIG", []string{"openpgp armor: no checksum"}},
}

// byClass finds the mark of each class.
func byClass(all []disagreement) map[string]string {
	marks := map[string]string{}
	for _, d := range all {
		for _, class := range d.classes {
			marks[class] = d.mark
		}
	}
	return marks
}

// verdict is what one of the two says of one commit.
type verdict struct {
	key  string // the fingerprint of the key that signed, if it is believed
	rule string // ours only: why it is not
	says string // git's only: what its tools said
}

func (v verdict) believed() bool { return v.key != "" }

// TestAgreesWithGit judges one set of commits with `git verify-commit` and with our own code. Both believe the
// same commits, for the same keys, but for what stricter and unread list; what git refuses we never believe.
func TestAgreesWithGit(t *testing.T) {
	d := newDifferential(t)
	commits := d.commits()
	new(edKeys).share(&Policy{keys: d.ring}) // as a walk does
	git := d.gitVerdicts(commits)
	c := comparison{d, byClass(stricter), byClass(unread), map[string]*tally{}}
	opinions := 0
	for i, commit := range commits {
		c.compare(commit, d.ours(commit.id), git[i])
		if git[i].opinion() {
			opinions++
		}
	}
	c.report()
	t.Logf("%d commits, %d of them with git's opinion", len(commits), opinions)
	if opinions < 500 {
		t.Errorf("git has an opinion on %d commits only", opinions)
	}
}

type comparison struct {
	*differential
	stricter, unread map[string]string
	tallies          map[string]*tally // by class
}

type tally struct{ commits, git, ours int }

// compare demands agreement, or the disagreement that is listed for the class.
func (c *comparison) compare(commit judged, ours, theirs verdict) {
	c.t.Helper()
	c.count(commit.class, ours, theirs)
	rule, strict := c.stricter[commit.class]
	says, silent := c.unread[commit.class]
	ok := ours.key == theirs.key
	switch {
	case strict:
		ok = theirs.believed() && ours.rule == rule
	case silent:
		ok = ours.believed() && !theirs.believed() && strings.Contains(theirs.says, says)
	}
	if !ok {
		c.t.Errorf("%s (%s): git believes %q, we believe %q %s\n%s\n%q", commit.class, commit.id, theirs.key, ours.key, ours.rule, theirs.says, commit.raw)
	}
}

func (c *comparison) count(class string, ours, theirs verdict) {
	n := c.tallies[class]
	if n == nil {
		n = new(tally)
		c.tallies[class] = n
	}
	n.commits++
	if theirs.believed() {
		n.git++
	}
	if ours.believed() {
		n.ours++
	}
}

// report tells the counts, and finds classes that are listed and not met.
func (c *comparison) report() {
	for _, class := range slices.Sorted(maps.Keys(c.tallies)) {
		n := c.tallies[class]
		c.t.Logf("%-50s %3d commits, git believes %3d, we believe %3d", class, n.commits, n.git, n.ours)
	}
	for _, class := range slices.Concat(slices.Collect(maps.Keys(c.stricter)), slices.Collect(maps.Keys(c.unread))) {
		if c.tallies[class] == nil {
			c.t.Errorf("no commit is of the listed class %q", class)
		}
	}
}

// ours is the verdict of the code under test, as of the time by git's clock.
func (d *differential) ours(id lcm.Revision) verdict {
	c, err := d.w.repo.Commit(id)
	if err != nil && hostile(err) {
		return verdict{rule: "trust/malformed-commit"}
	}
	if err != nil {
		d.t.Fatal(err)
	}
	key, bad := d.ring.verify(c.Signature, c.Payload, time.Now())
	if bad != nil {
		return verdict{rule: bad.rule}
	}
	return verdict{key: key.Fingerprint}
}

// gitVerdicts asks git about each commit by itself, since for several it gives one answer only.
func (d *differential) gitVerdicts(commits []judged) []verdict {
	out := make([]verdict, len(commits))
	var next sync.Mutex
	var all sync.WaitGroup
	i := 0
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				next.Lock()
				n := i
				i++
				next.Unlock()
				if n >= len(commits) {
					return
				}
				out[n] = d.git(commits[n].id)
			}
		})
	}
	all.Wait()
	return out
}

var (
	sshSaid     = regexp.MustCompile(`(?m)^Good "git" signature for (\S+) with (\S+) key (\S+)$`)
	openpgpSaid = regexp.MustCompile(`(?m)^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$`)
)

// keySaid is the key that git names: its fingerprint or, as we have it, the name that corp certified.
func keySaid(says string) string {
	if m := sshSaid.FindStringSubmatch(says); m != nil {
		if strings.HasSuffix(m[2], "-CERT") {
			return "corp:" + m[1]
		}
		return m[3]
	}
	if m := openpgpSaid.FindStringSubmatch(says); m != nil {
		return m[1]
	}
	return "one that is not told"
}

// git is the verdict of git verify-commit, with ssh-keygen or gpg behind it.
func (d *differential) git(id lcm.Revision) verdict {
	cmd := exec.Command("git", "--git-dir="+d.w.dir, "-c", "gpg.ssh.allowedSignersFile="+d.allowed, "verify-commit", "--raw", string(id))
	cmd.Env = d.env
	said, err := cmd.CombinedOutput()
	v := verdict{says: strings.TrimSpace(string(said))}
	if err == nil {
		v.key = keySaid(v.says)
	}
	return v
}

// opinion reports whether git, having found a signature, said something of it.
func (v verdict) opinion() bool { return v.says != "" && !strings.HasPrefix(v.says, "error: ") }

// differential holds what the two judges know: keys of one person.
type differential struct {
	t       *testing.T
	w       *world
	ring    keyring
	alice   *Principal
	home    string // of gpg
	allowed string // ssh-keygen's allowed signers
	env     []string
	n       int
}

func newDifferential(t *testing.T) *differential {
	t.Helper()
	dir, _ := realTools(t, "git", "ssh-keygen", "gpg")
	ring := certRing(t, certified(corpLine()))
	d := &differential{t: t, w: newWorld(t), ring: ring, alice: ring.certificates[identity{"corp", aliceName}].Owner,
		home: filepath.Join(dir, "g"), allowed: filepath.Join(dir, "allowed")}
	if err := os.Mkdir(d.home, 0o700); err != nil {
		t.Fatal(err)
	}
	// Every key that gpg knows here is alice's.
	if err := os.WriteFile(filepath.Join(d.home, "gpg.conf"), []byte("trust-model always\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "GNUPGHOME="+d.home, "HOME="+dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C")
	t.Cleanup(func() { _, _ = d.try("", "gpgconf", "--kill", "gpg-agent") }) // the agent of this home only
	return d
}

// try runs a program with this test's homes.
func (d *differential) try(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = d.env, strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %v: %w: %s", name, args, err, stderr.String())
	}
	return string(out), err
}

func (d *differential) run(input, name string, args ...string) string {
	d.t.Helper()
	out, err := d.try(input, name, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}
