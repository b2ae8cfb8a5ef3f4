package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

const aliceName = "alice@acme.example"

func certEntry(name, authority string) string {
	return fmt.Sprintf("{certificate: %q, authority: %s}", name, authority)
}

// certified is the design with one authority, corp, that certifies alice and carol.
func certified(authority string) policy {
	p := design().
		with("alice", person("global-admin", certEntry(aliceName, "corp"))).
		with("carol", person("global-admin", certEntry("carol@acme.example", "corp"), sshEntry("carol")))
	p.tail = "sshAuthorities: {corp: " + authority + "}\n"
	return p
}

func corpLine() string { return fmt.Sprintf("%q", publicLine(sshKey("corp"))) }

func certRing(t *testing.T, p policy) keyring {
	t.Helper()
	got, findings := parse(t, p.String())
	if got == nil {
		t.Fatal(findings)
	}
	return got.keys
}

// issue makes a certificate such as ssh-keygen -s does, changed before it is signed.
func issue(t testing.TB, ca ssh.Signer, key ssh.PublicKey, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	cert := &ssh.Certificate{Key: key, Serial: 7, CertType: ssh.UserCert, KeyId: "alice", ValidPrincipals: []string{aliceName},
		ValidAfter: uint64(now.Add(-time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": ""}}}
	change(cert)
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return cert
}

// signWith signs the payload with a key, and shows the certificate in place of the public key.
func signWith(t *testing.T, key ssh.Signer, cert []byte, algorithm string) []byte {
	t.Helper()
	s := sign(t, key, "git", "sha512", algorithm)
	s.public = cert
	return s.armor()
}

func TestCertificates(t *testing.T) {
	rsaKey := signerOf(t, must(rsa.GenerateKey(rand.Reader, 2048)))
	p256 := signerOf(t, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
	for caName, ca := range map[string]ssh.Signer{"ed25519": sshKey("corp"), "rsa": rsaKey, "ecdsa": p256} {
		ring := certRing(t, certified(fmt.Sprintf("%q", publicLine(ca))))
		for name, key := range map[string]ssh.Signer{"ed25519": sshKey("laptop"), "ecdsa": signerOf(t, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))), "rsa": signerOf(t, must(rsa.GenerateKey(rand.Reader, 2048)))} {
			algorithm := map[string]string{"rsa": ssh.KeyAlgoRSASHA512}[name]
			cert := issue(t, ca, key.PublicKey(), func(*ssh.Certificate) {})
			if k, bad := ring.verify(signWith(t, key, cert.Marshal(), algorithm), payload, now); bad != nil || k.Owner.Name != "alice" || k.Fingerprint != "corp:"+aliceName {
				t.Errorf("%s by %s: %+v", name, caName, bad)
			}
			if _, bad := ring.verify(must(certSigner(t, commitNamespace, key, cert)(payload)), payload, now); bad != nil {
				t.Errorf("%s by %s, by our own signer: %+v", name, caName, bad)
			}
			if _, bad := ring.verify(signWith(t, key, cert.Marshal(), algorithm), append([]byte("x"), payload...), now); bad == nil || bad.rule != "trust/bad-signature" {
				t.Errorf("%s by %s, payload altered: %v", name, caName, bad)
			}
		}
	}
}

// What a certificate must not be. Each is as OpenSSH or a hostile authority's client could make it.
func TestCertificatesRefused(t *testing.T) {
	corp, laptop := sshKey("corp"), sshKey("laptop")
	rsaCA := signerOf(t, must(rsa.GenerateKey(rand.Reader, 2048)))
	p := certified(corpLine())
	p.tail = fmt.Sprintf("sshAuthorities: {corp: {ssh: %s, revoked: [13, %q]}, old: %q}\n", corpLine(), ssh.FingerprintSHA256(sshKey("stolen").PublicKey()), publicLine(rsaCA))
	p = p.with("olga", person(`"operator:acme-corp"`, certEntry("olga", "old"), `{certificate: "late", authority: corp, notAfter: 2026-05-01T00:00:00Z}`))
	ring := certRing(t, p)
	small := signerOf(t, must(rsa.GenerateKey(rand.Reader, 1024)))
	none := func(*ssh.Certificate) {}
	by := func(key ssh.Signer, change func(*ssh.Certificate)) []byte {
		return signWith(t, key, issue(t, corp, key.PublicKey(), change).Marshal(), "")
	}
	good := issue(t, corp, laptop.PublicKey(), none)
	changed := func(change func(c *ssh.Certificate)) []byte { // after the authority signed it
		c := *good
		change(&c)
		return signWith(t, laptop, c.Marshal(), "")
	}
	for name, c := range map[string]struct {
		armored []byte
		rule    string
	}{
		"of nobody's authority": {signWith(t, laptop, issue(t, sshKey("mallory"), laptop.PublicKey(), none).Marshal(), ""), "trust/unknown-key"},
		"of himself":            {signWith(t, laptop, issue(t, laptop, laptop.PublicKey(), none).Marshal(), ""), "trust/unknown-key"},
		"of an authority by name": {changed(func(c *ssh.Certificate) {
			*c = *issue(t, sshKey("mallory"), laptop.PublicKey(), none)
			c.SignatureKey = corp.PublicKey()
		}), "trust/bad-signature"},
		"of the other authority":      {signWith(t, laptop, issue(t, signerWith(t, rsaCA, ssh.KeyAlgoRSASHA512), laptop.PublicKey(), none).Marshal(), ""), "trust/unknown-key"},
		"authority with SHA-1":        {signWith(t, laptop, issue(t, signerWith(t, rsaCA, ssh.KeyAlgoRSA), laptop.PublicKey(), func(c *ssh.Certificate) { c.ValidPrincipals = []string{"olga"} }).Marshal(), ""), "trust/weak-signature"},
		"the authority's own key":     {sign(t, corp, "git", "sha512", "").armor(), "trust/unknown-key"},
		"for the authority's own key": {by(corp, none), "trust/duplicate-key"},
		"a host's":                    {by(laptop, func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), "trust/certificate"},
		"of type 3":                   {by(laptop, func(c *ssh.Certificate) { c.CertType = 3 }), "trust/certificate"},
		"reserved filled":             {by(laptop, func(c *ssh.Certificate) { c.Reserved = []byte("x") }), "trust/certificate"},
		"for anybody":                 {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = nil }), "trust/unknown-key"},
		"for nobody we know":          {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"mallory@acme.example"} }), "trust/unknown-key"},
		"for the principal's name":    {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"alice"} }), "trust/unknown-key"},
		"name in capitals":            {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"Alice@acme.example"} }), "trust/unknown-key"},
		"names in one":                {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{aliceName + ",x"} }), "trust/unknown-key"},
		"a wildcard":                  {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"*", "*@acme.example", ""} }), "trust/unknown-key"},
		"key id is no name":           {by(laptop, func(c *ssh.Certificate) { c.KeyId, c.ValidPrincipals = aliceName, []string{"x"} }), "trust/unknown-key"},
		"for two persons":             {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{aliceName, "carol@acme.example"} }), "trust/certificate"},
		"ended":                       {by(laptop, func(c *ssh.Certificate) { c.ValidBefore = uint64(now.Unix()) }), "trust/expired-key"},
		"ended at once":               {by(laptop, func(c *ssh.Certificate) { c.ValidBefore = 0 }), "trust/expired-key"},
		"begins after clock skew":     {by(laptop, func(c *ssh.Certificate) { c.ValidAfter = uint64(now.Add(clockSkew + time.Second).Unix()) }), "trust/expired-key"},
		"begins at the end of time":   {by(laptop, func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 1<<64-1, ssh.CertTimeInfinity }), "trust/expired-key"},
		"the entry has ended":         {by(laptop, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"late"} }), "trust/expired-key"},
		"serial revoked":              {by(laptop, func(c *ssh.Certificate) { c.Serial = 13 }), "trust/revoked-key"},
		"key revoked":                 {by(sshKey("stolen"), none), "trust/revoked-key"},
		"force-command":               {by(laptop, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "git"} }), "trust/certificate"},
		"source-address":              {by(laptop, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"source-address": "::/0"} }), "trust/certificate"},
		"unknown critical option":     {by(laptop, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"x@acme.example": ""} }), "trust/certificate"},
		"verify-required, no sk key":  {by(laptop, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{verifyRequired: ""} }), "trust/bad-signature"},
		"no-touch-required":           {by(laptop, func(c *ssh.Certificate) { c.Extensions[noTouchRequired] = "" }), "trust/certificate"},
		"bob's key for alice":         {by(sshKey("bob"), none), "trust/duplicate-key"},
		"RSA of 1024 bits":            {signWith(t, small, issue(t, corp, small.PublicKey(), none).Marshal(), ssh.KeyAlgoRSASHA256), "trust/weak-key"},
		"another's signature":         {signWith(t, sshKey("mallory"), good.Marshal(), ""), "trust/bad-signature"},
		"serial changed after":        {changed(func(c *ssh.Certificate) { c.Serial++ }), "trust/bad-signature"},
		"name changed after":          {changed(func(c *ssh.Certificate) { c.ValidPrincipals = []string{"carol@acme.example"} }), "trust/bad-signature"},
		"end changed after":           {changed(func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }), "trust/bad-signature"},
		"key changed after":           {changed(func(c *ssh.Certificate) { c.Key = sshKey("mallory").PublicKey() }), "trust/bad-signature"},
		"type changed after":          {changed(func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), "trust/bad-signature"},
		"bytes follow it":             {signWith(t, laptop, append(good.Marshal(), 0), ""), "trust/unknown-key"},
		"cut off":                     {signWith(t, laptop, good.Marshal()[:200], ""), "trust/unknown-key"},
		"its key without it":          {sign(t, laptop, "git", "sha512", "").armor(), "trust/unknown-key"},
		"made for approvals": {func() []byte {
			s := sign(t, laptop, "lcm-approval", "sha512", "")
			s.public = good.Marshal()
			return s.armor()
		}(), "trust/wrong-namespace"},
	} {
		if k, bad := ring.verify(c.armored, payload, now); bad == nil || bad.rule != c.rule || k != nil {
			t.Errorf("%s: want %s, got %+v", name, c.rule, bad)
		}
	}
	for name, change := range map[string]func(*ssh.Certificate){
		"begins within clock skew": func(c *ssh.Certificate) { c.ValidAfter = uint64(now.Add(clockSkew).Unix()) },
		"without end":              func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity },
		"last second":              func(c *ssh.Certificate) { c.ValidBefore = uint64(now.Unix()) + 1 },
		"another name besides":     func(c *ssh.Certificate) { c.ValidPrincipals = []string{"root", aliceName} },
		"unknown extension":        func(c *ssh.Certificate) { c.Extensions["x@acme.example"] = "y" },
	} {
		if k, bad := ring.verify(by(laptop, change), payload, now); bad != nil || k.Owner.Name != "alice" {
			t.Errorf("%s: %+v", name, bad)
		}
	}
	if k, bad := ring.verify(by(sshKey("carol"), func(c *ssh.Certificate) { c.ValidPrincipals = []string{"carol@acme.example"} }), payload, now); bad != nil || k.Owner.Name != "carol" {
		t.Errorf("carol's own key in her certificate: %+v", bad)
	}
}

