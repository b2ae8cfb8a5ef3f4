package diag

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var some = []Finding{
	Errorf(Position{"namespaces/a b/é.yaml", 3, 7}, "schema/type", "temperature must be a number, 100%% of it: <not> \"text\""),
	Warnf(Position{"namespaces/a b/é.yaml", 0, 0}, "ref/unused", "first\nsecond, with\x00 a NUL"),
	Errorf(Position{"lcm.yaml", 1, 1}, "schema/type", "x"),
}

var tool = Tool{Name: "lcm-lint", Version: "1.2.3", URL: "https://example.org/lcm", Rule: func(id string) (About, bool) {
	if id == "schema/type" {
		return About{"A value is of its type.", "Whoever reads `x` fails.", "Write `1`.", "https://example.org/rules#schematype", Error}, true
	}
	return About{}, false
}}

// The official schema of SARIF is the judge.
func TestSARIF(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, fs := range [][]Finding{nil, some} {
		var b bytes.Buffer
		if err := SARIF(&b, tool, fs); err != nil {
			t.Fatal(err)
		}
		report, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(report); err != nil {
			t.Errorf("%v\n%s", err, &b)
		}
		var log sarifLog
		if err := json.Unmarshal(b.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		run := log.Runs[0]
		if len(run.Results) != len(fs) || run.Tool.Driver.Name != "lcm-lint" {
			t.Errorf("%s", &b)
		}
		for i, r := range run.Results {
			if rule := run.Tool.Driver.Rules[r.RuleIndex]; rule.ID != fs[i].Rule || r.RuleID != fs[i].Rule || r.Message.Text != fs[i].Message || r.Level != string(fs[i].Severity) {
				t.Errorf("%d: %s", i, &b)
			}
		}
	}
	var b bytes.Buffer
	_ = SARIF(&b, tool, some)
	for _, want := range []string{`"uri": "namespaces/a%20b/%C3%A9.yaml"`, `"startColumn": 7`, `"helpUri": "https://example.org/rules#schematype"`,
		`"text": "A value is of its type."`, `"text": "Whoever reads x fails."`, `"markdown": "Whoever reads ` + "`x` fails.\\n\\nWrite `1`." + `"`, `"level": "error"`, `"text": "ref/unused"`, `"columnKind": "unicodeCodePoints"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in %s", want, &b)
		}
	}
}

func TestGitHub(t *testing.T) {
	var b bytes.Buffer
	_ = GitHub(&b, append(some, Errorf(Position{"a,b:c.yaml", 2, 3}, "x/y", "m")))
	want := "::error file=namespaces/a b/é.yaml,line=3,col=7,title=schema/type::temperature must be a number, 100%25 of it: <not> \"text\"\n" +
		"::warning file=namespaces/a b/é.yaml,line=1,col=1,title=ref/unused::first%0Asecond, with\x00 a NUL\n" +
		"::error file=lcm.yaml,line=1,col=1,title=schema/type::x\n" +
		"::error file=a%2Cb%3Ac.yaml,line=2,col=3,title=x/y::m\n"
	if b.String() != want {
		t.Errorf("%s", &b)
	}
}

func TestJUnit(t *testing.T) {
	for _, fs := range [][]Finding{nil, some} {
		var b bytes.Buffer
		if err := JUnit(&b, tool, fs); err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, &b)
		}
		if fs == nil && (got.Tests != 1 || got.Failures != 0) || fs != nil && (got.Tests != 3 || got.Failures != 2 || len(got.Suites) != 2 || got.Suites[0].Cases[0].Failure.Message != fs[0].Message) {
			t.Errorf("%+v\n%s", got, &b)
		}
	}
}

func TestTerminal(t *testing.T) {
	lines := map[int]string{1: "\tkey: välue", 2: strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300), 3: "a\x1b[2Jb"}
	source := func(_ string, n int) (string, bool) { s, ok := lines[n]; return s, ok }
	for name, c := range map[string]struct {
		line, column int
		want         string
	}{
		"a tab before":       {1, 7, "    \tkey: välue\n    \t     ^\n"},
		"at the end":         {1, 12, "    \tkey: välue\n    \t          ^\n"},
		"no such line":       {9, 1, ""},
		"as a whole":         {0, 0, ""},
		"no control of ours": {3, 2, "    a\uFFFD[2Jb\n     ^\n"},
	} {
		var b bytes.Buffer
		_ = Terminal(&b, []Finding{Errorf(Position{"f", c.line, c.column}, "x/y", "m")}, false, source)
		if _, got, _ := strings.Cut(b.String(), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	var b bytes.Buffer
	_ = Terminal(&b, []Finding{Errorf(Position{"f", 2, 301}, "x/y", "m")}, true, source)
	shown := strings.Split(b.String(), "\n")
	caret := strings.Index(shown[2], "\x1b[1;31m^")
	if !strings.HasPrefix(shown[1][caret:], "HERE") || !strings.Contains(shown[0], "\x1b[1;31merror\x1b[0m") || len(shown[1]) > 120 {
		t.Errorf("%q", shown)
	}
}
