package hostile

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/llm-config-manager/lcm/internal/rule"
)

// cue is constraints of the repository's own that explode.
func cue() []Case {
	own := func(name, id, text string) Case { return put("CUE: "+name, id, ownCUE, "package lcm\n"+text) }
	const rule = "schema/own-cue"
	chain := func(first, format string) string {
		var b strings.Builder
		b.WriteString(first)
		for i := range 40 {
			b.WriteString(strings.NewReplacer("NEXT", fmt.Sprint("#A", i+1), "LAST", fmt.Sprint("#A", i), "N", fmt.Sprint(i)).Replace(format))
		}
		return b.String() + "#Config: spec: value: #A40\n"
	}
	return []Case{
		own("disjunctions", rule, "#Config: spec: value: "+strings.TrimSuffix(counted(24, "({a%[1]d: 1} | {b%[1]d: 2}) & "), " & ")+"\n"),
		own("doubling", rule, chain("#A0: 1 | 2\n", "NEXT: {x: LAST, y: LAST}\n")),
		own("doubling by defaults", rule, chain("#A0: *1 | int\n", "NEXT: *LAST | {x: LAST}\n")),
		own("doubling texts", rule, chain("#A0: \"xxxxxxxxxx\"\n", `NEXT: "\(LAST)\(LAST)"`+"\n")),
		own("doubling by embedding", rule, chain("#A0: {a: 1}\n", "NEXT: {LAST, LAST, bN: 1}\n")),
		own("self-reference", rule, "#T: {n: #T}\n#Config: spec: value: #T\n"),
		own("three loops", rule, "#L: ["+strings.Repeat("1,", 300)+"]\n#Config: spec: value: [for x in #L for y in #L for z in #L {x+y+z}]\n"),
		own("two loops", rule, "#L: ["+strings.Repeat("1,", 3000)+"]\n#Config: spec: value: [for x in #L for y in #L {x+y}]\n"),
		own("multiplication", rule, "#Config: spec: value: 1000000000*\"x\"\n"),
		own("strings.Repeat", rule, "import \"strings\"\n#Config: spec: value: strings.Repeat(\"x\", 1000000000)\n"),
		own("list.Range", rule, "import \"list\"\n#Config: spec: value: list.Range(0, 1000000000, 1)\n"),
		own("files", rule, "import \"tool/file\"\n#Config: spec: value: file.Read\n"),
		own("depth", rule, "#Config: spec: value: "+strings.Repeat("(", 10_000)+"1"+strings.Repeat(")", 10_000)+"\n"),
		own("brackets", rule, "#X: "+strings.Repeat("[", 200_000)),
		own("alternatives", rule, "#Config: spec: value: "+counted(4000, "{a%d: int} | ")+"1\n"),
		own("patterns of keys", rule, "#Config: spec: value: {"+counted(3000, "[=~\"^a%d\"]: int\n")+"}\n"),
		own("a regular expression", rule, "#Config: spec: value: =~\"((a{1,30}){1,30}){1,30}\"\n"),
		own("conditions", rule, "#Config: spec: value: {"+strings.Repeat("if true {", 1000)+"a: 1"+strings.Repeat("}", 1000)+"}\n"),
		own("size", rule, strings.Repeat("// x\n", 100_000)),
		own("NUL", rule, strings.Repeat("\x00", 1000)),
		files("257 files of CUE", rule, 300, "schemas/cue/f%d.cue", "package lcm\n"),
	}
}

// files is a case of many small files.
func files(name, id string, n int, format, text string) Case {
	return Case{name, id, "", func(r rule.Repository) {
		for i := range n {
			r[fmt.Sprintf(format, i)] = rule.File{Data: []byte(text), Mode: 0o644}
		}
	}}
}

