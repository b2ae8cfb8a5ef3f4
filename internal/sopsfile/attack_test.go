package sopsfile

import (
	"crypto/sha256"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/canonjson"
)

// Each test carries out the attack of that number, as far as it is a matter of the sealed file.

// Attack 30: the MAC is absent, stripped, ignored, or an empty string stands for a ciphertext.
func TestAttack30StrippedMAC(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	mac := line(t, good, "  mac: ")
	key := line(t, good, "    key: ENC[")
	for name, c := range map[string]struct{ text, rule string }{
		"absent":             {replace(t, good, mac, ""), "sops/mac"},
		"empty":              {replace(t, good, mac, "  mac: \"\"\n"), "sops/mac"},
		"null":               {replace(t, good, mac, "  mac:\n"), "sops/mac"},
		"in the clear":       {replace(t, good, mac, "  mac: "+strings.Repeat("A", 128)+"\n"), "sops/mac"},
		"another value":      {replace(t, good, mac, "  mac: "+strings.TrimPrefix(key, "    key: ")), "sops/mac"},
		"as another type":    {replace(t, good, mac, strings.Replace(mac, "type:str", "type:comment", 1)), "sops/mac"},
		"another time":       {replace(t, good, "2026-03-04T05:06:07Z", "2026-03-04T05:06:08Z"), "sops/mac"},
		"empty for a value":  {replace(t, good, key, "    key: \"\"\n"), "sops/unsealed"},
		"plain for a value":  {replace(t, good, key, "    key: mine\n"), "sops/unsealed"},
		"value removed":      {replace(t, good, key, ""), "sops/mac"},
		"value after value":  {replace(t, good, key, strings.TrimSuffix(key, "\n")+"ENC[]\n"), "sops/unsealed"},
		"plain text changed": {replace(t, good, "classification: restricted", "classification: public"), "sops/mac"},
		"shared further":     {replace(t, good, "ml-platform/batch", "ml-platform/attacker"), "sops/mac"},
		"time removed":       {replace(t, good, line(t, good, "lastmodified: "), ""), "sops/malformed"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, k.Opener, testFile, c.text, c.rule) })
	}
}

// Attack 30: values swapped between keys, between data and previous, or taken from another file of
// the same data key.
func TestAttack30MovedValue(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	key, provider := strings.TrimPrefix(line(t, good, "    key: "), "    key: "), strings.TrimPrefix(line(t, good, "    provider: "), "    provider: ")
	swapped := replace(t, replace(t, good, "    key: "+key, "    key: "+provider), "    provider: "+provider, "    provider: "+key)
	refused(t, k.Opener, testFile, swapped, "sops/value")
	refused(t, k.Opener, testFile, replace(t, good, "    key: ENC", "    token: ENC"), "sops/value")
	// The same path and data key, so the value itself opens; the MAC does not fit.
	other := sealer{recipient: k.recipient}.seal(t, replace(t, plain, canary+"-key", canary+"-older"))
	refused(t, k.Opener, testFile, replace(t, good, key, strings.TrimPrefix(line(t, other, "    key: "), "    key: ")), "sops/mac")
}

// Attack 31: the type tag is outside of what is authenticated. A tag that the library panics on, or
// that cannot be, is refused; from int to str passes SOPS, and ours, but gives another value: the
// schema and the digest, which see types, tell it.
func TestAttack31TypeTag(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	key, limit, shared := line(t, good, "    key: ENC["), line(t, good, "    limit: ENC["), line(t, good, "    shared: ENC[")
	retag := func(l, from, to string) string { return replace(t, good, l, replace(t, l, "type:"+from, "type:"+to)) }
	for name, c := range map[string]struct{ text, rule string }{
		"bytes":           {retag(key, "str", "bytes"), "sops/type"},
		"time":            {retag(key, "str", "time"), "sops/type"},
		"unknown":         {retag(key, "str", "x"), "sops/type"},
		"comment":         {retag(key, "str", "comment"), "sops/type"},
		"str to int":      {retag(key, "str", "int"), "sops/value"},
		"str to float":    {retag(key, "str", "float"), "sops/value"},
		"int to bool":     {retag(limit, "int", "bool"), "sops/value"},
		"bool to int":     {retag(shared, "bool", "int"), "sops/value"},
		"second tag":      {retag(key, "str", "str,type:int"), "sops/unsealed"},
		"text after type": {retag(key, "str", "str]x"), "sops/unsealed"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, k.Opener, testFile, c.text, c.rule) })
	}

	s, err := k.open(testFile, []byte(retag(limit, "int", "str")))
	if err != nil {
		t.Fatal(err)
	}
	if s.Reveal()["limit"] != "1200" {
		t.Errorf("a value re-tagged as str must not pass for the integer it was: %T", s.Reveal()["limit"])
	}
	before, err := canonjson.Marshal(wantData)
	if err != nil {
		t.Fatal(err)
	}
	after, err := canonjson.Marshal(s.Reveal())
	if err != nil || string(before) == string(after) {
		t.Error("the canonical form, over which the digest goes, must differ")
	}
}

