package main

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// attacksOnObjects are about what lies in a repository and how it comes to the daemon.
var attacksOnObjects = map[string]func(*attacked){
	"24 replaced objects, grafts, alternates, configuration, hooks and filters": func(a *attacked) {
		bad := a.by("mallory", map[string]string{prodLimit: config("0")})
		fine := a.by("dev", map[string]string{devTone: config("fine")})
		elsewhere := a.by("dev", map[string]string{devTone: config("elsewhere")})
		a.check(os.MkdirAll(a.path("other/objects/"+string(elsewhere[:2])), 0o755))
		a.check(os.Rename(a.path("origin.git/objects/"+string(elsewhere[:2])+"/"+string(elsewhere[2:])), a.path("other/objects/"+string(elsewhere[:2])+"/"+string(elsewhere[2:]))))
		touch := "#!/bin/sh\ntouch '" + a.path("ran") + "'\n"
		a.write("touch.sh", touch)
		a.check(os.Chmod(a.path("touch.sh"), 0o755))
		sh := a.path("touch.sh")
		hostile := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\thooksPath = " + a.path("origin.git/hooks") + "\n\tfsmonitor = " + sh + "\n\tsshCommand = " + sh +
			"\n\talternateRefsCommand = " + sh + "\n\tpager = " + sh + "\n[uploadpack]\n\tpackObjectsHook = " + sh + "\n[gpg]\n\tprogram = " + sh + "\n\tformat = openpgp\n[gpg \"ssh\"]\n\tprogram = " + sh +
			"\n\tallowedSignersFile = /dev/null\n[filter \"x\"]\n\tsmudge = " + sh + "\n\tclean = " + sh + "\n\tprocess = " + sh + "\n[protocol \"ext\"]\n\tallow = always\n[include]\n\tpath = /etc/passwd\n"
		for _, dir := range []string{"origin.git", "one/state/mirror-test-config.git"} {
			a.write(dir+"/config", hostile)
			a.write(dir+"/refs/replace/"+string(bad), string(fine)+"\n")
			a.write(dir+"/refs/replace/"+string(a.good), string(bad)+"\n")
			a.write(dir+"/info/grafts", string(bad)+" "+string(a.good)+"\n"+string(fine)+"\n")
			a.write(dir+"/info/attributes", "* filter=x\n")
			a.write(dir+"/objects/info/alternates", a.path("other/objects")+"\n")
			for _, hook := range []string{"post-checkout", "post-merge", "post-update", "pre-receive", "reference-transaction", "update", "pre-commit", "post-index-change"} {
				a.write(dir+"/hooks/"+hook, touch)
				a.check(os.Chmod(a.path(dir+"/hooks/"+hook), 0o755))
			}
		}
		a.refused(bad, "trust/unknown-key")
		a.failed(elsewhere, "no such object")
		a.accepted(fine)
		if _, err := os.Lstat(a.path("ran")); err == nil {
			a.t.Error("a program of the repository's was run")
		}
	},
	"25 symlinks, submodules and names that lead elsewhere": func(a *attacked) {
		blob, folder := a.raw("blob", "/etc/passwd"), a.treeOf(a.good)
		for mode, id := range map[string]string{"120000": blob, "160000": string(a.good)} {
			a.refused(a.commitTree("alice", a.withEntry(mode, "zlink", id)), "trust/file-mode")
			inner := a.raw("tree", entry(mode, "link.yaml", id))
			a.refused(a.commitTree("alice", a.withEntry("40000", "zfolder", inner)), "trust/file-mode")
			a.refused(a.commitTree("alice", a.withEntry(mode, "namespaces", id)), "trust/file-mode")
		}
		for _, name := range []string{"", ".", "..", "/etc", "a/b", "../up", ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git . .", ".g\u200cit", ".gi\u200dt", "\ufeff.git", ".git::$INDEX_ALLOCATION",
			".git\\x", "a\\..\\.git", "..\\x", "a\nb", "a\x1b[2J", "a\xff", "a\u202eb"} {
			a.refused(a.commitTree("alice", a.withEntry("40000", name, folder)), "trust/malformed-commit", "not made by Git")
			inner := a.raw("tree", entry("100644", name, blob))
			a.refused(a.commitTree("alice", a.withEntry("40000", "zfolder", inner)), "trust/malformed-commit", "name")
		}
		for name, raw := range map[string]string{
			"twice":           entry("100644", "a", blob) + entry("100644", "a", blob),
			"file and folder": entry("100644", "a", blob) + entry("40000", "a", folder),
			"out of order":    entry("100644", "b", blob) + entry("100644", "a", blob),
			"odd mode":        entry("100600", "a", blob),
			"padded mode":     entry("040000", "a", folder),
			"cut short":       entry("100644", "a", blob)[:20],
			"no NUL":          "100644 a",
		} {
			a.t.Log(name)
			a.refused(a.commitTree("alice", a.raw("tree", raw)), "trust/malformed-commit")
		}
		// An executable among the settings is believed, and not used.
		settings, err := a.repo.Tree(a.good)
		a.check(err)
		id, _, _ := settings.ID("lcm.yaml")
		executable := a.withEntry("100755", "lcm.yaml", id)
		a.held(a.signedRaw("alice", a.header(executable, a.good, a.commitTree("carol", executable)), last), "layout/file-mode")
	},
	"25 twins by case and by Unicode": func(a *attacked) {
		for _, name := range []string{"LCM.yaml", "Lcm.yaml", ".SOPS.yaml", "lcm.YAML"} {
			a.held(a.commitTree("alice", a.withEntry("100644", name, a.raw("blob", "x"))), "layout/case-twin")
		}
		for _, name := range []string{".LCM", "Namespaces", "name\u017fpaces"} {
			a.held(a.commitTree("alice", a.withEntry("40000", name, a.treeOf(a.good))), "layout/case-twin")
		}
	},
	"25 twins among documents": func(a *attacked) {
		for _, key := range []string{"Tone", "ton\u00e9", "tone\u0301", "t\u043ene", "tone.YAML", "tone\u200b"} {
			a.held(a.agreed("bob", "alice", map[string]string{api + "development/" + key + ".yaml": config("twin")}), "layout/name")
		}
	},
	"26 attributes, line endings and LFS change bytes": func(a *attacked) {
		attributes := "* text eol=crlf ident export-subst filter=lfs diff=lfs merge=lfs working-tree-encoding=UTF-16\n"
		value := "'$Id$ $Format:%H$'"
		crlf := strings.ReplaceAll(config(value), "\n", "\r\n")
		a.accepted(a.by("alice", map[string]string{".gitattributes": attributes, devTone: config(value)}))
		a.serves("development/tone", `"$Id$ $Format:%H$"`)
		a.accepted(a.by("alice", map[string]string{devTone: crlf}))
		a.serves("development/tone", `"$Id$ $Format:%H$"`)
		pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("ab", 32) + "\nsize 12345\n"
		a.held(a.by("alice", map[string]string{devTone: pointer}), "layout/lfs-pointer")
	},
	"27 bombs and malformed objects": func(a *attacked) {
		nested := a.raw("tree", entry("100644", "f", a.raw("blob", "1")))
		for range 40 {
			nested = a.raw("tree", entry("40000", "d", nested))
		}
		forest := a.raw("tree", entry("100644", "f", a.raw("blob", "1")))
		for range 10 {
			var raw strings.Builder
			for i := range 10 {
				raw.WriteString(entry("40000", fmt.Sprint(i), forest))
			}
			forest = a.raw("tree", raw.String())
		}
		var wide strings.Builder
		blob := a.raw("blob", "1")
		for i := range 100_001 {
			wide.WriteString(entry("100644", fmt.Sprintf("f%06d", i), blob))
		}
		for name, tree := range map[string]string{"deep": nested, "a forest": forest, "wide": a.raw("tree", wide.String())} {
			a.t.Log(name)
			a.refused(a.commitTree("alice", a.withEntry("40000", "zbomb", tree)), "trust/malformed-commit", "exceeds the limit")
		}
		a.refused(a.commitTree("alice", a.withEntry("100644", "zbomb", a.raw("blob", strings.Repeat("0", 40<<20)))), "trust/malformed-commit", "exceeds the limit", "bytes")
		long := a.header(a.treeOf(a.good), a.good)
		a.refused(lcm.Revision(a.raw("commit", strings.Join(long, "\n")+"\n\n"+strings.Repeat("x", 2<<20))), "trust/malformed-commit", "exceeds the limit", "bytes")
		many := a.header(a.treeOf(a.good), slices.Repeat([]lcm.Revision{a.intro}, 30_000)...)
		a.refused(a.signedRaw("alice", many, last), "trust/malformed-commit", "exceeds the limit")
	},
	"27 hostile packs": func(a *attacked) {
		head := a.by("dev", map[string]string{devTone: config("fine")})
		blob := strings.Repeat("content ", 20)
		id := fmt.Sprintf("%x", sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(blob), blob))))
		base, err := hex.DecodeString(id)
		a.check(err)
		for name, c := range map[string]struct {
			pack []byte
			code int
		}{
			"a zlib bomb":                    {pack(packed(3, 40<<20, "", strings.Repeat("0", 40<<20))), exitRefused},
			"an object said to be huge":      {pack(packed(3, 1<<50, "", blob)), exitRefused},
			"a delta to something huge":      {pack(packed(3, len(blob), "", blob), packed(7, 8, string(base), "\xa0\x01\xff\xff\xff\xff\x7f\x80")), exitRefused},
			"a delta without its base":       {pack(packed(7, 4, strings.Repeat("x", 20), "\x01\x01\x01x")), exitFailed},
			"a delta that copies beyond":     {pack(packed(3, len(blob), "", blob), packed(7, 6, string(base), "\xa0\x01\x40\xb1\xff\x40")), exitFailed},
			"an object longer than it says":  {pack(packed(3, 3, "", blob)), exitFailed},
			"an object shorter than it says": {pack(packed(3, 1000, "", blob)), exitFailed},
			"an unknown type":                {pack(packed(5, len(blob), "", blob)), exitFailed},
			"more objects than there are":    {append([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"), packed(3, len(blob), "", blob)...), exitRefused},
			"a commit that is none":          {pack(packed(1, 6, "", "hello\n")), exitRefused},
			"a tree that is none":            {pack(packed(2, 6, "", "hello\n")), exitRefused},
			"a tree of nothing":              {pack(packed(2, len(entry("100644", "a", id)), "", entry("100644", "a", id))), exitFailed},
			"nothing":                        {nil, exitFailed},
			"noise":                          {[]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x95noise"), exitFailed},
			"another version":                {[]byte("PACK\x00\x00\x00\x09\x00\x00\x00\x00"), exitFailed},
		} {
			a.write("hostile.bundle", "# v2 git bundle\n"+string(head)+" refs/heads/main\n\n"+string(c.pack))
			code, _, text := a.pass("--bundle", a.path("hostile.bundle"))
			if code != c.code || strings.Contains(text, "panic") {
				a.t.Errorf("%s: exit code %d, want %d\n%s", name, code, c.code, text)
			}
			a.untouched()
		}
		a.accepted(head)
	},
	"28 arguments by URL": func(a *attacked) {
		ran := a.path("ran")
		was := read(a.t, a.config)
		for _, url := range []string{"--upload-pack=touch " + ran, "-u./touch", "ext::touch " + ran, "ssh://-oProxyCommand=touch%20" + ran + "/x", "ssh://git@-oProxyCommand=touch/x", "ssh://-x@example.org/a",
			"-oProxyCommand=touch@example.org:a", "example.org:-oProxyCommand", "git@-oProxyCommand=x:a", "fd::17", "a\\nb", "ssh://git@example.org/a\\nProxyCommand touch", "ssh://exa mple/a", "http://example.org/a",
			"git://example.org/a", "https://user:secret-of-url@example.org/a", "file://example.org/a", "https://example.org/a?upload-pack=x", "ssh://git@example.org/-x\\u0000y", ""} {
			a.write("one/reconciler.yaml", strings.Replace(was, "url: ../origin.git", `url: "`+url+`"`, 1))
			if code, _, text := a.pass(); code != exitUsage || strings.Contains(text, "secret-of-url") {
				a.t.Errorf("%s: exit code %d\n%s", url, code, text)
			}
			a.untouched()
		}
		for field, value := range map[string]string{"branch: main": `branch: "--upload-pack=touch"`, "name: test-config": `name: "../../x"`, "introduction: ": "introduction: --x"} {
			a.write("one/reconciler.yaml", strings.Replace(was, field, value, 1))
			if code, _, text := a.pass(); code != exitUsage {
				a.t.Errorf("%s: exit code %d\n%s", value, code, text)
			}
		}
		if _, err := os.Lstat(ran); err == nil {
			a.t.Error("a program was run")
		}
		a.write("one/reconciler.yaml", was)
	},
	"29 one id for two contents": func(a *attacked) {
		// Nobody can make a second content for an id of ours; so it is put there by force. That the
		// blocks of a real collision are noticed is gitrepo's TestCollisionIsNoticed.
		head := a.by("dev", map[string]string{devTone: config("fine")})
		evil := config("evil")
		tree, err := a.repo.Tree(head)
		a.check(err)
		id, _, _ := tree.ID(devTone)
		a.loose(id, fmt.Sprintf("blob %d\x00%s", len(evil), evil))
		a.failed(head, id)
		a.loose(string(head), "commit 0\x00")
		a.point(head)
		if code, _, text := a.pass(); code != exitFailed && code != exitRefused {
			a.t.Errorf("exit code %d\n%s", code, text)
		}
		a.untouched()
	},
}

// entry is a line of a tree object.
func entry(mode, name, id string) string {
	raw, err := hex.DecodeString(id)
	if err != nil {
		panic(err)
	}
	return mode + " " + name + "\x00" + string(raw)
}

// withEntry makes the last good revision's tree with one entry more, or another in its place.
func (a *attacked) withEntry(mode, name, id string) string {
	a.t.Helper()
	tree, err := a.repo.Tree(a.good)
	a.check(err)
	entries, err := tree.ReadDir(".")
	a.check(err)
	type line struct{ order, text string }
	lines := []line{{order(mode, name), entry(mode, name, id)}}
	for _, e := range entries {
		if at, m, _ := tree.ID(e.Name()); e.Name() != name {
			digits := fmt.Sprintf("%o", m)
			lines = append(lines, line{order(digits, e.Name()), entry(digits, e.Name(), at)})
		}
	}
	slices.SortFunc(lines, func(x, y line) int { return strings.Compare(x.order, y.order) })
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return a.raw("tree", b.String())
}

// order is by what Git sorts: a folder as if its name ended in a slash.
func order(mode, name string) string {
	if mode == "40000" {
		return name + "/"
	}
	return name
}

// serves demands the value that the target holds for a key of the API's.
func (a *attacked) serves(key, want string) {
	a.t.Helper()
	if got := strings.TrimSpace(read(a.t, a.path("one/out/runtime/acme/app/api/"+key+".json"))); got != want {
		a.t.Errorf("%s is %s, want %s", key, got, want)
	}
}

// packed is one object of a pack (gitformat-pack): its type, the size that it says, the id of the base of a
// delta, and its content.
func packed(kind byte, size int, base, content string) []byte {
	var b bytes.Buffer
	c := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	b.WriteByte(c)
	b.WriteString(base)
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(content))
	_ = z.Close()
	return b.Bytes()
}

func pack(objects ...[]byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))
	out = append(out, slices.Concat(objects...)...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}