// signerWith makes an authority that signs with one algorithm only.
func signerWith(t *testing.T, s ssh.Signer, algorithm string) ssh.Signer {
	t.Helper()
	return must(ssh.NewSignerWithAlgorithms(s.(ssh.AlgorithmSigner), []string{algorithm}))
}

// An authority that is nested in a certificate is no authority: no chains.
func TestCertificateOfACertificate(t *testing.T) {
	corp, sub, laptop := sshKey("corp"), sshKey("sub"), sshKey("laptop")
	ring := certRing(t, certified(corpLine()))
	middle := issue(t, corp, sub.PublicKey(), func(*ssh.Certificate) {})
	leaf := issue(t, sub, laptop.PublicKey(), func(*ssh.Certificate) {})
	leaf.SignatureKey = middle
	if k, bad := ring.verify(signWith(t, laptop, leaf.Marshal(), ""), payload, now); k != nil || bad == nil || bad.rule != "trust/unknown-key" {
		t.Errorf("%+v", bad)
	}
}

func TestAuthoritiesInThePolicy(t *testing.T) {
	entry, name := certEntry(aliceName, "corp"), fmt.Sprintf("%q", aliceName)
	for label, c := range map[string]struct{ old, new, rule string }{
		"unknown authority":          {"authority: corp}]}\n  bob", "authority: other}]}\n  bob", "trust/key"},
		"no authority":               {entry, "{certificate: " + name + "}", "trust/key"},
		"no name":                    {entry, "{authority: corp}", "trust/key"},
		"empty name":                 {entry, `{certificate: "", authority: corp}`, "trust/key"},
		"name with a comma":          {entry, `{certificate: "a,b", authority: corp}`, "trust/key"},
		"name of look-alikes":        {entry, `{certificate: "аlice@acme.example", authority: corp}`, "trust/key"},
		"a key as well":              {entry, "{certificate: " + name + ", authority: corp, ssh: " + corpLine() + "}", "trust/key"},
		"two principals":             {"carol@acme.example", aliceName, "trust/duplicate-key"},
		"an authority's key is mine": {corpLine(), fmt.Sprintf("%q", publicLine(sshKey("bob"))), "trust/duplicate-key"},
		"one key, two authorities":   {"{corp: ", "{two: " + corpLine() + ", corp: ", "trust/duplicate-key"},
		"bad name of an authority":   {"{corp: ", "{Two: " + corpLine() + ", corp: ", "trust/authority"},
		"no authorities":             {"{corp: " + corpLine() + "}", "[]", "trust/authority"},
		"no key":                     {corpLine(), "1", "trust/format"},
		"empty key":                  {corpLine(), `""`, "trust/key"},
		"a certificate as authority": {corpLine(), fmt.Sprintf("%q", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(issue(t, sshKey("root"), sshKey("corp").PublicKey(), func(*ssh.Certificate) {}))))), "trust/key"},
		"cert-authority option":      {corpLine(), fmt.Sprintf("%q", "cert-authority "+publicLine(sshKey("corp"))), "trust/key"},
		"weak authority":             {corpLine(), fmt.Sprintf("%q", publicLine(signerOf(t, must(rsa.GenerateKey(rand.Reader, 1024))))), "trust/weak-key"},
		"unknown field":              {corpLine(), "{ssh: " + corpLine() + ", tenants: [acme-corp]}", "trust/unknown-field"},
		"revokes nothing known":      {corpLine(), "{ssh: " + corpLine() + ", revoked: [alice]}", "trust/authority"},
		"revokes MD5":                {corpLine(), "{ssh: " + corpLine() + `, revoked: ["MD5:aa:bb"]}`, "trust/authority"},
		"revokes the number 0":       {corpLine(), "{ssh: " + corpLine() + ", revoked: [0]}", "trust/authority"},
		"revoked is no list":         {corpLine(), "{ssh: " + corpLine() + ", revoked: 7}", "trust/format"},
		"authorities alone":          {"keys: [" + entry + "]", "keys: [" + certEntry(aliceName, "corp") + ", " + certEntry(aliceName, "corp") + "]", "trust/duplicate-key"},
	} {
		text := strings.Replace(certified(corpLine()).String(), c.old, c.new, 1)
		if text == certified(corpLine()).String() {
			t.Fatalf("%s: nothing replaced", label)
		}
		if got, findings := parse(t, text); got != nil || len(findings) != 1 || findings[0].Rule != c.rule || findings[0].Line == 0 {
			t.Errorf("%s: want exactly one %s, got %v", label, c.rule, findings)
		}
	}
	p, findings := parse(t, strings.Replace(certified(corpLine()).String(), corpLine(), "{ssh: "+corpLine()+`, revoked: ["18446744073709551615"]}`, 1))
	if p == nil || len(p.Authorities()) != 1 || p.Authorities()[0].Name != "corp" || !p.Authorities()[0].revokes(&ssh.Certificate{Key: sshKey("x").PublicKey(), Serial: 1<<64 - 1}) {
		t.Error(findings)
	}
}