// Attack 31, in a list: an element re-tagged as a comment would vanish, a comment as an element appear.
func TestAttack31CommentTag(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	list := good[strings.Index(good, "    scopes:"):strings.Index(good, "    limit:")]
	comment := line(t, list, "type:comment]")
	refused(t, k.Opener, testFile, replace(t, good, comment, replace(t, comment, "type:comment", "type:str")), "sops/mac")
	element := line(t, list, "type:str]")
	refused(t, k.Opener, testFile, replace(t, good, element, replace(t, element, "type:str", "type:comment")), "sops/mac")
	// Nothing but comments: an empty list, of which the MAC knows nothing.
	refused(t, k.Opener, testFile, replace(t, good, list, "    scopes:\n  "+comment), "sops/unsealed")
}

// Attack 32: the MAC goes over the values without their bounds or keys. A colon in a key is refused;
// text moved from one plain value to the next passes SOPS, and so does a renamed plain key, but the
// address cannot be made of it.
func TestAttack32Boundaries(t *testing.T) {
	k := newTestKey(t)
	nested := replace(t, plain, "    limit: 1200\n", "    limit:\n      a: 1200\n")
	good := sealer{recipient: k.recipient}.seal(t, nested)
	value := strings.TrimSpace(line(t, good, "      a: ENC["))
	flat := replace(t, replace(t, good, "    limit:\n", ""), "      "+value, "    \"limit:a\":"+strings.TrimPrefix(value, "a:"))
	refused(t, k.Opener, testFile, flat, "sops/key")

	// The description says another address: the honest file is refused, so no MAC over that text is
	// ever accepted, and none can be moved into metadata.address.
	target := "acme-corp/ml-platform/inference/development/openai-key"
	honest := sealer{recipient: k.recipient}.seal(t, replace(t, plain, "Key of the shared OpenAI account", "like "+target))
	refused(t, k.Opener, testFile, honest, "sops/structure")
	own := "acme-corp/ml-platform/inference/production/openai-key"
	shifted := replace(t, replace(t, honest, "address: "+own, "owner: '"+own+"like '"), "description: like "+target, "address: "+target)
	if _, err := sopsOpens(k, shifted); err != nil {
		t.Errorf("the attack is not carried out, SOPS itself refuses: %v", err)
	}
	refused(t, k.Opener, strings.Replace(testFile, "production", "development", 1), shifted, "sops/structure")
}

