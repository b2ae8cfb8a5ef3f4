package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// promptTestsDir is where tests lie if nobody says otherwise: outside of namespaces/, where other files may stand.
const promptTestsDir = "prompt-tests"

func (c *cli) promptTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "test [FILE|DIR]…", Short: "Render prompts for the inputs of test cases, and compare", Args: cobra.ArbitraryArgs,
		Long: "test runs the cases in YAML files, by default those below " + promptTestsDir + "/ of the repository:\n\n" +
			"  prompt: org/project/service/environment/key     # * for the environment: each that has the key\n" +
			"  cases:\n" +
			"    - name: asks politely\n" +
			"      variant: concise                            # and context, history: as for lcm prompt render\n" +
			"      input: {question: \"Why?\"}\n" +
			"      expect: {contains: [\"Why?\"], excludes: [\"{{\"], text: …, messages: [{role: user, text: …}], error: …}\n\n" +
			"Exit codes: 0 all hold; 1 one does not, or there are none; 2 wrong usage, or a file is no test.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			return c.promptTest(cmd.Context(), args)
		},
	}
	c.formatFlag(cmd)
	return cmd
}

// promptResult is what came of one case in one environment.
type promptResult struct {
	File    string      `json:"file"`
	Line    int         `json:"line"`
	Column  int         `json:"column"`
	Name    string      `json:"name"`
	Address lcm.Address `json:"address"`
	OK      bool        `json:"ok"`
	Problem string      `json:"problem,omitempty"` // several lines
}

func (c *cli) promptTest(ctx context.Context, args []string) error {
	files, err := c.promptTestFiles(args)
	if err != nil {
		return err
	}
	t, err := c.load()
	if err != nil {
		return err
	}
	results := []promptResult{}
	for _, file := range files {
		suite, err := readPromptSuite(file)
		if err != nil {
			return err
		}
		more, err := suite.run(ctx, t)
		if err != nil {
			return err
		}
		results = append(results, more...)
	}
	return c.tellPromptTests(results)
}

// promptTestFiles lists the files to run, sorted. None is an error: a test that nobody runs holds nothing.
func (c *cli) promptTestFiles(args []string) (files []string, err error) {
	if len(args) == 0 {
		args = []string{filepath.Join(c.repo, promptTestsDir)}
	}
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (path == arg || strings.HasSuffix(path, ".yaml")) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, usagef("%v", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no tests below %s: write a file .yaml there (lcm prompt test --help shows one)", strings.Join(args, ", "))
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

func (c *cli) tellPromptTests(results []promptResult) error {
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if c.format == "json" {
		if err := c.json(map[string]any{"schema": "lcm.prompttests/v1", "cases": results}); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			at := fmt.Sprintf("%s (%s)", r.Name, r.Address)
			if r.OK {
				fmt.Fprintf(c.stdout, "ok   %s\n", at)
			} else {
				position := diag.Position{File: r.File, Line: r.Line, Column: r.Column}
				fmt.Fprintf(c.stdout, "FAIL %s\n     %s: %s\n", at, position, strings.ReplaceAll(r.Problem, "\n", "\n     "))
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases failed", failed, len(results))
	}
	return nil
}

// run runs the cases of a file in each environment that it names.
func (s *promptSuite) run(ctx context.Context, t *tree.Tree) (out []promptResult, err error) {
	entries, err := s.entries(t)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		for i, test := range s.cases {
			at := s.doc.Position("cases", fmt.Sprint(i))
			r := promptResult{File: at.File, Line: at.Line, Column: at.Column, Name: test.name, Address: e.Address}
			r.Problem = test.run(ctx, e)
			r.OK = r.Problem == ""
			out = append(out, r)
		}
	}
	return out, nil
}

// entries resolves the prompt that a file is about.
func (s *promptSuite) entries(t *tree.Tree) (out []*tree.Entry, err error) {
	for _, ns := range t.Namespaces() {
		if ns.Service != s.address.Service || s.address.Environment != "*" && ns.Environment != s.address.Environment {
			continue
		}
		res := t.Resolve(ns)
		i := slices.IndexFunc(res.Entries, func(e *tree.Entry) bool {
			return e.Address.Key == s.address.Key && e.Kind == lcm.KindPromptTemplate
		})
		if i >= 0 {
			out = append(out, res.Entries[i])
		} else if diag.Failed(res.Findings) {
			return nil, fmt.Errorf("%s has errors: lcm-lint shows them", ns)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no prompt %s", s.doc.Position("prompt"), s.prompt)
	}
	return out, nil
}

// run renders one case and tells what does not hold; "" if all does.
func (p promptCase) run(ctx context.Context, e *tree.Entry) string {
	out, err := p.render(ctx, e)
	if err != nil || p.expect.err != "" {
		return p.expect.failure(err)
	}
	return p.expect.holds(out)
}

func (p promptCase) render(ctx context.Context, e *tree.Entry) ([]dotprompt.Message, error) {
	one, err := choose(e, p.variant)
	if err != nil {
		return nil, err
	}
	v, err := variables(one)
	if err != nil {
		return nil, err
	}
	for _, wrong := range one.Set.Check(v).Problems {
		if !wrong.Warning {
			return nil, fmt.Errorf("%s: %s", one.Document.PositionIn(wrong.At), wrong.Message)
		}
	}
	in := p.in
	if in.Values, err = filled(v, p.in.Values, one); err != nil {
		return nil, err
	}
	return rendered(ctx, e, one, in)
}

// failure compares an error with the expected one.
func (x expectation) failure(err error) string {
	switch {
	case err == nil:
		return fmt.Sprintf("it renders, and should fail with %q", x.err)
	case x.err == "":
		return err.Error()
	case !strings.Contains(err.Error(), x.err):
		return fmt.Sprintf("it should fail with %q, and fails with: %v", x.err, err)
	}
	return ""
}

// holds compares messages with what is expected of them.
func (x expectation) holds(out []dotprompt.Message) string {
	text := dotprompt.Text(out)
	var wrong []string
	for _, part := range x.contains {
		if !strings.Contains(text, part) {
			wrong = append(wrong, fmt.Sprintf("the text does not contain %q", part))
		}
	}
	for _, part := range x.excludes {
		if strings.Contains(text, part) {
			wrong = append(wrong, fmt.Sprintf("the text contains %q", part))
		}
	}
	if x.text != nil && strings.TrimSpace(*x.text) != strings.TrimSpace(text) {
		wrong = append(wrong, "the text is another one")
	}
	if x.messages != nil {
		if want := dotprompt.Text(x.messages); strings.TrimSpace(want) != strings.TrimSpace(text) {
			wrong = append(wrong, "the messages are others; expected were", want)
		}
	}
	if len(wrong) == 0 {
		return ""
	}
	return strings.Join(wrong, "\n") + "\nit renders to\n" + strings.TrimRight(text, "\n")
}

func readPromptSuite(file string) (*promptSuite, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("%v", err)
	}
	defer f.Close()
	return parsePromptSuite(file, f)
}
