// Package rego holds the base pack: the rules that every document of every repository is judged by.
// One file is one package lcm.<name> with deny and warn sets of {rule, path, message}. The tests beside
// the rules stay out of the programs.
package rego

import "embed"

// Pack holds the rules without their tests; embed cannot exclude, so the files are listed.
//
//go:embed budget.rego classification.rego config.rego credentials.rego endpoint.rego facts.rego
//go:embed labels.rego lifecycle.rego ownership.rego prices.rego prompts.rego rollout.rego
//go:embed routing.rego sampling.rego secrets.rego
var Pack embed.FS