// Attack 33: whoever knows the public recipients can make a whole new file. It opens: that it is
// believed at all comes from the signed commit alone, which Open demands as a trust.Verified. What the
// file cannot do is hide a recipient of its maker's.
func TestAttack33NewFileFromPublicRecipients(t *testing.T) {
	k := newTestKey(t)
	text, err := Seal(testFile, map[string]any{"kind": "Secret", "spec": map[string]any{"type": "opaque", "data": map[string]any{"a": "b"}}}, []string{k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := k.open(testFile, text); err != nil || !cmp.Equal(s.Reveal(), map[string]any{"a": "b"}) {
		t.Errorf("%v", err)
	}
}

// Attack 34: an extra recipient in the wrapped key, whom the list of recipients does not show. That
// the list equals the rule of .sops.yaml is the check's affair.
func TestAttack34HiddenRecipient(t *testing.T) {
	k, attacker := newTestKey(t), newTestKey(t)
	dataKey := []byte("0123456789abcdef0123456789abcdef")
	hidden := sealer{recipient: k.recipient, dataKey: dataKey, tree: func(tr *sops.Tree) {
		tr.Metadata.KeyGroups[0][0].SetEncryptedDataKey(armored(t, dataKey, k.identity.Recipient(), attacker.identity.Recipient()))
	}}.seal(t, plain)
	if _, err := sopsOpens(k, hidden); err != nil {
		t.Errorf("the attack is not carried out: %v", err)
	}
	refused(t, k.Opener, testFile, hidden, "sops/no-key")

	good := sealer{recipient: k.recipient}.seal(t, plain)
	entry := good[strings.Index(good, "    - enc: |"):strings.Index(good, "      recipient: ")]
	for name, c := range map[string]struct{ text, rule string }{
		"twice the same":     {replace(t, good, "  age:\n", "  age:\n"+entry+"      recipient: "+k.recipient+"\n"), "sops/recipients"},
		"another field":      {replace(t, good, "      recipient: ", "      note: x\n      recipient: "), "sops/recipients"},
		"no recipient":       {replace(t, good, line(t, good, "recipient: "), ""), "sops/recipients"},
		"none":               {replace(t, good, good[strings.Index(good, "  age:\n"):strings.Index(good, "  encrypted_regex")], ""), "sops/recipients"},
		"an SSH key":         {replace(t, good, k.recipient, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"), "sops/recipients"},
		"a plugin":           {replace(t, good, k.recipient, "age1yubikey1qqqqqq"), "sops/recipients"},
		"a private key":      {replace(t, good, k.recipient, k.identity.String()), "sops/recipients"},
		"a KMS key":          {replace(t, good, "sops:\n", "sops:\n  kms:\n    - arn: x\n"), "sops/unsupported"},
		"an OpenPGP key":     {replace(t, good, "sops:\n", "sops:\n  pgp:\n    - fp: x\n"), "sops/unsupported"},
		"key groups":         {replace(t, good, "sops:\n", "sops:\n  shamir_threshold: 2\n  key_groups: []\n"), "sops/unsupported"},
		"garbage in the key": {replace(t, good, "-----BEGIN AGE", "-----BEGIN CAGE"), "sops/no-key"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, k.Opener, testFile, c.text, c.rule) })
	}
	short := sealer{recipient: k.recipient, tree: func(tr *sops.Tree) {
		tr.Metadata.KeyGroups[0][0].SetEncryptedDataKey(armored(t, dataKey[:16], k.identity.Recipient()))
	}}.seal(t, plain)
	refused(t, k.Opener, testFile, short, "sops/no-key")
}

// The same data key under another recipient: what a removed recipient keeps. A new data key is new.
func TestAttack34SealMakesANewDataKey(t *testing.T) {
	k := newTestKey(t)
	doc := map[string]any{"kind": "Secret", "spec": map[string]any{"type": "opaque", "data": map[string]any{"a": "b"}}}
	seen := map[string]bool{}
	for range 3 {
		text, err := Seal(testFile, doc, []string{k.recipient})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.open(testFile, text); err != nil {
			t.Fatal(err)
		}
		for e := k.keys.recent.Front(); e != nil; e = e.Next() {
			seen[string(e.Value.(cachedKey).key)] = true
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d data keys for 3 files", len(seen))
	}
}

// Attack 35: mac_only_encrypted, and every other setting by which less is sealed or authenticated.
func TestAttack35MACOnlyEncrypted(t *testing.T) {
	k := newTestKey(t)
	text := sealer{recipient: k.recipient, settings: func(m *sops.Metadata) { m.MACOnlyEncrypted = true }}.seal(t, plain)
	changed := replace(t, text, "acme-corp/ml-platform/batch", "acme-corp/ml-platform/attacker")
	if _, err := sopsOpens(k, changed); err != nil {
		t.Errorf("the attack is not carried out, SOPS itself refuses: %v", err)
	}
	refused(t, k.Opener, testFile, changed, "sops/mac-only-encrypted")
	refused(t, k.Opener, testFile, replace(t, text, "mac_only_encrypted: true", "mac_only_encrypted: \"true\""), "sops/mac-only-encrypted")
	refused(t, k.Opener, testFile, replace(t, text, "mac_only_encrypted: true", "Mac_Only_Encrypted: true"), "sops/unsupported")
	refused(t, k.Opener, testFile, replace(t, text, "  mac_only_encrypted: true\n", ""), "sops/mac")

	for name, c := range map[string]struct {
		set  func(*sops.Metadata)
		rule string
	}{
		"another regex":             {func(m *sops.Metadata) { m.EncryptedRegex = "^data$" }, "sops/encrypted-regex"},
		"a wider regex":             {func(m *sops.Metadata) { m.EncryptedRegex = "data|previous" }, "sops/encrypted-regex"},
		"none":                      {func(m *sops.Metadata) { m.EncryptedRegex = "" }, "sops/encrypted-regex"},
		"unencrypted suffix":        {func(m *sops.Metadata) { m.EncryptedRegex, m.UnencryptedSuffix = "", "_x" }, "sops/unsupported"},
		"encrypted suffix":          {func(m *sops.Metadata) { m.EncryptedRegex, m.EncryptedSuffix = "", "a" }, "sops/unsupported"},
		"unencrypted regex":         {func(m *sops.Metadata) { m.EncryptedRegex, m.UnencryptedRegex = "", "^metadata$" }, "sops/unsupported"},
		"unencrypted comment regex": {func(m *sops.Metadata) { m.UnencryptedCommentRegex = "nothing" }, "sops/unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, k.Opener, testFile, sealer{recipient: k.recipient, settings: c.set}.seal(t, plain), c.rule)
		})
	}
}

// Attack 51: a sealed file is copied to where its copier may read.
func TestAttack51CopiedFile(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	copied := strings.Replace(testFile, "production", "development", 1)
	refused(t, k.Opener, copied, good, "sops/address")
	// With the address corrected, the MAC no longer fits.
	refused(t, k.Opener, copied, replace(t, good, "inference/production/openai-key", "inference/development/openai-key"), "sops/mac")
	// The address a second time, where SOPS's hash would not see it: comments and keys.
	address := line(t, good, "  address: ")
	moved := replace(t, good, address, replace(t, address, "address", "owner")+"  address: null\n")
	refused(t, k.Opener, copied, moved, "sops/address")
	refused(t, k.Opener, testFile, replace(t, good, address, "  # "+strings.TrimSpace(address)+"\n"), "sops/address")
	// The cache, warm from the rightful place, makes no difference.
	if _, err := k.open(testFile, []byte(good)); err != nil {
		t.Fatal(err)
	}
	refused(t, k.Opener, copied, good, "sops/address")
}

func TestPanicIsContained(t *testing.T) {
	k := newTestKey(t)
	k.keys.unwrap = func(string, []age.Identity) ([]byte, error) { panic(canary) }
	refused(t, k.Opener, testFile, sealer{recipient: k.recipient}.seal(t, plain), "sops/malformed")
}

// sopsOpens opens a file as the sops program does: the attack must get past that to show anything.
func sopsOpens(k *testKey, text string) (sops.TreeBranch, error) {
	tr, err := newStore().LoadEncryptedFile([]byte(text))
	if err != nil {
		return nil, err
	}
	key, err := unwrapLoosely(tr.Metadata.KeyGroups[0][0].EncryptedDataKey(), k.identity)
	if err != nil {
		return nil, err
	}
	c := aes.NewCipher()
	sum, err := tr.Decrypt(key, c)
	if err != nil {
		return nil, err
	}
	mac, err := c.Decrypt(tr.Metadata.MessageAuthenticationCode, key, tr.Metadata.LastModified.Format("2006-01-02T15:04:05Z07:00"))
	if err != nil || mac != sum {
		return nil, errRefused
	}
	return tr.Branches[0], nil
}

// The cache is by the wrapped bytes: a key that some other file brings under the same recipient is
// not taken for this one's.
func TestCacheIsByWrappedBytes(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	other := sealer{recipient: k.recipient, dataKey: []byte("fedcba9876543210fedcba9876543210")}.seal(t, plain)
	for _, text := range []string{good, other, good, other} {
		if _, err := k.open(testFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if n := k.keys.recent.Len(); n != 2 {
		t.Errorf("%d keys cached", n)
	}
	if k.keys.get(sha256.Sum256([]byte("x"))) != nil {
		t.Error("an unknown key is cached")
	}
}
