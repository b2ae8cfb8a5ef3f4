package trust

import (
	"bytes"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	peer "github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// fuzzRing holds keys of one person.
func fuzzRing(keys ...*Key) keyring {
	ring := newKeyring()
	for _, k := range keys {
		k.Owner = &Principal{Name: "alice"}
		if ring.add(k) != nil {
			panic("a key stands twice")
		}
	}
	return ring
}

// signsOnly demands that a signature of text verifies, and over no other bytes.
func signsOnly(t *testing.T, ring keyring, namespace string, armored, text []byte) {
	t.Helper()
	if _, bad := ring.verifyFor(namespace, armored, text, now); bad != nil {
		t.Errorf("what was signed does not verify: %s\n%s", bad.reason, armored)
	}
	if _, bad := ring.verifyFor(namespace, armored, append([]byte("x"), text...), now); bad == nil || bad.rule != "trust/bad-signature" {
		t.Errorf("other bytes verify: %v\n%s", bad, armored)
	}
}

// FuzzSSHSignature: what is believed, another implementation believes too; what is read can be written
// and read again; what is signed verifies, and over no other bytes. Data is taken as it is, and as the
// bytes in an armor, which gets a fuzzer past base64. Some is signed with a certificate.
func FuzzSSHSignature(f *testing.F) {
	carol, laptop := sshKey("carol"), sshKey("laptop")
	p, findings := ParsePolicy(policyFile, []byte(certified(corpLine()).String()))
	if p == nil {
		f.Fatal(findings)
	}
	ring := p.keys
	add := func(armored []byte) {
		block, _ := pem.Decode(armored)
		f.Add(armored, payload)
		f.Add(block.Bytes, payload)
	}
	for _, change := range []func(*ssh.Certificate){
		func(*ssh.Certificate) {},
		func(c *ssh.Certificate) { c.ValidPrincipals = []string{"root", "mallory@acme.example"} },
		func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{verifyRequired: ""} },
	} {
		cert := issue(f, sshKey("corp"), laptop.PublicKey(), change)
		sig := must(signOver(payload, laptop, commitNamespace, "sha512", ""))
		sig.public = cert.Marshal()
		add(sig.armor())
	}
	good := must(gitrepo.SSHSigner(carol)(payload))
	add(good)
	add(must(gitrepo.SSHSigner(sshKey("mallory"))(payload)))
	add(must(gitrepo.SSHSignerFor(ApprovalNamespace, carol)(payload)))
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), []byte{})
	f.Add([]byte(sshBegin+sshEnd), []byte("x"))
	f.Fuzz(func(t *testing.T, data, text []byte) {
		for _, armored := range [][]byte{data, pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: data})} {
			sshRoundTrip(t, armored)
			if key, bad := ring.verify(armored, text, now); bad == nil {
				peerBelieves(t, key, armored, text)
			}
		}
		signsOnly(t, ring, commitNamespace, must(gitrepo.SSHSigner(carol)(text)), text)
	})
}

func sshRoundTrip(t *testing.T, armored []byte) {
	t.Helper()
	sig, err := parseSSHSig(armored)
	if err != nil {
		return
	}
	again := sshSig{sig.publicKey, string(sig.namespace), "", string(sig.hash), 1, ssh.Marshal(sig.signature), nil}
	back, err := parseSSHSig(again.armor())
	if err != nil {
		t.Fatalf("what was read is written and cannot be read: %v\n%s", err, armored)
	}
	if d := cmp.Diff(sig, back, cmp.AllowUnexported(sshsig{})); d != "" {
		t.Errorf("%s\n%s", d, armored)
	}
}

// peerBelieves demands that another implementation verifies what was believed to be signed with a key, or by
// the bearer of a certificate.
func peerBelieves(t *testing.T, key *Key, armored, text []byte) {
	t.Helper()
	sig, err := peer.Unarmor(armored)
	if err == nil {
		err = peer.Verify(bytes.NewReader(text), sig, sig.PublicKey, sig.HashAlgorithm, commitNamespace)
	}
	if err != nil {
		t.Fatalf("believed by us alone: %v\n%s", err, armored)
	}
	cert, ok := sig.PublicKey.(*ssh.Certificate)
	if !ok && ssh.FingerprintSHA256(sig.PublicKey) != key.Fingerprint {
		t.Errorf("signed with %s and taken for %s", ssh.FingerprintSHA256(sig.PublicKey), key.Fingerprint)
	}
	checker := ssh.CertChecker{Clock: func() time.Time { return now }}
	if ok && (checker.CheckCert(aliceName, cert) != nil || key.Fingerprint != "corp:"+aliceName || !bytes.Equal(cert.SignatureKey.Marshal(), sshKey("corp").PublicKey().Marshal())) {
		t.Errorf("a certificate believed by us alone: %+v", cert)
	}
}