// A tenant's file can neither name authorities nor claim what one certifies.
func TestTenantsHaveNoCertificates(t *testing.T) {
	head := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\n"
	for name, c := range map[string]struct{ text, rule string }{
		"claims a name":      {"principals:\n  erin: {" + person(`"operator:acme-corp"`, certEntry("erin@acme.example", "corp")) + "}\n", "trust/key"},
		"names an authority": {"sshAuthorities: {own: " + corpLine() + "}\n", "trust/unknown-field"},
		"takes its key":      {"principals:\n  erin: {" + person(`"operator:acme-corp"`, "{ssh: "+corpLine()+"}") + "}\n", "trust/duplicate-key"},
	} {
		p, findings := LoadPolicy(fstest.MapFS{
			policyFile:                     {Data: []byte(certified(corpLine()).String()), Mode: 0o644},
			tenantsDir + "/acme-corp.yaml": {Data: []byte(head + c.text), Mode: 0o644},
		})
		if p != nil || len(findings) != 1 || findings[0].Rule != c.rule {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

// certSigner signs as git does with a certificate for user.signingKey.
func certSigner(t *testing.T, namespace string, key ssh.Signer, cert *ssh.Certificate) gitrepo.Signer {
	t.Helper()
	return gitrepo.SSHSignerFor(namespace, must(ssh.NewCertSigner(cert, key)))
}

// Commits, merges and approvals by certificate count like any others.
func TestStepsByCertificate(t *testing.T) {
	w := newWorld(t)
	laptop := sshKey("laptop")
	root := w.introduce(certified(corpLine()), nil)
	cert := issue(t, sshKey("corp"), laptop.PublicKey(), func(c *ssh.Certificate) {})
	alice := certSigner(t, commitNamespace, laptop, cert)
	side := w.commit("bob", files{prod: config("1")}, root)
	merge := w.commitBy(alice, files{prod: config("1")}, root, side)
	if s := w.accepts(root, merge).Steps()[0]; s.Signer != "alice" || strings.Join(s.Approvers, " ") != "alice bob" {
		t.Errorf("%+v", s)
	}
	w.refuses(root, w.commitBy(alice, files{prod: config("1")}, root), "trust/approvals")

	approved := w.commit("bob", files{prod: config("2")}, merge)
	document := must(Approval{Repository: "acme-config", Branch: "main", Base: merge, Head: approved}.Sign(certSigner(t, ApprovalNamespace, laptop, cert)))
	if _, err := w.repo.SetApproval(approved, "alice", document); err != nil {
		t.Fatal(err)
	}
	if s := w.accepts(merge, approved).Steps()[0]; strings.Join(s.SignedApprovers, " ") != "alice" {
		t.Errorf("%+v", s)
	}
	if who := must(parsed(certified(corpLine()))).SSHKeyOwner(issue(t, sshKey("corp"), laptop.PublicKey(), func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }).Marshal()); who == nil || who.Name != "alice" {
		t.Errorf("owner of the certificate: %v", who)
	}

	w.seen[merge] = now.Add(time.Hour) // the certificate's end
	w.refuses(root, merge, "trust/expired-key")
}

func parsed(p policy) (*Policy, error) {
	got, findings := ParsePolicy(policyFile, []byte(p.String()))
	if got == nil {
		return nil, fmt.Errorf("%v", findings)
	}
	return got, nil
}

// A person whose only way to sign is a certificate counts as one who could: the policy locks nobody out.
func TestCertificatesAreWaysToSign(t *testing.T) {
	p := certified(corpLine())
	p = p.with("carol", person("global-admin", certEntry("carol@acme.example", "corp")))
	got := must(parsed(p))
	if findings := got.locked(now); len(findings) > 0 {
		t.Error(findings)
	}
	p = p.with("carol", person("global-admin", `{certificate: c, authority: corp, notAfter: 2026-05-01T00:00:00Z}`))
	if findings := must(parsed(p)).locked(now); len(findings) == 0 {
		t.Error("a certificate that counts no more was counted")
	}
}

// What ssh-keygen issues and git signs with is believed; what ssh-keygen issues for a host is not.
func TestRealCertificates(t *testing.T) {
	dir, run := realTools(t, "git", "ssh-keygen")
	run("git", "init", "-q", "-b", "main", "r")
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ca")
	authority := fmt.Sprintf("%q", strings.TrimSpace(run("cat", "ca.pub")))
	ring := certRing(t, certified(authority))
	repo := must(gitrepo.Open(filepath.Join(dir, "r"), gitrepo.Limits{}))
	defer repo.Close()
	for name, c := range map[string]struct {
		kind, rule string
		issue      []string
	}{
		"ed25519":      {kind: "ed25519", issue: []string{"-n", "ops," + aliceName, "-V", "+1h", "-z", "5"}},
		"ecdsa":        {kind: "ecdsa", issue: []string{"-n", aliceName}},
		"rsa":          {kind: "rsa", issue: []string{"-n", aliceName, "-V", "-1w:+1w"}},
		"host":         {kind: "ed25519", rule: "trust/certificate", issue: []string{"-h", "-n", aliceName}},
		"nobody's":     {kind: "ed25519", rule: "trust/unknown-key"},
		"ended":        {kind: "ed25519", rule: "trust/expired-key", issue: []string{"-n", aliceName, "-V", "20200101:20200102"}},
		"source":       {kind: "ed25519", rule: "trust/certificate", issue: []string{"-n", aliceName, "-O", "source-address=10.0.0.0/8"}},
		"no-touch":     {kind: "ed25519", rule: "trust/certificate", issue: []string{"-n", aliceName, "-O", "no-touch-required"}},
		"must be seen": {kind: "ed25519", rule: "trust/bad-signature", issue: []string{"-n", aliceName, "-O", "verify-required"}},
	} {
		key := strings.ReplaceAll(name, " ", "-")
		run("ssh-keygen", "-q", "-t", c.kind, "-N", "", "-f", key)
		run("ssh-keygen", append(append([]string{"-q", "-s", "ca", "-I", name}, c.issue...), key+".pub")...)
		run("git", "-C", "r", "-c", "gpg.format=ssh", "-c", "user.signingkey="+filepath.Join(dir, key+"-cert.pub"), "commit", "-q", "--allow-empty", "-S", "-m", name)
		commit := must(repo.Commit(must(repo.Head("main"))))
		k, bad := ring.verify(commit.Signature, commit.Payload, time.Now())
		switch {
		case c.rule == "" && (bad != nil || k.Owner.Name != "alice"):
			t.Errorf("%s: %+v", name, bad)
		case c.rule != "" && (bad == nil || bad.rule != c.rule):
			t.Errorf("%s: want %s, got %+v", name, c.rule, bad)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "rsa-cert.pub")); err != nil {
		t.Error(err)
	}
}

// A certified security key: with touch; and where the certificate says so, with the user verified.
func TestCertifiedSecurityKey(t *testing.T) {
	ring := certRing(t, certified(corpLine()))
	key := must2(ed25519.GenerateKey(rand.Reader))
	public := skPublic(key, "ssh:")
	plain := issue(t, sshKey("corp"), public, func(*ssh.Certificate) {})
	strict := issue(t, sshKey("corp"), public, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{verifyRequired: ""} })
	for name, c := range map[string]struct {
		cert  *ssh.Certificate
		flags byte
		ok    bool
	}{
		"touched": {plain, 1, true}, "not touched": {plain, 0, false}, "verified, not touched": {plain, 4, false},
		"verified and touched": {strict, 5, true}, "touched only": {strict, 1, false}, "verified only": {strict, 4, false},
	} {
		armored := skSign(skKey{ssh.KeyAlgoSKED25519, edBlob(key)}, c.cert.Marshal(), "ssh:", c.flags, 7)
		if _, bad := ring.verify(armored, payload, now); (bad == nil) != c.ok || bad != nil && bad.rule != "trust/bad-signature" {
			t.Errorf("%s: %+v", name, bad)
		}
	}
}
