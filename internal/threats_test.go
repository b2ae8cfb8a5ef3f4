package internal

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// threats is the living list of attacks.
const threats = "../docs/threats.md"

// lastAttack is the number of the last attack of the list.
const lastAttack = 66

// mustBeMet are the attacks that trust must resist: their rows name tests, whatever else is not yet there. Other
// rows may say in which issue they will be met.
func mustBeMet(attack int) bool {
	return attack <= 29 || attack >= 51 && attack <= 60 || attack >= 64 || slices.Contains([]int{42, 46, 48}, attack)
}

// programs are the packages by the name that the table gives them, besides internal/<name> and
// internal/store/<name>.
var programs = map[string][]string{
	"reconciler": {"../cmd/reconciler"},
	"lint":       {"../cmd/lcm-lint", "rule"},
	"lcm":        {"../cmd/lcm", "lcm"},
}

// TestThreatsNameTheirTests demands of every row of docs/threats.md that it names tests, and that they exist.
func TestThreatsNameTheirTests(t *testing.T) {
	rows, source := threatRows(t), sources{}
	for n := 1; n <= lastAttack; n++ {
		row, ok := rows[n]
		switch later := strings.Contains(row.meets, "issue"); {
		case !ok:
			t.Errorf("attack %d has no row", n)
		case len(row.tests) == 0 && (mustBeMet(n) || !later):
			t.Errorf("attack %d names no test", n)
		}
		for _, name := range row.tests {
			if err := source.has(name); err != nil {
				t.Errorf("attack %d: %v", n, err)
			}
		}
	}
	for n := range rows {
		if n < 1 || n > lastAttack {
			t.Errorf("there is no attack %d in the list that the table starts from", n)
		}
	}
}

// Without it, a test that is misspelt would be taken for one.
func TestThreatsNoticeWhatIsMissing(t *testing.T) {
	source := sources{}
	for name, want := range map[testName]bool{
		{"trust", "TestAttacks/1_…"}:       true,
		{"trust", "TestAttacks/99_…"}:      false,
		{"trust", "TestAttack"}:            false,
		{"nothing", "TestAttacks"}:         false,
		{"reconciler", "TestAttacks/48_…"}: true,
		{"reconciler", "scripts/plan"}:     true,
		{"reconciler", "scripts/none"}:     false,
		{"lint", "yaml/*"}:                 true,
		{"lint", "none/*"}:                 false,
		{"storetest", "Run"}:               true,
		{"lcm", "TestSecretRedacts"}:       true,
		{"lcm", "trust/approve"}:           true,
		{"gitrepo", "FuzzParseCommit"}:     true,
	} {
		if err := source.has(name); (err == nil) != want {
			t.Errorf("%s: %s: %v", name.pkg, name.test, err)
		}
	}
}

type threatRow struct {
	meets string
	tests []testName
}

// testName is a test as the table names it: a package or program, and a function, perhaps with a case, or a script.
type testName struct{ pkg, test string }

var (
	threatLine = regexp.MustCompile(`(?m)^\| (\d+) \|(.*)\|(.*)\|(.*)\|$`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
)

// threatRows reads the tables. In the column of tests a package stands once, before the first of its tests.
func threatRows(t *testing.T) map[int]threatRow {
	t.Helper()
	text, err := os.ReadFile(threats)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]threatRow{}
	for _, m := range threatLine.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		if _, twice := rows[n]; twice {
			t.Errorf("attack %d has two rows", n)
		}
		row := threatRow{meets: m[3]}
		pkg := ""
		for _, span := range codeSpan.FindAllStringSubmatch(m[4], -1) {
			name := span[1]
			if before, after, ok := strings.Cut(name, ": "); ok {
				pkg, name = before, after
			}
			row.tests = append(row.tests, testName{pkg, name})
		}
		rows[n] = row
	}
	return rows
}

// sources are folders with what their Go files declare, as far as they were asked for.
type sources map[string]declared

// has looks for a script of that name, or for the function and its case.
func (s sources) has(n testName) error {
	dirs := append(slices.Clone(programs[n.pkg]), n.pkg, filepath.Join("store", n.pkg))
	function, sub, _ := strings.Cut(n.test, "/")
	for _, dir := range dirs {
		for _, pattern := range []string{"testdata/" + n.test + ".txtar", "catalogue/" + n.test + ".txtar", "testdata/cases/" + n.test + "--*.txtar"} {
			if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
				return nil
			}
		}
		if _, known := s[dir]; !known {
			s[dir] = declaredIn(dir)
		}
		number, _, _ := strings.Cut(sub, "_")
		if s[dir].functions[function] && (sub == "" || s[dir].cases[number]) {
			return nil
		}
	}
	return fmt.Errorf("there is no test %s in %s", n.test, strings.Join(dirs, ", "))
}

// declared is what the Go files of a folder declare: functions, and the numbers that the names of cases begin with,
// which are keys of tables or names of subtests.
type declared struct{ functions, cases map[string]bool }

func declaredIn(dir string) declared {
	d := declared{map[string]bool{}, map[string]bool{}}
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			continue // the compiler says so
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.FuncDecl:
				d.functions[n.Name.Name] = true
			case *ast.KeyValueExpr:
				maps.Copy(d.cases, caseNumber(n.Key))
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Run" && len(n.Args) > 0 {
					maps.Copy(d.cases, caseNumber(n.Args[0]))
				}
			}
			return true
		})
	}
	return d
}

var numbered = regexp.MustCompile(`^(\d+)[ _]`)

func caseNumber(e ast.Expr) map[string]bool {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if text, err := strconv.Unquote(lit.Value); err == nil {
			if m := numbered.FindStringSubmatch(text); m != nil {
				return map[string]bool{m[1]: true}
			}
		}
	}
	return nil
}
