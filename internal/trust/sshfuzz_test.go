package trust

import (
	"bytes"
	"encoding/pem"
	"testing"

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
// bytes in an armor, which gets a fuzzer past base64.
func FuzzSSHSignature(f *testing.F) {
	alice := sshKey("alice")
	ring := fuzzRing(must(parseSSHKey(publicLine(alice))))
	good := must(gitrepo.SSHSigner(alice)(payload))
	block, _ := pem.Decode(good)
	f.Add(good, payload)
	f.Add(block.Bytes, payload)
	f.Add(must(gitrepo.SSHSigner(sshKey("mallory"))(payload)), payload)
	f.Add(must(gitrepo.SSHSignerFor(ApprovalNamespace, alice)(payload)), payload)
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), []byte{})
	f.Add([]byte(sshBegin+sshEnd), []byte("x"))
	f.Fuzz(func(t *testing.T, data, text []byte) {
		for _, armored := range [][]byte{data, pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: data})} {
			sshRoundTrip(t, armored)
			if _, bad := ring.verify(armored, text, now); bad == nil {
				peerBelieves(t, alice.PublicKey(), armored, text)
			}
		}
		signsOnly(t, ring, commitNamespace, must(gitrepo.SSHSigner(alice)(text)), text)
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

func peerBelieves(t *testing.T, public ssh.PublicKey, armored, text []byte) {
	t.Helper()
	sig, err := peer.Unarmor(armored)
	if err == nil {
		err = peer.Verify(bytes.NewReader(text), sig, public, sig.HashAlgorithm, commitNamespace)
	}
	if err != nil {
		t.Errorf("believed by us alone: %v\n%s", err, armored)
	}
}