// rego is rules of the repository's own that run for ever, or make much of little.
func rego() []Case {
	own := func(name, id, body string) Case {
		c := put("Rego: "+name, id, ownRego, "package lcm.own\n\n# METADATA\n# title: t\ndeny contains {\"rule\": \"r\", \"path\": [], \"message\": \"m\"} if {\n"+body+"\n}\n")
		if id == "policy/failed" { // which stands at the document that was judged
			c.File = ""
		}
		return c
	}
	const failed, compile = "policy/failed", "policy/compile"
	digits := `"` + strings.Repeat("0123456789", 30) + `"`
	grow := func(format string) string {
		body := "\ta0 := \"xxxxxxxxxx\"\n"
		for i := range 20 {
			body += "\t" + strings.NewReplacer("NEXT", fmt.Sprint("a", i+1), "LAST", fmt.Sprint("a", i)).Replace(format) + "\n"
		}
		return body + "\tcount(a20) < 0"
	}
	return []Case{
		own("a product of loops", failed, "\ta := split("+digits+", \"\")\n\tcount([1 | some i in a; some j in a; some k in a; some l in a]) < 0"),
		own("walk", failed, "\ta := split("+digits+", \"\")\n\tb := [a | some _ in a]\n\tc := [b | some _ in a]\n\twalk(c, [p, v])\n\tv == \"zz\""),
		own("concat", failed, grow(`NEXT := concat("", [LAST, LAST, LAST, LAST])`)),
		own("sprintf", failed, grow(`NEXT := sprintf("%s%s%s%s", [LAST, LAST, LAST, LAST])`)),
		own("a width", failed, "\ta := sprintf(\""+strings.Repeat("%999999d", 40)+"\", [1])\n\tcount(a) < 0"),
		own("replace", failed, grow(`NEXT := replace(LAST, "x", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")`)),
		own("array.concat", failed, strings.Replace(grow("NEXT := array.concat(LAST, LAST)"), `"xxxxxxxxxx"`, "[1, 2, 3, 4, 5, 6, 7, 8]", 1)),
		own("object.union_n", failed, "\ta := {x: [y | some y in split("+digits+", \"\")] | some x in split(\"abcdefghijklmnopqrstuvwxyz\", \"\")}\n\tb := [object.union(a, {i: a}) | some i in numbers]\n\tobject.union_n(b).zz\n}\n\nnumbers := {x | some i in split("+digits+", \"\"); some j in split("+digits+", \"\"); some k in split("+digits+", \"\"); some l in split("+digits+", \"\"); x := concat(\"\", [i, j, k, l])"),
		own("bits.lsh", failed, "\ta := bits.lsh(1, 1000000000)\n\ta < 0"),
		own("numbers", failed, strings.NewReplacer(`"xxxxxxxxxx"`, "99999999999", "count(a20)", "a20").Replace(grow("NEXT := LAST * LAST"))),
		own("an exponent", compile, "\ta := 1e1000000000\n\ta < 0"),
		own("a regular expression", failed, "\tregex.match(\"((a{1,30}){1,30}){1,30}\", \"aaaa\")"),
		own("regular expressions", failed, "\ts := split("+digits+", \"\")\n\tsome i in s\n\tsome j in s\n\tregex.match(\"(x+x+)+y\", \""+strings.Repeat("x", 20_000)+"\")"),
		own("numbers.range", compile, "\ta := numbers.range(0, 1000000000)\n\tcount(a) < 0"),
		own("http.send", compile, "\thttp.send({\"method\": \"get\", \"url\": \"http://127.0.0.1/\"}).x"),
		own("opa.runtime", compile, "\topa.runtime().x"),
		own("net.cidr_expand", compile, "\tnet.cidr_expand(\"0.0.0.0/0\").x"),
		own("recursion", compile, "\tf(1) == 1\n}\n\nf(x) := f(x) if {\n\ttrue"),
		own("brackets", compile, "\tx := "+strings.Repeat("[", 100_000)),
		own("operators", compile, "\tx := "+strings.Repeat("1 + ", 50_000)+"1\n\tx < 0"),
		own("comprehensions", compile, "\t"+strings.Repeat("count([", 500)+"1"+strings.Repeat(" | true])", 500)+" > 5"),
		own("verdicts", "policy/output", "\ttrue\n}\n\ndeny contains {\"rule\": \"r\", \"path\": [], \"message\": m} if {\n\tm := concat(\"\", [x | some _ in split("+digits+", \"\"); x := \""+strings.Repeat("x", 1000)+"\"])"),
		files("257 files of Rego", compile, 300, "policies/rego/f%d.rego", "package lcm.f\n"),
		files("64 MiB of Rego", compile, 250, "policies/rego/f%d.rego", "package lcm.f\n"+strings.Repeat("# x\n", 60_000)),
	}
}

