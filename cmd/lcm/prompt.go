package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// maxRender is how long one render may take.
const maxRender = 10 * time.Second

func (c *cli) promptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "prompt", Short: "Render prompts, and test them", Args: wrapArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.promptRenderCommand(), c.promptTestCommand())
	return cmd
}

// promptOptions are the flags of lcm prompt render.
type promptOptions struct {
	variant, environment, context, history string
	input                                  []string
}

func (c *cli) promptRenderCommand() *cobra.Command {
	var o promptOptions
	cmd := &cobra.Command{
		Use: "render ADDRESS|FILE", Short: "Show the messages that a prompt gives for an input", Args: cobra.ExactArgs(1),
		Long: "render resolves the prompt at org/project/service/environment/key, or in a file .prompt, as its environment does:\n" +
			"with inherited files and the environment's partials. It puts defaults where the input has no value, holds the\n" +
			"input against input.schema, and prints the messages.\n\n" +
			"Each --input is a file of JSON or YAML, - for standard input, an object of JSON, or name=value; later ones win.\n\n" +
			"Exit codes: 0 done; 1 the prompt has errors, or the input does not fit; 2 wrong usage.",
		ValidArgsFunction: c.completeAddresses,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			return c.promptRender(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringArrayVar(&o.input, "input", nil, "`FILE`, JSON or name=value; may be repeated")
	cmd.Flags().StringVar(&o.variant, "variant", "", "render the variant `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "resolve a FILE in the environment `NAME` instead of its own")
	cmd.Flags().StringVar(&o.context, "context", "", "what the application adds and templates see as @name: `FILE` or JSON")
	cmd.Flags().StringVar(&o.history, "history", "", "the conversation so far: `FILE` or JSON, a list of {role, text} or {role, content}")
	c.formatFlag(cmd)
	return cmd
}

func (c *cli) promptRender(ctx context.Context, name string, o promptOptions) error {
	t, err := c.load()
	if err != nil {
		return err
	}
	e, err := c.promptEntry(t, name, o.environment)
	if err != nil {
		return err
	}
	if o.variant == "" && o.environment == "" {
		o.variant = variantOf(name)
	}
	p, err := choose(e, o.variant)
	if err != nil {
		return err
	}
	if err := c.sound(p); err != nil {
		return err
	}
	in, err := c.input(p, o)
	if err != nil {
		return err
	}
	out, err := rendered(ctx, e, p, in)
	if err != nil {
		return err
	}
	if c.format == "json" {
		return c.json(renderedJSON(e, p, out))
	}
	_, err = fmt.Fprint(c.stdout, dotprompt.Text(out))
	return err
}

// promptEntry resolves a prompt by its address, or by one of its files.
func (c *cli) promptEntry(t *tree.Tree, name, environment string) (*tree.Entry, error) {
	e, err := (*tree.Entry)(nil), error(nil)
	if !strings.HasSuffix(name, ".prompt") {
		if environment != "" {
			return nil, usagef("an address names its environment: --environment goes with a file")
		}
		e, err = c.entry(t, name)
	} else {
		e, err = c.promptFile(t, name, environment)
	}
	if err == nil && e.Kind != lcm.KindPromptTemplate {
		return nil, fmt.Errorf("%s is a %s, no prompt", e.Address, e.Kind)
	}
	return e, err
}

// promptFile resolves the key of a file in an environment, or in the file's own, even if that is only a layer.
func (c *cli) promptFile(t *tree.Tree, file, environment string) (*tree.Entry, error) {
	dir, base := path.Split(path.Clean(file))
	ns, err := lcm.ParseNamespace(strings.Trim(strings.TrimPrefix(dir, "namespaces/"), "/"))
	if err != nil || !strings.HasPrefix(dir, "namespaces/") || strings.HasPrefix(base, "_") {
		return nil, usagef("%s is no prompt: give the path of a file namespaces/<org>/<project>/<service>/<environment>/<name>.prompt in --repo, or an address", file)
	}
	if environment != "" {
		ns.Environment = environment
	}
	if len(t.Chain(ns.Environment)) == 0 {
		return nil, usagef("there is no environment %q: lcm.yaml has others", ns.Environment)
	}
	key, _, _ := strings.Cut(base, ".")
	res := t.Resolve(ns)
	for _, e := range res.Entries {
		if e.Address.Key == key {
			return e, nil
		}
	}
	if len(res.Findings) > 0 {
		return nil, c.refuse(res.Findings)
	}
	return nil, fmt.Errorf("%s: no such key", ns.Key(key))
}

// variantOf is the variant that a file's name names; "" for none.
func variantOf(name string) string {
	stem, isFile := strings.CutSuffix(path.Base(name), ".prompt")
	_, variant, _ := strings.Cut(stem, ".")
	if !isFile {
		return ""
	}
	return variant
}

// choose returns the main text of a prompt, or a variant's.
func choose(e *tree.Entry, variant string) (tree.Prompt, error) {
	var names []string
	for _, p := range e.Prompts() {
		if p.Variant == variant {
			return p, nil
		}
		if p.Variant != "" {
			names = append(names, p.Variant)
		}
	}
	there := "it has none"
	if len(names) > 0 {
		there = "there is " + strings.Join(names, ", ")
	}
	return tree.Prompt{}, fmt.Errorf("%s has no variant %q: %s", e.Address, variant, there)
}

// variables are what the prompt may be given. A schema with errors is refused.
func variables(p tree.Prompt) (v dotprompt.Variables, err error) {
	v.Default, _ = p.Input["default"].(map[string]any)
	raw, some := p.Input["schema"]
	if !some {
		return v, nil
	}
	schema, problems := dotprompt.Schema(raw, nil)
	if schema == nil {
		wrong := problems[0]
		at := p.Declared.YAML.Position(append([]string{"input", "schema"}, wrong.Path...)...)
		return v, fmt.Errorf("%s: %s", at, wrong.Message)
	}
	v.Schema = schema
	return v, nil
}

// sound prints what is wrong with a prompt's variables, and refuses errors.
func (c *cli) sound(p tree.Prompt) error {
	v, err := variables(p)
	if err != nil {
		return err
	}
	var findings []diag.Finding
	for _, wrong := range p.Set.Check(v).Problems {
		if !wrong.Warning {
			findings = append(findings, diag.Errorf(p.Document.PositionIn(wrong.At), wrong.Rule, "%s", wrong.Message))
		}
	}
	if len(findings) > 0 {
		return c.refuse(findings)
	}
	return nil
}

// rendered renders a prompt. It tells of an error where in the files it stands.
func rendered(ctx context.Context, e *tree.Entry, p tree.Prompt, in dotprompt.Input) ([]dotprompt.Message, error) {
	ctx, stop := context.WithTimeout(ctx, maxRender)
	defer stop()
	out, err := p.Set.Render(ctx, in)
	var wrong *dotprompt.RenderError
	if !errors.As(err, &wrong) {
		return out, err
	}
	d := p.Document
	for _, other := range e.Documents {
		if wrong.Partial != "" && other.Address.Key == "_"+wrong.Partial {
			d = other
		}
	}
	return nil, fmt.Errorf("%s: %s", d.PositionIn(wrong.At), wrong.Message)
}

// promptMessages is a rendered prompt as JSON.
type promptMessages struct {
	Schema   string              `json:"schema"`
	Address  lcm.Address         `json:"address"`
	Variant  string              `json:"variant,omitempty"`
	Version  string              `json:"version"`
	Model    any                 `json:"model,omitempty"`
	Config   any                 `json:"config,omitempty"`
	Output   map[string]any      `json:"output,omitempty"` // its schema as JSON Schema
	Messages []dotprompt.Message `json:"messages"`
}

func renderedJSON(e *tree.Entry, p tree.Prompt, out []dotprompt.Message) promptMessages {
	m := promptMessages{Schema: "lcm.prompt/v1", Address: e.Address, Variant: p.Variant, Messages: out}
	field := func(name string) any {
		if v, ok := p.Document.Spec[name]; ok {
			return v
		}
		return e.Spec[name]
	}
	m.Version, _ = field("version").(string)
	m.Model, m.Config = field("model"), field("config")
	if p.Output != nil {
		m.Output = map[string]any{}
		for k, v := range p.Output {
			m.Output[k] = v
		}
		if schema, _ := dotprompt.Schema(p.Output["schema"], nil); schema != nil {
			m.Output["schema"] = schema
		}
	}
	return m
}
