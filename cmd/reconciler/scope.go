package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// scope says which namespaces are meant, on the command line.
type scope struct {
	patterns            []string
	tenant, environment string
	all                 bool
}

func (s *scope) flags(cmd *cobra.Command, all string) {
	cmd.Flags().StringVar(&s.tenant, "tenant", "", "all namespaces of this org")
	cmd.Flags().StringVar(&s.environment, "environment", "", "all namespaces of this environment; with --tenant, of that org alone")
	cmd.Flags().BoolVar(&s.all, "all", false, all)
	for _, flag := range []string{"tenant", "environment"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
}

// texts are the patterns that are meant; none is an error, and so is what is no pattern.
func (s *scope) texts() ([]string, error) {
	out := slices.Clone(s.patterns)
	for _, name := range []string{s.tenant, s.environment} {
		if name != "" && !lcm.ValidName(name) {
			return nil, configErrorf("%q is no name of an org or an environment", name)
		}
	}
	switch {
	case s.environment != "" && s.tenant != "":
		out = append(out, s.tenant+"/*/*/"+s.environment)
	case s.environment != "":
		out = append(out, "*/*/*/"+s.environment)
	case s.tenant != "":
		out = append(out, s.tenant+"/**")
	}
	if s.all == (len(out) > 0) {
		return nil, configErrorf("say which namespaces: a pattern such as acme-corp/*/*/production, --tenant, --environment, or --all")
	}
	return out, checkPatterns(out)
}

func checkPatterns(texts []string) error {
	if len(texts) > 100 {
		return configErrorf("at most 100 patterns at a time")
	}
	_, err := parsePatterns(texts)
	return err
}

func parsePatterns(texts []string) (out []lcm.Pattern, err error) {
	for _, text := range texts {
		p, err := lcm.ParsePattern(text)
		if err != nil {
			return nil, configErrorf("%v", err)
		}
		out = append(out, p)
	}
	return out, nil
}