func settings() []Case {
	seal := func(name, id, text string) Case {
		return put(".sops.yaml: "+name, id, ".sops.yaml", "creation_rules:\n"+text)
	}
	rules := func(n int, regex string) string {
		return counted(n, "  - {path_regex: '"+regex+"', age: age1haez9u5x0s86765907nwmn3xza2w08krwq4p77m7a3uuwm4myf0qa2kfax, encrypted_regex: ^(data|previous)$}\n")
	}
	insert := func(name, id, file, after, text string) Case {
		return Case{file + ": " + name, id, file, func(r rule.Repository) {
			r[file] = rule.File{Data: []byte(strings.Replace(string(r[file].Data), after, after+text, 1)), Mode: 0o644}
		}}
	}
	return []Case{
		seal("repetitions", "sops/rule", rules(1000, "^((.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}(.{0,9}){0,9}%d)$")),
		seal("repetitions of repetitions", "sops/rule", rules(900, "^(((a{1,30}){1,30}){1,30}%d)$")),
		seal("5,000 rules", "yaml/too-large", rules(5000, "^a%d$")),
		seal("a long pattern", "sops/rule", rules(1, "^"+strings.Repeat("(a|b)", 100_000)+"%d$")),
		insert("100,000 routes", "yaml/too-large", "lcm.yaml", "routes:\n", strings.Repeat("  - {target: vault}\n", 50_000)),
		insert("long patterns", "settings/route", "lcm.yaml", "routes:\n", strings.Repeat("  - {match: {namespaces: [\""+strings.Repeat("**/a/", 60)+"zz\"], kinds: [X]}, target: vault}\n", 900)),
		insert("environments", "yaml/too-large", "lcm.yaml", "environments:\n", counted(30_000, "  e%d: {inherits: base}\n")),
		insert("principals", "yaml/too-large", ".lcm/trust.yaml", "principals:\n", counted(20_000, "  e%d: {roles: [global-admin], keys: [{ssh: x}]}\n")),
		put("much access", "yaml/too-large", ".lcm/access.yaml", "apiVersion: lcm/v1\nkind: AccessPolicy\nrules:\n"+strings.Repeat("  - {a: b}\n", 80_000)),
	}
}

func folders() []Case {
	many := files("files in one folder", "layout/unreadable", 10_001, "namespaces/acme/shop/many/base/k%d.yaml", "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: team-chat}\nspec: {value: 1}\n")
	many.File = "namespaces/acme/shop/many/base"
	link := func(name, at, to string) Case {
		return Case{"a link: " + name, "layout/file-mode", at, func(r rule.Repository) {
			for file := range r {
				if file == at || strings.HasPrefix(file, at+"/") {
					delete(r, file)
				}
			}
			r[at] = rule.File{Data: []byte(to), Mode: fs.ModeSymlink}
		}}
	}
	return []Case{
		many,
		put("a long name", "layout/name", folder+strings.Repeat("a", 240)+".yaml", "x"),
		put("a name that colours", "layout/name", folder+"\x1b[31m.yaml", "x"),
		link("to itself", folder+"x.yaml", "x.yaml"),
		link("to its folder", folder+"x", "."),
		link("in place of rules", "policies", "policies"),
		link("in place of settings", "lcm.yaml", "/dev/zero"),
		link("in place of the trust policy", ".lcm/trust.yaml", "/dev/zero"),
		link("in place of who seals", ".sops.yaml", "/dev/zero"),
	}
}
